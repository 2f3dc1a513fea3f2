"""Pure: how large a board is, so that it stays one document that MongoDB takes."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from craftlog.contracts.events import (
    Event,
    PreferenceNoted,
    TaskDescribed,
    TaskOpened,
    TaskProgressed,
    UserPreferenceNoted,
)
from craftlog.observer.tasks import Task

FULL: Final = 6 * 1024 * 1024  # bytes; MongoDB takes 16 MiB, and positions and times come on top
_AROUND_TASK: Final = 1024  # its ids, times and the like, and the reason for which it failed
_AROUND_TEXT: Final = 16


def growth(tasks: Mapping[str, Task], event: Event) -> int:
    """Return how many bytes a fact adds to a board with these tasks."""
    match event:
        case TaskOpened(description=description):
            return _AROUND_TASK + _bytes(description)
        case TaskDescribed(task_id=task_id, description=description) if task_id in tasks:
            return _bytes(description) - _bytes(tasks[task_id].description)
        case TaskProgressed(task_id=task_id, note=text) | PreferenceNoted(task_id=task_id, preference=text):
            return _AROUND_TEXT + _bytes(text) if task_id in tasks else 0
        case UserPreferenceNoted(preference=preference):
            return _AROUND_TEXT + _bytes(preference)
        case _:
            return 0


def size_of(tasks: Collection[Task], preferences: Iterable[str]) -> int:
    """Return how many bytes a board has."""
    texts = [*preferences, *(text for task in tasks for text in (*task.notes, *task.preferences))]
    around = sum(_AROUND_TASK + _bytes(task.description) for task in tasks)
    return around + sum(_AROUND_TEXT + _bytes(text) for text in texts)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
