"""The facts about a disk, written by the gateway.

NOTE: class names, field names and VERSION are what is stored, for ever. Add optional fields; else write an upcaster;
else add a new event. Renaming a class or a field makes history unreadable.
"""

from typing import Any

from pydantic import Field

from craftlog.contracts.events.event import Event
from craftlog.contracts.messages import Asset
from craftlog.contracts.subjects import Kind


class DiskCreated(Event):
    """An empty file tree began."""

    KIND = Kind.DISK


class ArtifactStored(Event):
    """A file was put at a path, replacing what was there. ``path`` begins and ends with a slash."""

    KIND = Kind.DISK
    path: str
    filename: str
    asset: Asset
    meta: dict[str, Any] = Field(default_factory=dict)


class ArtifactDescribed(Event):
    """The file at a path was given this ``meta`` in place of what it had."""

    KIND = Kind.DISK
    path: str
    filename: str
    meta: dict[str, Any]


class ArtifactRemoved(Event):
    """The file at a path is gone."""

    KIND = Kind.DISK
    path: str
    filename: str


class DiskDeleted(Event):
    """The tombstone. Everything before it is erased."""

    KIND = Kind.DISK
