"""What may happen to a session: it is created once, grows at the end, and ends for ever. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, assert_never

from craftlog.contracts.events import (
    CopyOf,
    Event,
    FlushRequested,
    MessageAppended,
    SessionConfigured,
    SessionCreated,
    SessionDeleted,
    SpaceConnected,
)
from craftlog.gateway.decider.merging import are_same, merged
from craftlog.gateway.decider.refusals import AbsentError, ReusedKeyError, UnansweredKeyError
from craftlog.gateway.decider.session_commands import (
    AbandonCopy,
    AppendMessages,
    BeginCopy,
    Command,
    ConfigureSession,
    ConnectSpace,
    Copying,
    CopyMessages,
    CreateSession,
    DeleteSession,
    MergeConfigs,
    NewMessage,
    RequestFlush,
)

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
    configs: Mapping[str, Any] = field(default_factory=dict)
    messages: int = 0
    last_message_id: str | None = None
    space_id: str | None = None
    tracked: bool = True
    flushed_through: int = 0
    keys: Mapping[str, str] = field(default_factory=dict)
    keys_after: int = 0
    copy_of: CopyOf | None = None

    @property
    def is_copying(self) -> bool:
        """Tell whether this is a copy that does not have all messages yet."""
        return self.copy_of is not None and self.messages < self.copy_of.messages


INITIAL: Final = Session()


def decide(state: Session, command: Command) -> Sequence[Event]:  # noqa: C901, PLR0911 - one a command
    """Return what a command comes to. Asking twice for the same thing yields nothing new.

    Raises:
        AbsentError: there is no such session, or it was deleted.
        ReusedKeyError: the key was used for another request.
        UnansweredKeyError: the key must be looked up further.
    """
    if state.deleted or not (state.exists or isinstance(command, CreateSession | BeginCopy)):
        raise AbsentError("there is no such session")
    if state.is_copying and not isinstance(command, Copying):
        raise AbsentError("there is no such session: it is being copied")
    match command:
        case CreateSession():
            return _create(state, command)
        case AppendMessages():
            return _append(state, command)
        case BeginCopy() | CopyMessages() | AbandonCopy():
            return _copy(state, command)
        case ConfigureSession(configs):
            return _configure(state, configs)
        case MergeConfigs(changes):
            return _configure(state, merged(state.configs, changes))
        case ConnectSpace(space_id):
            return [] if state.space_id == space_id else [SpaceConnected(space_id=space_id)]
        case RequestFlush(again):
            new = state.tracked and state.messages > (0 if again else state.flushed_through)
            return [FlushRequested(through_position=state.messages)] if new else []
        case DeleteSession():
            return [SessionDeleted()]
        case _:
            assert_never(command)


def evolve(state: Session, event: Event) -> Session:  # noqa: PLR0911 - one an event
    """Return the state after an event."""
    match event:
        case SessionCreated():
            return replace(
                state,
                exists=True,
                request=event.request,
                copy_of=event.copy_of,
                configs=event.configs or {},
                space_id=event.space_id,
                tracked=not event.disable_task_tracking,
            )
        case MessageAppended():
            keys, keys_after = _with_key(state, event)
            return replace(
                state, messages=event.position, last_message_id=event.message_id, keys=keys, keys_after=keys_after
            )
        case SessionConfigured(configs=configs):
            return replace(state, configs=configs)
        case SpaceConnected(space_id=space_id):
            return replace(state, space_id=space_id)
        case FlushRequested(through_position=through):
            return replace(state, flushed_through=through)
        case SessionDeleted():
            return Session(exists=True, deleted=True)
        case _:
            return state


def _copy(state: Session, command: Copying) -> Sequence[Event]:
    match command:
        case BeginCopy(copy_of, configs, untracked) if not state.exists:
            return [SessionCreated(configs=configs, disable_task_tracking=untracked, copy_of=copy_of)]
        case CopyMessages(after, messages) if state.is_copying and after == state.messages:
            return _added(state, messages)
        case AbandonCopy() if state.is_copying:
            return [SessionDeleted()]
        case _:
            return []


def _configure(state: Session, configs: dict[str, Any]) -> Sequence[Event]:
    return [] if are_same(state.configs, configs) else [SessionConfigured(configs=configs)]


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
    return _added(state, command.messages, command.request)


def _added(state: Session, messages: Sequence[NewMessage], request: str | None = None) -> Sequence[Event]:
    above = (state.last_message_id, *(message.message_id for message in messages))
    return [
        MessageAppended(
            message_id=message.message_id,
            position=state.messages + ordinal,
            parent_id=parent_id,
            role=message.role,
            parts=message.parts,
            parts_ref=message.parts_ref,
            meta=message.meta,
            request=request if ordinal == 1 else None,
        )
        for ordinal, (parent_id, message) in enumerate(zip(above, messages, strict=False), start=1)
    ]


def _with_key(state: Session, event: MessageAppended) -> tuple[Mapping[str, str], int]:
    """Return the keys after a message. When there are too many, all but this one are left to the read model."""
    if event.request is None:
        return state.keys, state.keys_after
    if len(state.keys) >= MOST_KEYS:
        return {event.message_id: event.request}, event.position - 1
    return {**state.keys, event.message_id: event.request}, state.keys_after
