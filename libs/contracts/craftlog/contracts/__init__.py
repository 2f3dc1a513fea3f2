"""What the services share: events, subjects, envelope and the shapes of read models."""
