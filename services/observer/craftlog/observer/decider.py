"""Pure: what may happen to the tasks of one session, and what each fact makes of its board."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, assert_never

from craftlog.contracts.events import (
    BoardDeleted,
    Event,
    MessagesLinked,
    PreferenceNoted,
    SessionObserved,
    TaskFailed,
    TaskOpened,
    TaskProgressed,
    TaskStarted,
    TaskStatus,
    TaskSucceeded,
)


class Rejected(ValueError):  # noqa: N818 - a refusal is an answer, and reads as one
    """The board refuses a command; the text says why, for people and models."""


class OutrunError(Rejected):
    """What this observation starts from is not how far the board has read: somebody else was faster."""


class GoneError(Rejected):
    """The board was deleted with its session."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a board. ``positions`` are those of its messages, ascending."""

    id: str
    order: int
    description: str
    status: TaskStatus = "pending"
    notes: tuple[str, ...] = ()
    preferences: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """A board: its tasks by id in their order, how far it has read, and what its engine wants to know again."""

    tasks: Mapping[str, Task] = field(default_factory=dict)
    through_position: int = 0
    memory: Mapping[str, Any] = field(default_factory=dict)
    deleted: bool = False


INITIAL: Final = State()


@dataclass(frozen=True, slots=True)
class BeginObserving:
    """Go on only where the board has read exactly through ``after``: what follows was made up from there."""

    after: int


@dataclass(frozen=True, slots=True)
class OpenTask:
    """Add a task at the end of the board, pending."""

    task_id: str
    description: str
    engine: str


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


@dataclass(frozen=True, slots=True)
class DeleteBoard:
    """End the board for ever, whether or not it has begun."""


Command = (
    BeginObserving
    | OpenTask
    | StartTask
    | RecordProgress
    | NotePreference
    | LinkMessages
    | SucceedTask
    | FailTask
    | FinishObserving
    | DeleteBoard
)


def decide(state: State, command: Command) -> list[Event]:
    """Turn a command into facts. Asking twice for the same thing yields nothing new.

    Raises:
        Rejected: the task is unknown, or its status does not allow this.
        GoneError: the board was deleted.
        OutrunError: an observation starts from where the board no longer is.
    """
    if isinstance(command, DeleteBoard):
        return [] if state.deleted else [BoardDeleted()]
    if state.deleted:
        raise GoneError("The board was deleted with its session. Nothing can be added.")
    match command:
        case BeginObserving(after):
            return _begin(state, after)
        case FinishObserving():
            return _finish(state, command)
        case OpenTask():
            return _open(state, command)
        case StartTask() | SucceedTask() | FailTask():
            return _move(_task(state, command.task_id), command)
        case _:
            return _add(_task(state, command.task_id), command)


def evolve(state: State, event: Event) -> State:
    """Return the board after a fact. Facts about tasks that it has never seen change nothing."""
    match event:
        case BoardDeleted():
            return State(deleted=True)
        case SessionObserved(through_position=through, memory=memory):
            return replace(state, through_position=through, memory=memory)
        case _:
            return replace(state, tasks=_evolved(state.tasks, event))


def _begin(state: State, after: int) -> list[Event]:
    if state.through_position != after:
        raise OutrunError(f"The board has read through {state.through_position}, not {after}. Read on from there.")
    return []


def _finish(state: State, command: FinishObserving) -> list[Event]:
    if command.through < state.through_position:
        raise Rejected(f"The board has already read through {state.through_position}. It never goes back.")
    if command.through == state.through_position:
        return []
    return [
        SessionObserved(through_position=command.through, engine=command.engine, memory=dict(command.memory)),
    ]


def _open(state: State, command: OpenTask) -> list[Event]:
    if command.task_id in state.tasks:
        return []
    order = len(state.tasks) + 1
    opened = TaskOpened(task_id=command.task_id, order=order, description=command.description, engine=command.engine)
    return [opened]


def _task(state: State, task_id: str) -> Task:
    if task_id not in state.tasks:
        raise Rejected(f"There is no task {task_id!r} on this board. Open it first.")
    return state.tasks[task_id]


def _move(task: Task, command: StartTask | SucceedTask | FailTask) -> list[Event]:
    """Decide what moves a task from one status to another."""
    match command:
        case StartTask():
            return [] if task.status == "running" else [TaskStarted(task_id=task.id)]
        case SucceedTask():
            _must_be(task, "running", "success")
            return [] if task.status == "success" else [TaskSucceeded(task_id=task.id)]
        case FailTask(reason=reason):
            _must_be(task, "pending", "running", "failed")
            return [] if task.status == "failed" else [TaskFailed(task_id=task.id, reason=reason)]
        case _:
            assert_never(command)


def _add(task: Task, command: RecordProgress | NotePreference | LinkMessages) -> list[Event]:
    """Decide what adds to a task."""
    match command:
        case RecordProgress(note=note):
            if note in task.notes:
                return []
            _must_be(task, "running")
            return [TaskProgressed(task_id=task.id, note=note)]
        case NotePreference(preference=preference):
            return [] if preference in task.preferences else [PreferenceNoted(task_id=task.id, preference=preference)]
        case LinkMessages(positions=positions):
            return _link(task, positions)
        case _:
            assert_never(command)


def _must_be(task: Task, *statuses: TaskStatus) -> None:
    if task.status not in statuses:
        raise Rejected(f"Task {task.id!r} is {task.status}. Start it first.")


def _link(task: Task, positions: tuple[int, ...]) -> list[Event]:
    if wrong := [position for position in positions if position < 1]:
        raise Rejected(f"There is no message at position {wrong[0]}. Positions count from 1.")
    new = tuple(sorted(set(positions).difference(task.positions)))
    return [MessagesLinked(task_id=task.id, positions=new)] if new else []


def _evolved(tasks: Mapping[str, Task], event: Event) -> Mapping[str, Task]:
    match event:
        case TaskOpened(task_id=task_id, order=order, description=description):
            return {**tasks, task_id: Task(task_id, order, description)}
        case MessagesLinked(task_id=task_id, positions=positions) if task_id in tasks:
            return _linked(tasks, task_id, set(positions))
        case TaskStarted() | TaskProgressed() | PreferenceNoted() | TaskSucceeded() | TaskFailed() if (
            event.task_id in tasks
        ):
            return {**tasks, event.task_id: _after(tasks[event.task_id], event)}
        case _:
            return tasks


def _linked(tasks: Mapping[str, Task], task_id: str, moved: set[int]) -> dict[str, Task]:
    after = dict(tasks)
    for task in tasks.values():
        own = moved.union(task.positions) if task.id == task_id else set(task.positions) - moved
        if len(own) != len(task.positions):
            after[task.id] = replace(task, positions=tuple(sorted(own)))
    return after


def _after(task: Task, event: TaskStarted | TaskProgressed | PreferenceNoted | TaskSucceeded | TaskFailed) -> Task:
    match event:
        case TaskStarted():
            return replace(task, status="running")
        case TaskProgressed(note=note):
            return replace(task, notes=(*task.notes, note))
        case PreferenceNoted(preference=preference):
            return replace(task, preferences=(*task.preferences, preference))
        case TaskSucceeded():
            return replace(task, status="success")
        case TaskFailed():
            return replace(task, status="failed")
        case _:
            assert_never(event)
