"""The facts about a board, written by the observer; same id as its session.

NOTE: class names, field names and VERSION are what is stored, for ever. Add optional fields; else write an upcaster;
else add a new event. Renaming a class or a field makes history unreadable.
"""

from typing import Any, Literal

from pydantic import Field

from craftlog.contracts.events.event import Event
from craftlog.contracts.messages import Shape
from craftlog.contracts.subjects import Kind

TaskStatus = Literal["pending", "running", "success", "failed"]


class TaskOpened(Event):
    """A task was found. ``order`` counts 1, 2, 3 … as they are found; ``engine`` says who found it.

    Tasks stand in the order of their ``rank``, compared as text. Without one it is ``order`` in six digits.
    """

    KIND = Kind.BOARD
    task_id: str
    order: int
    description: str
    engine: str
    rank: str | None = None


class TaskDescribed(Event):
    """What a task is about was put in other words."""

    KIND = Kind.BOARD
    task_id: str
    description: str


class TaskStarted(Event):
    """Work on a task began, or began again."""

    KIND = Kind.BOARD
    task_id: str


class TaskProgressed(Event):
    """Something was done for a task: one sentence in the first person."""

    KIND = Kind.BOARD
    task_id: str
    note: str


class PreferenceNoted(Event):
    """The user said how a task is to be done."""

    KIND = Kind.BOARD
    task_id: str
    preference: str


class UserPreferenceNoted(Event):
    """The user said how things are to be done in the whole session."""

    KIND = Kind.BOARD
    preference: str


class MessagesLinked(Event):
    """These messages belong to a task. A message belongs to one task: the last link counts."""

    KIND = Kind.BOARD
    task_id: str
    positions: tuple[int, ...]


class PlanningLinked(Event):
    """These messages are talk about what to do, and belong to no task unless they are linked to one later."""

    KIND = Kind.BOARD
    positions: tuple[int, ...]


class Spent(Shape):
    """What an observation or a lesson took of a model: tokens (``cached_tokens`` of the prompt's cost less) and money.

    Answers that could not be used are among the ``calls``, with the next fact after them that says what was spent.
    ``prompt`` is the hash of the prompt's fixed part, ``cost`` in the currency of the configured prices, 0 without.
    ``day`` is the one in UTC to which it counts, YYYY-MM-DD. Where no model was asked there are no ``calls``.
    """

    model: str
    prompt: str
    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: float = 0.0
    day: str | None = None


class MessageSkipped(Event):
    """The message at this position cannot be read; the board goes on without it. Said again: it still cannot.

    ``seq`` is where in the stream its event is, where there is one; ``spent`` is what a model took that was asked for
    it in vain, where no observation says so.
    """

    KIND = Kind.BOARD
    position: int
    reason: str
    seq: int | None = None
    spent: Spent | None = None


class MessageDropped(Event):
    """Somebody gave up a message that was skipped."""

    KIND = Kind.BOARD
    position: int


class TaskSucceeded(Event):
    """A task is done."""

    KIND = Kind.BOARD
    task_id: str


class TaskFailed(Event):
    """A task ended without success."""

    KIND = Kind.BOARD
    task_id: str
    reason: str


class Used(Shape):
    """What observing a session took on one day: observations, the messages they read, and of a model as ``Spent``."""

    observations: int = 0
    messages: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


class SessionObserved(Event):
    """The board has read every message up to and including this position.

    ``memory`` is what the engine wants to know again at the next observation (its own shape; empty for most);
    ``spent`` is what a model took for it, if one was asked, and to which day it counts.
    """

    KIND = Kind.BOARD
    through_position: int
    engine: str
    memory: dict[str, Any] = Field(default_factory=dict)
    spent: Spent | None = None


class MessageTakenUp(Event):
    """A message that was skipped was read after all; what follows in this decision is what came of it."""

    KIND = Kind.BOARD
    position: int
    engine: str
    spent: Spent | None = None


class BoardDeleted(Event):
    """The tombstone: the session was deleted. It is written even where no board existed.

    ``usage`` is what observing it took, by day: what is told elsewhere of that goes with the erased events.
    """

    KIND = Kind.BOARD
    usage: dict[str, Used] = Field(default_factory=dict)
