"""What a board can be asked to do. Asking is free: the decider says yes, no, or nothing new."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from craftlog.contracts.events import Spent


@dataclass(frozen=True, slots=True)
class BeginObserving:
    """Go on only where the board has read exactly through ``after``: what follows was made up from there."""

    after: int


@dataclass(frozen=True, slots=True)
class OpenTask:
    """Add a task, pending: before the task ``before``, or at the end of the board."""

    task_id: str
    description: str
    engine: str
    before: str | None = None


@dataclass(frozen=True, slots=True)
class DescribeTask:
    """Put in other words what a task is about."""

    task_id: str
    description: str


@dataclass(frozen=True, slots=True)
class StartTask:
    """Begin work on a task, or begin again on a finished one."""

    task_id: str


@dataclass(frozen=True, slots=True)
class RecordProgress:
    """Add what was done for a running task."""

    task_id: str
    note: str


@dataclass(frozen=True, slots=True)
class NotePreference:
    """Add how the user wants a task done."""

    task_id: str
    preference: str


@dataclass(frozen=True, slots=True)
class NoteUserPreference:
    """Add how the user wants things done in the whole session."""

    preference: str


@dataclass(frozen=True, slots=True)
class LinkPlanning:
    """Count these messages as talk about what to do, and to no task."""

    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SkipMessage:
    """Go on without a message that cannot be read, or say anew why it cannot. ``seq`` is where its event is.

    ``spent`` is what it took to find out; where that is something it is said even of what is known.
    """

    position: int
    reason: str
    seq: int | None = None
    spent: Spent | None = None


@dataclass(frozen=True, slots=True)
class TakeUpMessage:
    """Count a message that was skipped as read."""

    position: int
    engine: str
    spent: Spent | None = None


@dataclass(frozen=True, slots=True)
class DropMessage:
    """Give up a message that was skipped."""

    position: int


@dataclass(frozen=True, slots=True)
class LinkMessages:
    """Count these messages to a task, and to no other from now on."""

    task_id: str
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SucceedTask:
    """End a running task well."""

    task_id: str


@dataclass(frozen=True, slots=True)
class FailTask:
    """End a task that is not finished without success."""

    task_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class FinishObserving:
    """Say that every message up to and including ``through`` was read."""

    through: int
    engine: str
    memory: Mapping[str, Any] = field(default_factory=dict)
    spent: Spent | None = None


@dataclass(frozen=True, slots=True)
class DeleteBoard:
    """End the board for ever, whether or not it has begun; ``spent`` is what nothing came of."""

    spent: Spent | None = None


Command = (
    BeginObserving
    | OpenTask
    | DescribeTask
    | StartTask
    | RecordProgress
    | NotePreference
    | NoteUserPreference
    | LinkMessages
    | LinkPlanning
    | SkipMessage
    | TakeUpMessage
    | DropMessage
    | SucceedTask
    | FailTask
    | FinishObserving
    | DeleteBoard
)
