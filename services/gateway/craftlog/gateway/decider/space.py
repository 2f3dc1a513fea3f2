"""What may happen to a space: it begins. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from craftlog.contracts.events import Event, SpaceCreated


@dataclass(frozen=True, slots=True)
class Space:
    """What decisions need to know of a space."""

    exists: bool = False


INITIAL: Final = Space()


@dataclass(frozen=True, slots=True)
class CreateSpace:
    """Begin a place for skills."""

    configs: dict[str, Any] | None = None


Command = CreateSpace


def decide(state: Space, command: Command) -> Sequence[Event]:
    """Return what a command comes to. Asking twice yields nothing new."""
    return [] if state.exists else [SpaceCreated(configs=command.configs)]


def evolve(state: Space, event: Event) -> Space:
    """Return the state after an event."""
    return Space(exists=True) if isinstance(event, SpaceCreated) else state
