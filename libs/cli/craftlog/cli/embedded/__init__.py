"""The servers that come in wheels: how each is started here, and when it serves."""
