"""The providers' message formats, each a pure pair: into the canonical message and back."""
