"""Pure: the tasks of a session as far as the learner needs them, folded from the board's events."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from craftlog.contracts.events import (
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


@dataclass(slots=True)
class Task:
    """One task; ``positions`` are those of its messages, in any order."""

    id: str
    description: str
    status: TaskStatus = "pending"
    progresses: list[str] = field(default_factory=list)
    preferences: list[str] = field(default_factory=list)
    positions: set[int] = field(default_factory=set)

    @property
    def is_finished(self) -> bool:
        """Tell whether it ended, well or not."""
        return self.status in ("success", "failed")


@dataclass(slots=True)
class Board:
    """The tasks in their order, and how far the session was read."""

    tasks: dict[str, Task] = field(default_factory=dict)
    through_position: int = 0

    @property
    def finished(self) -> list[Task]:
        """Return the tasks that ended."""
        return [task for task in self.tasks.values() if task.is_finished]

    def before(self, task: Task) -> list[str]:
        """Return the descriptions of the tasks before one."""
        order = list(self.tasks)
        return [self.tasks[task_id].description for task_id in order[: order.index(task.id)]]


def fold(events: Iterable[Event]) -> Board:
    """Return the board after these events, which may begin anywhere: facts about unknown tasks change nothing."""
    board = Board()
    for event in events:
        match event:
            case TaskOpened(task_id=task_id, description=description):
                board.tasks[task_id] = Task(task_id, description)
            case SessionObserved(through_position=through):
                board.through_position = through
            case MessagesLinked(task_id=task_id, positions=positions) if task_id in board.tasks:
                for task in board.tasks.values():
                    task.positions.difference_update(positions)
                board.tasks[task_id].positions.update(positions)
            case TaskStarted() | TaskProgressed() | PreferenceNoted() | TaskSucceeded() | TaskFailed():
                if event.task_id in board.tasks:
                    _change(board.tasks[event.task_id], event)
    return board


def _change(task: Task, event: TaskStarted | TaskProgressed | PreferenceNoted | TaskSucceeded | TaskFailed) -> None:
    match event:
        case TaskStarted():
            task.status = "running"
        case TaskProgressed(note=note):
            task.progresses.append(note)
        case PreferenceNoted(preference=preference):
            task.preferences.append(preference)
        case TaskSucceeded():
            task.status = "success"
        case TaskFailed():
            task.status = "failed"
