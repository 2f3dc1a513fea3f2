"""Model and embedding clients: the offline ones."""
