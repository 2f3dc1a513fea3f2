"""What may happen to the aggregates that the gateway writes: sessions, disks and spaces. Pure."""
