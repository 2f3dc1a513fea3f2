"""The craftlog command: up, demo, import; and the embedded servers."""
