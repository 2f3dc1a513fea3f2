"""What may happen to a project: it begins, is configured, and its keys come and go. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, assert_never

from craftlog.contracts.events import Event, KeyIssued, KeyRevoked, ProjectConfigured, ProjectCreated
from craftlog.gateway.decider.merging import are_same, merged
from craftlog.gateway.decider.refusals import AbsentError, TooManyKeysError

MOST_KEYS: Final = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What a key may do; None is no limit of its own.

    ``requests_per_second`` goes with ``burst``, the most requests at once; ``body_bytes`` is the most a body may have.
    """

    requests_per_second: float | None = None
    burst: int | None = None
    body_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was issued, and may be revoked."""

    id: str
    limits: Limits = Limits()
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Project:
    """What decisions need to know of a project. ``keys`` has all that there ever were, by hash."""

    exists: bool = False
    keys: Mapping[str, Key] = field(default_factory=dict)
    configs: Mapping[str, Any] = field(default_factory=dict)


INITIAL: Final = Project()


@dataclass(frozen=True, slots=True)
class CreateProject:
    """Begin a tenant."""

    name: str


@dataclass(frozen=True, slots=True)
class IssueKey:
    """Let whoever holds the key with this hash in."""

    key_id: str
    name: str
    hash: str
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """Let nobody in with it any more."""

    key_id: str


@dataclass(frozen=True, slots=True)
class ConfigureProject:
    """Change the configs that are named here, and remove those that are null here."""

    changes: Mapping[str, Any]


Command = CreateProject | IssueKey | RevokeKey | ConfigureProject


def decide(state: Project, command: Command) -> Sequence[Event]:
    """Return what a command comes to. Asking twice for the same thing yields nothing new.

    Raises:
        AbsentError: there is no such project or key.
        TooManyKeysError: the project has as many keys in force as it may.
    """
    if not (state.exists or isinstance(command, CreateProject)):
        raise AbsentError("there is no such project")
    match command:
        case CreateProject(name):
            return [] if state.exists else [ProjectCreated(name=name)]
        case IssueKey():
            return _issue(state, command)
        case RevokeKey(key_id):
            key = next((key for key in state.keys.values() if key.id == key_id), None)
            if key is None:
                raise AbsentError("there is no such key in this project")
            return [] if key.revoked else [KeyRevoked(key_id=key_id)]
        case ConfigureProject(changes):
            configs = merged(state.configs, changes)
            return [] if are_same(state.configs, configs) else [ProjectConfigured(configs=configs)]
        case _:
            assert_never(command)


def evolve(state: Project, event: Event) -> Project:
    """Return the state after an event."""
    match event:
        case ProjectCreated():
            return replace(state, exists=True)
        case KeyIssued() as issued:
            limits = Limits(issued.requests_per_second, issued.burst, issued.body_bytes)
            return replace(state, keys={**state.keys, issued.hash: Key(issued.key_id, limits)})
        case KeyRevoked(key_id=key_id):
            keys = {hashed: replace(key, revoked=key.revoked or key.id == key_id) for hashed, key in state.keys.items()}
            return replace(state, keys=keys)
        case ProjectConfigured(configs=configs):
            return replace(state, configs=configs)
        case _:
            return state


def _issue(state: Project, command: IssueKey) -> Sequence[Event]:
    if command.hash in state.keys or any(key.id == command.key_id for key in state.keys.values()):
        return []
    if sum(not key.revoked for key in state.keys.values()) >= MOST_KEYS:
        raise TooManyKeysError(f"this project has {MOST_KEYS} keys in force, the most there may be; revoke one first")
    limits = command.limits
    return [
        KeyIssued(
            key_id=command.key_id,
            name=command.name,
            hash=command.hash,
            requests_per_second=limits.requests_per_second,
            burst=limits.burst,
            body_bytes=limits.body_bytes,
        )
    ]
