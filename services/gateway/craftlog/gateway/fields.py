"""What a field of a request must be; each returns the value or refuses it under its path."""

import re
from typing import Any, Final
from uuid import UUID

from craftlog.gateway.errors import InvalidError

Json = dict[str, Any]

_CANONICAL: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def an_object(value: Any, field: str) -> Json:
    """Return a JSON object, or raise InvalidError."""
    if not isinstance(value, dict):
        raise InvalidError(field, "must be an object")
    return value


def an_object_or_none(value: Any, field: str) -> Json | None:
    """Return a JSON object, or None for null and absent."""
    return None if value is None else an_object(value, field)


def a_text(value: Any, field: str) -> str:
    """Return a string, or raise InvalidError."""
    if not isinstance(value, str):
        raise InvalidError(field, "must be a string")
    return value


def a_text_or_none(value: Any, field: str) -> str | None:
    """Return a string, or None for null and absent."""
    return None if value is None else a_text(value, field)


def a_flag(value: Any, field: str) -> bool:
    """Return a boolean, False for null and absent."""
    if value is not None and not isinstance(value, bool):
        raise InvalidError(field, "must be true or false")
    return bool(value)


def a_whole_number(value: Any, field: str) -> int:
    """Return an integer, or raise InvalidError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidError(field, "must be a whole number")
    return value


def an_id(value: Any, field: str) -> str:
    """Return a UUID in its canonical form; braces, ``urn:uuid:`` and capitals are understood."""
    text = a_text(value, field)
    if _CANONICAL.fullmatch(text):
        return text
    try:
        return str(UUID(text))
    except ValueError as wrong:
        raise InvalidError(field, "must be a UUID") from wrong
