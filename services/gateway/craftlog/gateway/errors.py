"""What the door refuses, by name; each name has one HTTP status."""

from typing import ClassVar


class RequestRefusedError(Exception):
    """A request that is not carried out. ``status`` is its HTTP status, the text is for the person who sent it."""

    status: ClassVar[int] = 400


class InvalidError(RequestRefusedError):
    """A field holds what it must not. ``field`` is its path in the request, for example ``blob.content[0].type``."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class UnauthorizedError(RequestRefusedError):
    """No key, or none that we know."""

    status = 401


class MissingError(RequestRefusedError):
    """There is no such thing in this project."""

    status = 404


class TooLargeError(RequestRefusedError):
    """More bytes than the door takes."""

    status = 413


class NotOfferedError(RequestRefusedError):
    """Something that the SDKs know and we do not have."""

    status = 501
