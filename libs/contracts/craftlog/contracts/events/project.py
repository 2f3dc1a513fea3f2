"""The facts about a project, written by the gateway; its id is that of its aggregate.

NOTE: class names, field names and VERSION are what is stored, for ever. Add optional fields; else write an upcaster;
else add a new event. Renaming a class or a field makes history unreadable.
"""

from typing import Any

from craftlog.contracts.events.event import Event
from craftlog.contracts.subjects import Kind


class ProjectCreated(Event):
    """A tenant began."""

    KIND = Kind.PROJECT
    name: str


class KeyIssued(Event):
    """An API key lets its holder in. The key itself is nowhere: ``hash`` is its HMAC-SHA256 in hex, with the pepper.

    ``requests_per_second`` (with ``burst``, the most at once) and ``body_bytes`` stand in place of what the deployment
    allows every key, where they are given.
    """

    KIND = Kind.PROJECT
    key_id: str
    name: str
    hash: str
    requests_per_second: float | None = None
    burst: int | None = None
    body_bytes: int | None = None


class KeyRevoked(Event):
    """An API key lets nobody in any more."""

    KIND = Kind.PROJECT
    key_id: str


class ProjectConfigured(Event):
    """The project's configs are these from now on, and none of those before. See craftlog.contracts.configs."""

    KIND = Kind.PROJECT
    configs: dict[str, Any]
