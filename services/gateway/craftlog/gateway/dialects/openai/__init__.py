"""OpenAI chat messages to canonical messages and back, so that what comes out equals what was sent, key for key. Pure.

What the canonical message has no place for is kept in its ``meta`` under ``openai``: top-level keys that we do not
know, explicit nulls, and the form of ``content`` where the default would be wrong (an empty list: it was an array; for
a tool result: the array with each text replaced by its length, since the part holds them joined). Keys of a piece that
we do not know are kept in the part's ``meta`` under ``openai``.
"""

from craftlog.gateway.dialects.openai.reading import to_canonical
from craftlog.gateway.dialects.openai.writing import from_canonical

__all__ = ["from_canonical", "to_canonical"]
