"""What may happen to a session: it is created once, grows at the end, and ends for ever. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, assert_never

from craftlog.contracts.events import (
    Event,
    FlushRequested,
    MessageAppended,
    SessionCreated,
    SessionDeleted,
    SpaceConnected,
)
from craftlog.contracts.messages import Part, Role, Stored
from craftlog.gateway.decider.refusals import AbsentError, ReusedKeyError, UnansweredKeyError

MOST_KEYS: Final = 256


@dataclass(frozen=True, slots=True)
class Session:
    """What decisions need to know of a session.

    ``keys`` holds the newest keyed messages, message id to request digest. It knows every one after position
    ``keys_after``; those up to it are found in the read model.
    """

    exists: bool = False
    deleted: bool = False
    request: str | None = None
    messages: int = 0
    last_message_id: str | None = None
    space_id: str | None = None
    tracked: bool = True
    flushed_through: int = 0
    keys: Mapping[str, str] = field(default_factory=dict)
    keys_after: int = 0


INITIAL: Final = Session()


@dataclass(frozen=True, slots=True)
class CreateSession:
    """Begin a conversation. ``request`` is the digest of a keyed request."""

    configs: dict[str, Any] | None = None
    disable_task_tracking: bool = False
    space_id: str | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that has no place yet. With ``parts_ref`` its parts are in the bucket."""

    message_id: str
    role: Role
    parts: tuple[Part, ...]
    meta: dict[str, Any]
    parts_ref: Stored | None = None


@dataclass(frozen=True, slots=True)
class AppendMessages:
    """Add messages at the end, at least one, all or none.

    With an Idempotency-Key their ids derive from it, ``request`` is the digest of the body, and ``looked_up`` is the
    position through which the read model was found not to have the first of them, which stands for all.
    """

    messages: tuple[NewMessage, ...]
    request: str | None = None
    looked_up: int = 0


@dataclass(frozen=True, slots=True)
class ConnectSpace:
    """Let what is finished here teach a space."""

    space_id: str


@dataclass(frozen=True, slots=True)
class RequestFlush:
    """Ask for the board to read all there is."""


@dataclass(frozen=True, slots=True)
class DeleteSession:
    """End it."""


Command = CreateSession | AppendMessages | ConnectSpace | RequestFlush | DeleteSession


def decide(state: Session, command: Command) -> Sequence[Event]:
    """Return what a command comes to. Asking twice for the same thing yields nothing new.

    Raises:
        AbsentError: there is no such session, or it was deleted.
        ReusedKeyError: the key was used for another request.
        UnansweredKeyError: the key must be looked up further.
    """
    if state.deleted or not (state.exists or isinstance(command, CreateSession)):
        raise AbsentError("there is no such session")
    match command:
        case CreateSession():
            return _create(state, command)
        case AppendMessages():
            return _append(state, command)
        case ConnectSpace(space_id):
            return [] if state.space_id == space_id else [SpaceConnected(space_id=space_id)]
        case RequestFlush():
            new = state.tracked and state.messages > state.flushed_through
            return [FlushRequested(through_position=state.messages)] if new else []
        case DeleteSession():
            return [SessionDeleted()]
        case _:
            assert_never(command)


def evolve(state: Session, event: Event) -> Session:
    """Return the state after an event."""
    match event:
        case SessionCreated():
            return replace(
                state,
                exists=True,
                request=event.request,
                space_id=event.space_id,
                tracked=not event.disable_task_tracking,
            )
        case MessageAppended():
            keys, keys_after = _with_key(state, event)
            return replace(
                state, messages=event.position, last_message_id=event.message_id, keys=keys, keys_after=keys_after
            )
        case SpaceConnected(space_id=space_id):
            return replace(state, space_id=space_id)
        case FlushRequested(through_position=through):
            return replace(state, flushed_through=through)
        case SessionDeleted():
            return Session(exists=True, deleted=True)
        case _:
            return state


def _create(state: Session, command: CreateSession) -> Sequence[Event]:
    if state.exists:
        if state.request != command.request:
            raise ReusedKeyError("this Idempotency-Key made a session from another body")
        return []
    return [
        SessionCreated(
            configs=command.configs,
            disable_task_tracking=command.disable_task_tracking,
            space_id=command.space_id,
            request=command.request,
        )
    ]


def _append(state: Session, command: AppendMessages) -> Sequence[Event]:
    if command.request is not None:
        if (known := state.keys.get(command.messages[0].message_id)) is not None:
            if known != command.request:
                raise ReusedKeyError("this Idempotency-Key stored something else")
            return []
        if command.looked_up < state.keys_after:
            raise UnansweredKeyError(state.keys_after)
    above = (state.last_message_id, *(message.message_id for message in command.messages))
    return [
        MessageAppended(
            message_id=message.message_id,
            position=state.messages + ordinal,
            parent_id=parent_id,
            role=message.role,
            parts=message.parts,
            parts_ref=message.parts_ref,
            meta=message.meta,
            request=command.request if ordinal == 1 else None,
        )
        for ordinal, (parent_id, message) in enumerate(zip(above, command.messages, strict=False), start=1)
    ]


def _with_key(state: Session, event: MessageAppended) -> tuple[Mapping[str, str], int]:
    """Return the keys after a message. When there are too many, all but this one are left to the read model."""
    if event.request is None:
        return state.keys, state.keys_after
    if len(state.keys) >= MOST_KEYS:
        return {event.message_id: event.request}, event.position - 1
    return {**state.keys, event.message_id: event.request}, state.keys_after
