"""Gemini contents to canonical messages and back, so that what comes out equals what was sent, key for key. Pure.

Both spellings of the keys are understood, ``inlineData`` and ``inline_data``, in one message one of them. What the
canonical message has no place for is kept in its ``meta`` and in that of its parts under ``gemini``, in the first
spelling; there ``snake`` tells of the second, ``role`` of one that is neither user nor model, and the name of a kind
(``functionCall``) has what else its object holds.
"""

from craftlog.gateway.dialects.gemini.reading import to_canonical
from craftlog.gateway.dialects.gemini.writing import from_canonical

__all__ = ["from_canonical", "to_canonical"]
