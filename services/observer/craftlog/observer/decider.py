"""Pure: what may happen to the tasks of one session, and what each fact makes of its board."""

from collections.abc import Collection, Mapping
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
from craftlog.observer.commands import (
    BeginObserving,
    Command,
    DeleteBoard,
    FailTask,
    FinishObserving,
    LinkMessages,
    NotePreference,
    OpenTask,
    RecordProgress,
    StartTask,
    SucceedTask,
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
    return [SessionObserved(through_position=command.through, engine=command.engine, memory=dict(command.memory))]


def _open(state: State, command: OpenTask) -> list[Event]:
    if command.task_id in state.tasks:
        return []
    order, description = len(state.tasks) + 1, command.description
    return [TaskOpened(task_id=command.task_id, order=order, description=description, engine=command.engine)]


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
    linked = _within(task, positions)
    new = tuple(sorted(position for position in set(positions) if position not in linked))
    return [MessagesLinked(task_id=task.id, positions=new)] if new else []


def _evolved(tasks: Mapping[str, Task], event: Event) -> Mapping[str, Task]:
    match event:
        case TaskOpened(task_id=task_id, order=order, description=description):
            return {**tasks, task_id: Task(task_id, order, description)}
        case MessagesLinked(task_id=task_id, positions=positions) if task_id in tasks:
            return _linked(tasks, task_id, set(positions))
        case TaskStarted() | TaskProgressed() | PreferenceNoted() | TaskSucceeded() | TaskFailed():
            task_id = event.task_id
            return {**tasks, task_id: _after(tasks[task_id], event)} if task_id in tasks else tasks
        case _:
            return tasks


def _linked(tasks: Mapping[str, Task], task_id: str, moved: set[int]) -> dict[str, Task]:
    after = dict(tasks)
    for task in tasks.values():
        if task.id != task_id and not moved.isdisjoint(_within(task, moved)):
            after[task.id] = replace(task, positions=tuple(at for at in task.positions if at not in moved))
    own = tasks[task_id]
    new = sorted(moved.difference(_within(own, moved)))
    after[task_id] = replace(own, positions=tuple(sorted((*own.positions, *new))))
    return after


def _within(task: Task, positions: Collection[int]) -> Collection[int]:
    """Return a task's positions, or none where all of these come later: a long session is linked in linear time."""
    return set(task.positions) if task.positions and positions and min(positions) <= task.positions[-1] else ()


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
