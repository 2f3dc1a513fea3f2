"""Pure: a board's facts folded into the one document that readers see, and back into a decider's state."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import (
    BoardDeleted,
    MessageDropped,
    MessageSkipped,
    MessagesLinked,
    MessageTakenUp,
    PlanningLinked,
    PreferenceNoted,
    SessionObserved,
    TaskDescribed,
    TaskFailed,
    TaskOpened,
    TaskProgressed,
    TaskStarted,
    TaskSucceeded,
    Used,
    UserPreferenceNoted,
)
from craftlog.contracts.readmodels import USAGE, Changes, Document
from craftlog.observer.decider import State, Task
from craftlog.observer.ranks import rank_of
from craftlog.observer.sizes import size_of
from craftlog.observer.skipping import Skip, listed, usage_after
from craftlog.observer.usage import Usage, counted, read_between

_EMPTY: Final[Mapping[str, Any]] = {
    "through_position": 0,
    "memory": {},
    "deleted": False,
    "preferences": [],
    "planning": [],
    "skipped": [],
    "parked": False,
    "tasks": [],
    "usage": {},
}


def project(head: Mapping[str, Any] | None, events: Sequence[Recorded]) -> Changes:
    """Return the board's document after these events, and as its children what observing took on a day.

    Raises:
        ValueError: an event is about a task that was never opened.
    """
    # Only what changes is copied: the head stays as the caller has it, and a long board costs little more than a short.
    board: Document = {**_EMPTY, **(head or {})}
    tasks = _Tasks(board["tasks"])
    usage = before = _usage(board)
    for recorded in events:
        match recorded.event:
            case BoardDeleted(usage=used):
                return _with_usage({"deleted": True}, events, used)
            case SessionObserved(through_position=through, memory=memory, spent=spent):
                skipped = [one["position"] for one in board["skipped"]]
                usage = counted(usage, spent, read_between(board["through_position"], through, skipped))
                board |= {"through_position": through, "memory": memory}
            case TaskOpened() as opened:
                tasks.open(_opened(opened, recorded))
            case UserPreferenceNoted(preference=preference):
                board["preferences"] = [*board["preferences"], preference]
            case MessageSkipped() | MessageTakenUp() | MessageDropped() as news:
                board["skipped"] = listed(board["skipped"], news, recorded)
                board["parked"] = any(not one["dropped"] for one in board["skipped"])
                usage = usage_after(usage, news)
            case PlanningLinked(positions=positions):
                tasks.unlink(set(positions))
                board["planning"] = sorted({*board["planning"], *positions})
            case (
                TaskDescribed()
                | TaskStarted()
                | TaskProgressed()
                | PreferenceNoted()
                | TaskSucceeded()
                | TaskFailed() as about
            ):
                _fold(tasks.changed(about.task_id, recorded), about)
            case MessagesLinked(task_id=task_id, positions=positions):
                owner = tasks.changed(task_id, recorded)
                tasks.unlink(set(positions))
                owner["positions"] = sorted({*owner["positions"], *positions})
                board["planning"] = _without(board["planning"], set(positions))
            case _:
                pass  # a type that this reader does not know changes nothing
    head = {**board, "tasks": tasks.by_rank(), "usage": _stored(usage)}
    return _with_usage(head, events, {day: used for day, used in usage.items() if used != before.get(day)})


def snapshot(document: Mapping[str, Any]) -> State:
    """Return the state that a decider goes on from, out of a board's document."""
    if document.get("deleted"):
        return State(deleted=True)
    tasks = {task["id"]: _remembered(task) for task in document["tasks"]}
    preferences = tuple(document.get("preferences", ()))
    return State(
        tasks=tasks,
        preferences=preferences,
        planning=frozenset(document.get("planning", ())),
        skipped={
            one["position"]: Skip(one["reason"], one.get("seq"), one.get("dropped", False))
            for one in document.get("skipped", ())
        },
        through_position=document["through_position"],
        memory=document["memory"],
        usage=_usage(document),
        size=size_of(tasks.values(), preferences),
    )


def _usage(document: Mapping[str, Any]) -> Usage:
    return {day: Used.model_validate(used) for day, used in document.get("usage", {}).items()}


def _stored(usage: Usage) -> Document:
    return {day: used.model_dump() for day, used in usage.items()}


def _with_usage(head: Document, events: Sequence[Recorded], usage: Usage) -> Changes:
    changes = Changes(head=head)
    for day, used in _stored(usage).items():
        board = events[-1].address
        where = {"project": board.project, "session_id": board.id, "day": day}
        changes.put(USAGE, f"{board.id}/{day}", {**where, **used})
    return changes


def _remembered(task: Mapping[str, Any]) -> Task:
    return Task(
        id=task["id"],
        order=task["order"],
        description=task["description"],
        rank=_rank(task),
        status=task["status"],
        notes=tuple(task["progresses"]),
        preferences=tuple(task["preferences"]),
        positions=tuple(task["positions"]),
    )


def _opened(opened: TaskOpened, recorded: Recorded) -> Document:
    return {
        "id": opened.task_id,
        "order": opened.order,
        "rank": opened.rank or rank_of(opened.order),
        "status": "pending",
        "description": opened.description,
        "progresses": [],
        "preferences": [],
        "positions": [],
        "reason": None,
        "engine": opened.engine,
        "created_at": recorded.time,
        "updated_at": recorded.time,
    }


class _Tasks:
    """The stored tasks of a board, each of which is copied when it first changes."""

    def __init__(self, stored: Sequence[Document]) -> None:
        self._tasks = {str(task["id"]): task for task in stored}
        self._own = set[str]()

    def open(self, task: Document) -> None:
        """Add a task."""
        self._tasks[task["id"]] = task
        self._own.add(task["id"])

    def changed(self, task_id: str, recorded: Recorded) -> Document:
        """Return a task to change as of a fact; raises ValueError where it was never opened."""
        if task_id not in self._tasks:
            raise ValueError(f"task {task_id} was never opened")
        task = self._to_change(task_id)
        task["updated_at"] = recorded.time
        return task

    def unlink(self, positions: set[int]) -> None:
        """Take messages from the tasks that have them."""
        first = min(positions, default=0)
        later = [task for task in self._tasks.values() if task["positions"] and task["positions"][-1] >= first]
        for task in later:
            if (left := _without(task["positions"], positions)) is not task["positions"]:
                self._to_change(task["id"])["positions"] = left

    def by_rank(self) -> list[Document]:
        """Return all tasks in their order."""
        return sorted(self._tasks.values(), key=_rank)

    def _to_change(self, task_id: str) -> Document:
        if task_id not in self._own:
            task = self._tasks[task_id]
            self._tasks[task_id] = {
                name: list(value) if isinstance(value, list) else value for name, value in task.items()
            }
            self._own.add(task_id)
        return self._tasks[task_id]


def _without(ascending: list[int], positions: set[int]) -> list[int]:
    """Return positions without some; the same list where it has none of these."""
    if positions.isdisjoint(ascending):
        return ascending
    return [position for position in ascending if position not in positions]


def _rank(task: Mapping[str, Any]) -> str:
    return str(task.get("rank") or rank_of(task["order"]))


_About = TaskDescribed | TaskStarted | TaskProgressed | PreferenceNoted | TaskSucceeded | TaskFailed


def _fold(task: Document, event: _About) -> None:
    match event:
        case TaskDescribed(description=description):
            task["description"] = description
        case TaskStarted():
            task |= {"status": "running", "reason": None}
        case TaskProgressed(note=note):
            task["progresses"].append(note)
        case PreferenceNoted(preference=preference):
            task["preferences"].append(preference)
        case TaskSucceeded():
            task["status"] = "success"
        case TaskFailed(reason=reason):
            task |= {"status": "failed", "reason": reason}
