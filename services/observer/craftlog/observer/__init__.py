"""Buffers a session's new messages and keeps its task board true."""
