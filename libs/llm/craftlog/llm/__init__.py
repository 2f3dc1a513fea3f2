"""Model and embedding clients: for any OpenAI-compatible endpoint, and the offline ones."""
