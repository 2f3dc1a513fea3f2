"""What an API key looks like, and what we keep of it. Pure.

``sk-ac-`` and 80 characters of base64url: the project's 16 bytes, 32 random ones, and a tag of 12 that only we can
make. A key that nobody was ever given is refused by its tag alone, without asking any store.
"""

import hmac
from base64 import urlsafe_b64encode
from binascii import Error, a2b_base64
from typing import Final
from uuid import UUID

SECRET_BYTES: Final = 32
_PREFIX: Final = b"sk-ac-"
_PROJECT_BYTES: Final = 16
_TAG_BYTES: Final = 12
_BYTES: Final = _PROJECT_BYTES + SECRET_BYTES + _TAG_BYTES
_FROM_URLSAFE: Final = bytes.maketrans(b"-_", b"+/")


class Stamp:
    """What makes keys and knows its own again. Whoever has the pepper can make tags, but no key that was issued."""

    def __init__(self, pepper: str) -> None:
        self._pepper = pepper.encode()

    def key(self, project: str, secret: bytes) -> str:
        """Return the key of a project with a secret of SECRET_BYTES random bytes."""
        body = UUID(project).bytes + secret
        return (_PREFIX + urlsafe_b64encode(body + self._tag(body))).decode()

    def project_of(self, key: bytes) -> str | None:
        """Return the project that a key says it is of, or None where it is none that we made."""
        if not key.startswith(_PREFIX):
            return None
        try:
            raw = a2b_base64(key[len(_PREFIX) :].translate(_FROM_URLSAFE), strict_mode=True)
        except Error:
            return None
        body, tag = raw[:-_TAG_BYTES], raw[-_TAG_BYTES:]
        if len(raw) != _BYTES or not hmac.compare_digest(tag, self._tag(body)):
            return None
        return str(UUID(bytes=body[:_PROJECT_BYTES]))

    def hash(self, key: bytes) -> str:
        """Return what is stored of a key: its HMAC-SHA256 with the pepper, in hex."""
        return hmac.digest(self._pepper, key, "sha256").hex()

    def _tag(self, body: bytes) -> bytes:
        # A key begins with its prefix, so that no tag is the hash of a key.
        return hmac.digest(self._pepper, b"tag:" + body, "sha256")[:_TAG_BYTES]
