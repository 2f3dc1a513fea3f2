"""Pure: a board's facts folded into the one document that readers see, and back into a decider's state."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import (
    BoardDeleted,
    MessageSkipped,
    MessagesLinked,
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
from craftlog.observer.usage import Usage, counted, read_between

_EMPTY: Final[Mapping[str, Any]] = {
    "through_position": 0,
    "memory": {},
    "deleted": False,
    "preferences": [],
    "planning": [],
    "skipped": [],
    "tasks": [],
    "usage": {},
}


def project(head: Mapping[str, Any] | None, events: Sequence[Recorded]) -> Changes:
    """Return the board's document after these events, and as its children what observing took on a day.

    Raises:
        ValueError: an event is about a task that was never opened.
    """
    # Only what changes is copied: the head stays as the caller has it.
    board: Document = {**_EMPTY, **_copied(dict(head or {}))}
    tasks: dict[str, Document] = {task["id"]: _copied(task) for task in board["tasks"]}
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
                tasks[opened.task_id] = _opened(opened, recorded)
            case UserPreferenceNoted(preference=preference):
                board["preferences"] = [*board["preferences"], preference]
            case MessageSkipped(position=position, reason=reason):
                board["skipped"] = [*board["skipped"], {"position": position, "reason": reason}]
            case PlanningLinked(positions=positions):
                _unlink(tasks, set(positions))
                board["planning"] = sorted({*board["planning"], *positions})
            case (
                TaskDescribed()
                | TaskStarted()
                | TaskProgressed()
                | PreferenceNoted()
                | TaskSucceeded()
                | TaskFailed() as about
            ):
                _fold(_task(tasks, about.task_id), about)
                tasks[about.task_id]["updated_at"] = recorded.time
            case MessagesLinked(task_id=task_id, positions=positions):
                _link(tasks, _task(tasks, task_id), set(positions))
                board["planning"] = [position for position in board["planning"] if position not in positions]
                tasks[task_id]["updated_at"] = recorded.time
            case _:
                pass  # a type that this reader does not know changes nothing
    head = {**board, "tasks": sorted(tasks.values(), key=_rank), "usage": _stored(usage)}
    return _with_usage(head, events, {day: used for day, used in usage.items() if used != before.get(day)})


def snapshot(document: Mapping[str, Any]) -> State:
    """Return the state that a decider goes on from, out of a board's document."""
    if document.get("deleted"):
        return State(deleted=True)
    return State(
        tasks={task["id"]: _remembered(task) for task in document["tasks"]},
        preferences=tuple(document.get("preferences", ())),
        planning=frozenset(document.get("planning", ())),
        skipped=frozenset(one["position"] for one in document.get("skipped", ())),
        through_position=document["through_position"],
        memory=document["memory"],
        usage=_usage(document),
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


def _copied(task: Document) -> Document:
    return {name: list(value) if isinstance(value, list) else value for name, value in task.items()}


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


def _task(tasks: Mapping[str, Document], task_id: str) -> Document:
    if task_id not in tasks:
        raise ValueError(f"task {task_id} was never opened")
    return tasks[task_id]


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


def _link(tasks: Mapping[str, Document], owner: Document, positions: set[int]) -> None:
    own = positions.union(owner["positions"])
    _unlink(tasks, positions)
    owner["positions"] = sorted(own)


def _unlink(tasks: Mapping[str, Document], positions: set[int]) -> None:
    for task in tasks.values():
        if not positions.isdisjoint(task["positions"]):
            task["positions"] = [position for position in task["positions"] if position not in positions]
