"""What may happen to a space: it begins, is configured, ends. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from craftlog.contracts.events import Event, SpaceConfigured, SpaceCreated, SpaceDeleted
from craftlog.gateway.decider.refusals import AbsentError, ReusedKeyError


@dataclass(frozen=True, slots=True)
class Space:
    """What decisions need to know of a space. ``request`` is the digest of the keyed request that made it."""

    exists: bool = False
    deleted: bool = False
    configs: dict[str, Any] | None = None
    request: str | None = None


INITIAL: Final = Space()


@dataclass(frozen=True, slots=True)
class CreateSpace:
    """Begin a place for skills. ``request`` is the digest of a keyed request."""

    configs: dict[str, Any] | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class ConfigureSpace:
    """Give it these configs, and no others."""

    configs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteSpace:
    """End it."""


Command = CreateSpace | ConfigureSpace | DeleteSpace


def decide(state: Space, command: Command) -> Sequence[Event]:
    """Return what a command comes to. Asking twice for the same thing yields nothing new.

    Raises:
        AbsentError: there is no such space, or it was deleted.
        ReusedKeyError: the key made a space from another request.
    """
    if state.deleted or not (state.exists or isinstance(command, CreateSpace)):
        raise AbsentError("there is no such space")
    match command:
        case CreateSpace(configs, request):
            if not state.exists:
                return [SpaceCreated(configs=configs, request=request)]
            if state.request != request:
                raise ReusedKeyError("this Idempotency-Key made a space from another body")
            return []
        case ConfigureSpace(configs):
            # NOTE: by their texts, since true and 1 are equal here and not in JSON.
            return [] if repr(state.configs) == repr(configs) else [SpaceConfigured(configs=configs)]
        case DeleteSpace():
            return [SpaceDeleted()]


def evolve(state: Space, event: Event) -> Space:
    """Return the state after an event."""
    match event:
        case SpaceCreated(configs=configs, request=request):
            return Space(exists=True, configs=configs, request=request)
        case SpaceConfigured(configs=configs):
            return replace(state, configs=configs)
        case SpaceDeleted():
            return Space(exists=True, deleted=True)
        case _:
            return state
