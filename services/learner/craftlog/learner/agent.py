"""What an engine is that turns a finished task into a lesson, whatever is behind it."""

from dataclasses import dataclass
from typing import Protocol

from craftlog.contracts.events import TaskStatus, ToolStep
from craftlog.contracts.messages import Message


@dataclass(frozen=True, slots=True)
class TaskToLearn:
    """A finished task with all that an engine may learn from.

    ``previous`` are the descriptions of the tasks before it; ``messages`` are those linked to it, in their order.
    """

    session_id: str
    task_id: str
    description: str
    status: TaskStatus
    progresses: tuple[str, ...] = ()
    preferences: tuple[str, ...] = ()
    previous: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Skip:
    """The task teaches nothing, for a reason that a person can read."""

    reason: str


@dataclass(frozen=True, slots=True)
class Sop:
    """What to do when the same is wanted again, without the values of the case that taught it."""

    page_title: str
    use_when: str
    preferences: str
    tool_sops: tuple[ToolStep, ...]


Lesson = Skip | Sop


class Agent(Protocol):
    """Distils lessons. ``engine`` is what lessons and skills say they come from."""

    @property
    def engine(self) -> str:
        """Return the engine's name."""
        ...

    async def distil(self, task: TaskToLearn) -> Lesson:
        """Return what a finished task teaches."""
        ...
