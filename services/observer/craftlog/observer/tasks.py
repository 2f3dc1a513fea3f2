"""Pure: what may happen to the tasks of a board, and what each fact makes of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from craftlog.contracts.events import (
    Event,
    MessagesLinked,
    PreferenceNoted,
    TaskDescribed,
    TaskFailed,
    TaskOpened,
    TaskProgressed,
    TaskStarted,
    TaskStatus,
    TaskSucceeded,
)
from craftlog.observer.commands import (
    DescribeTask,
    FailTask,
    LinkMessages,
    NotePreference,
    OpenTask,
    RecordProgress,
    StartTask,
    SucceedTask,
)
from craftlog.observer.ranks import between, rank_of

AboutTask = (
    OpenTask | DescribeTask | StartTask | SucceedTask | FailTask | RecordProgress | NotePreference | LinkMessages
)
_Happened = TaskDescribed | TaskStarted | TaskProgressed | PreferenceNoted | TaskSucceeded | TaskFailed


class Rejected(ValueError):  # noqa: N818 - a refusal is an answer, and reads as one
    """The board refuses a command; the text says why, for people and models."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a board. ``positions`` are those of its messages, ascending; tasks stand in the order of ``rank``."""

    id: str
    order: int
    description: str
    rank: str
    status: TaskStatus = "pending"
    notes: tuple[str, ...] = ()
    preferences: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()


Tasks = Mapping[str, Task]


def decide(tasks: Tasks, command: AboutTask) -> list[Event]:
    """Turn a command about a task into facts; raises Rejected where its status does not allow it, or it is unknown."""
    match command:
        case OpenTask():
            return _open(tasks, command)
        case StartTask() | SucceedTask() | FailTask():
            return _move(known(tasks, command.task_id), command)
        case _:
            return _add(known(tasks, command.task_id), command)


def evolve(tasks: Tasks, event: Event) -> Tasks:
    """Return the tasks in their order after a fact. Facts about tasks that were never opened change nothing."""
    match event:
        case TaskOpened(task_id=task_id, order=order, description=description, rank=rank):
            opened = {**tasks, task_id: Task(task_id, order, description, rank or rank_of(order))}
            return dict(sorted(opened.items(), key=lambda named: named[1].rank)) if rank else opened
        case MessagesLinked(task_id=task_id, positions=positions) if task_id in tasks:
            return _linked(tasks, task_id, frozenset(positions))
        case TaskDescribed() | TaskStarted() | TaskProgressed() | PreferenceNoted() | TaskSucceeded() | TaskFailed():
            task_id = event.task_id
            return {**tasks, task_id: _after(tasks[task_id], event)} if task_id in tasks else tasks
        case _:
            return tasks


def known(tasks: Tasks, task_id: str) -> Task:
    """Return a task, or raise Rejected where there is none of that id."""
    if task_id not in tasks:
        raise Rejected(f"There is no task {task_id!r} on this board. Open it first.")
    return tasks[task_id]


def must_exist(positions: Collection[int]) -> None:
    """Raise Rejected for positions that no message can have."""
    if wrong := [position for position in positions if position < 1]:
        raise Rejected(f"There is no message at position {wrong[0]}. Positions count from 1.")


def without(tasks: Tasks, moved: frozenset[int]) -> Tasks:
    """Return the tasks without the messages at these positions."""
    # Most links are of new messages, which no task of a long board has: then nothing is copied, and hardly looked at.
    first = min(moved, default=0)
    later = [task for task in tasks.values() if task.positions and task.positions[-1] >= first]
    poorer = {
        task.id: replace(task, positions=tuple(at for at in task.positions if at not in moved))
        for task in later
        if not moved.isdisjoint(task.positions)
    }
    return {**tasks, **poorer} if poorer else tasks


def _open(tasks: Tasks, command: OpenTask) -> list[Event]:
    if command.task_id in tasks:
        return []
    return [
        TaskOpened(
            task_id=command.task_id,
            order=len(tasks) + 1,
            description=command.description,
            engine=command.engine,
            rank=_rank_before(tasks, command.before) if command.before else None,
        )
    ]


def _rank_before(tasks: Tasks, task_id: str) -> str:
    upper = known(tasks, task_id).rank
    lower = max((task.rank for task in tasks.values() if task.rank < upper), default=rank_of(0))
    return between(lower, upper)


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


def _add(task: Task, command: DescribeTask | RecordProgress | NotePreference | LinkMessages) -> list[Event]:
    """Decide what adds to a task."""
    match command:
        case DescribeTask(description=description):
            same = description == task.description
            return [] if same else [TaskDescribed(task_id=task.id, description=description)]
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
    must_exist(positions)
    linked = _within(task, positions)
    new = tuple(sorted(position for position in set(positions) if position not in linked))
    return [MessagesLinked(task_id=task.id, positions=new)] if new else []


def _linked(tasks: Tasks, task_id: str, moved: frozenset[int]) -> Tasks:
    own = tasks[task_id]
    new = moved.difference(_within(own, moved))
    own = replace(own, positions=tuple(sorted((*own.positions, *new))))
    return {**without(tasks, new), task_id: own}


def _within(task: Task, positions: Collection[int]) -> Collection[int]:
    """Return a task's positions, or none where all of these come later: a long session is linked in linear time."""
    return set(task.positions) if task.positions and positions and min(positions) <= task.positions[-1] else ()


def _after(task: Task, event: _Happened) -> Task:
    match event:
        case TaskDescribed(description=description):
            return replace(task, description=description)
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
