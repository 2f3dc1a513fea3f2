"""What the door refuses, by name; each name has one HTTP status."""

from collections.abc import Mapping
from math import ceil
from types import MappingProxyType
from typing import ClassVar


class RequestRefusedError(Exception):
    """A request that is not carried out. ``status`` is its HTTP status, the text is for the person who sent it."""

    status: ClassVar[int] = 400
    headers: Mapping[str, str] | None = None


class InvalidError(RequestRefusedError):
    """A field holds what it must not. ``field`` is its path in the request, for example ``blob.content[0].type``."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class UnauthorizedError(RequestRefusedError):
    """No key, or none that lets anybody in; which of them is nobody's business."""

    status = 401
    headers: Mapping[str, str] | None = MappingProxyType({"WWW-Authenticate": "Bearer"})

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class MissingError(RequestRefusedError):
    """There is no such thing in this project."""

    status = 404


class SilentError(RequestRefusedError):
    """A client that has begun a body and sends no more of it."""

    status = 408
    # Else whatever it sends after all would hold the connection for longer.
    headers: Mapping[str, str] | None = MappingProxyType({"Connection": "close"})

    def __init__(self, seconds: float) -> None:
        """Args: seconds: how long nothing came."""
        super().__init__(
            f"body: nothing came for {seconds:g} s before its end; send the request again, without such a pause"
        )


class TooLargeError(RequestRefusedError):
    """More bytes than the door takes."""

    status = 413


class NotOfferedError(RequestRefusedError):
    """Something that the SDKs know and we do not have."""

    status = 501


class UnfinishedError(RequestRefusedError):
    """What was asked for goes on, and is not there yet."""

    status = 503

    def __init__(self, how_far: str, wait: int) -> None:
        """Args: wait: in how many seconds it is worth while to ask again."""
        super().__init__(how_far)
        self.headers = {"Retry-After": str(wait)}


class TooManyRequestsError(RequestRefusedError):
    """More requests than the key may send."""

    status = 429

    def __init__(self, wait: float) -> None:
        """Args: wait: in how many seconds the next one is let through."""
        seconds = max(1, ceil(wait))
        super().__init__(f"this key has sent too many requests; the next one is let through in {seconds} s")
        self.headers = {"Retry-After": str(seconds)}
