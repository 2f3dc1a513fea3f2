"""The facts about a session, written by the gateway.

NOTE: class names, field names and VERSION are what is stored, for ever. Add optional fields; else write an upcaster;
else add a new event. Renaming a class or a field makes history unreadable.
"""

from typing import Any

from pydantic import Field

from craftlog.contracts.events.event import Event
from craftlog.contracts.messages import Part, Role, Shape, Stored
from craftlog.contracts.subjects import Kind


class CopyOf(Shape):
    """What a session is a copy of: the first so many ``messages`` of another one."""

    session_id: str
    messages: int


class SessionCreated(Event):
    """A conversation began. ``request`` is the digest of the keyed request that made it, if any.

    With ``copy_of`` the messages of the original follow, in several decisions where there are many: for readers there
    is no such session before it has all of them.
    """

    KIND = Kind.SESSION
    configs: dict[str, Any] | None = None
    disable_task_tracking: bool = False
    space_id: str | None = None
    request: str | None = None
    copy_of: CopyOf | None = None


class MessageAppended(Event):
    """A message was added at the end.

    With ``parts_ref`` the parts are a JSON array in the bucket, ``parts`` is empty. ``request``
    is the digest of the body that came with an Idempotency-Key, if any.
    """

    KIND = Kind.SESSION
    message_id: str
    position: int
    parent_id: str | None = None
    role: Role
    parts: tuple[Part, ...] = ()
    parts_ref: Stored | None = None
    meta: dict[str, Any] = Field(default_factory=dict)
    request: str | None = None


class SessionConfigured(Event):
    """The session's configs are these from now on, and none of those before."""

    KIND = Kind.SESSION
    configs: dict[str, Any]


class SpaceConnected(Event):
    """The session's finished tasks teach this space from now on, those of the past included."""

    KIND = Kind.SESSION
    space_id: str


class FlushRequested(Event):
    """Somebody waits for the board to have read up to and including this position."""

    KIND = Kind.SESSION
    through_position: int


class SessionDeleted(Event):
    """The tombstone. Everything before it is erased."""

    KIND = Kind.SESSION
