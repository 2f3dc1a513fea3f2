"""Where a page ended: opaque to clients, the last item's place in the order for us. Pure."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from craftlog.gateway.errors import InvalidError
from craftlog.gateway.fields import Json
from craftlog.gateway.limits import has_lone_surrogate

T = TypeVar("T")

_FIELD: Final = "cursor"


@dataclass(frozen=True, slots=True)
class Page:
    """What part of a list is wanted: up to ``limit`` items after ``cursor``, newest first with ``time_desc``."""

    limit: int
    cursor: str | None = None
    time_desc: bool = False


def encode(*place: str | int) -> str:
    """Return the cursor of a place in an order."""
    return urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def after_number(cursor: str | None) -> int | None:
    """Return the number that a page ended with, or raise InvalidError."""
    if cursor is None:
        return None
    match _decoded(cursor):
        case [int(number)]:
            return number
    raise InvalidError(_FIELD, "is none of ours")


def after_text(cursor: str | None) -> str | None:
    """Return the text that a page ended with, or raise InvalidError."""
    if cursor is None:
        return None
    match _decoded(cursor):
        case [str(text)] if not has_lone_surrogate(text):
            return text
    raise InvalidError(_FIELD, "is none of ours")


def after_names(cursor: str | None) -> tuple[str, str | None]:
    """Return the file and the directory that a page ended with, "" at the beginning; None where no directory is left.

    Raises:
        InvalidError: it is none of ours.
    """
    if cursor is None:
        return "", ""
    match _decoded(cursor):
        case [str(file)] if not has_lone_surrogate(file):
            return file, None
        case [str(file), str(directory)] if not has_lone_surrogate(file + directory):
            return file, directory
    raise InvalidError(_FIELD, "is none of ours")


def after_time(cursor: str | None) -> tuple[datetime, str] | None:
    """Return the time and the id that a page ended with, or raise InvalidError."""
    if cursor is None:
        return None
    match _decoded(cursor):
        case [str(time), str(last_id)] if last_id.isascii():
            try:
                return datetime.fromisoformat(time).astimezone(UTC), last_id
            except (ValueError, OverflowError):
                pass
    raise InvalidError(_FIELD, "is none of ours")


def after_message(cursor: str | None) -> tuple[str, int] | None:
    """Return the session and the position that a page ended with, or raise InvalidError."""
    if cursor is None:
        return None
    match _decoded(cursor):
        case [str(session_id), int(position)] if session_id.isascii():
            return session_id, position
    raise InvalidError(_FIELD, "is none of ours")


def after_file(cursor: str | None) -> tuple[str, str] | None:
    """Return the directory and the name that a search of files ended with, or raise InvalidError."""
    if cursor is None:
        return None
    match _decoded(cursor):
        case [str(path), str(name)] if not has_lone_surrogate(path + name):
            return path, name
    raise InvalidError(_FIELD, "is none of ours")


def listed(found: Sequence[T], limit: int, place: Callable[[T], tuple[str | int, ...]]) -> tuple[Sequence[T], Json]:
    """Return a page's items and ``{has_more, next_cursor?}``; ``found`` has one more item than fits where there is."""
    items = found[:limit]
    if len(found) <= limit:
        return items, {"has_more": False}
    return items, {"has_more": True, "next_cursor": encode(*place(items[-1]))}


def _decoded(cursor: str) -> Any:
    try:
        return json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        return None
