"""Anthropic messages to canonical messages and back, so that what comes out equals what was sent, key for key. Pure.

Keys that the canonical message has no place for are kept in its ``meta`` and in that of its parts under ``anthropic``,
explicit nulls among them. There ``content`` tells the form of one that is no list of one text and what follows it:
``text`` a string, ``absent``, or the list with each text replaced by its length and ``{}`` for each other block, which
follow as parts of their own. Blocks that are nobody's speech (thinking, uploads, …) are ``data`` parts.
"""

from craftlog.gateway.dialects.anthropic.reading import to_canonical
from craftlog.gateway.dialects.anthropic.writing import from_canonical

__all__ = ["from_canonical", "to_canonical"]
