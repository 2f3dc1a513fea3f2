"""The facts about a space, written by the gateway.

NOTE: class names, field names and VERSION are what is stored, for ever. Add optional fields; else write an upcaster;
else add a new event. Renaming a class or a field makes history unreadable.
"""

from typing import Any, Final

from craftlog.contracts.events.event import Event
from craftlog.contracts.subjects import Kind

# In a space's configs: whether a person is asked before a lesson becomes a skill.
CONFIRM: Final = "enable_user_confirmation_on_new_experiences"


class SpaceCreated(Event):
    """A place for skills began. ``request`` is the digest of the keyed request that made it, if any."""

    KIND = Kind.SPACE
    configs: dict[str, Any] | None = None
    request: str | None = None


class SpaceConfigured(Event):
    """A space has these configs from now on, and no others."""

    KIND = Kind.SPACE
    configs: dict[str, Any]


class SpaceDeleted(Event):
    """The tombstone. Everything before it is erased, and the learner ends the tree of the space."""

    KIND = Kind.SPACE
