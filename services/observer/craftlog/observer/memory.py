"""What the rules know between two messages beside the board itself; it travels in ``SessionObserved.memory``."""

from collections.abc import Container, Mapping
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from craftlog.observer.words import clip

_LONGEST_REASON: Final = 240

Against = Literal["error", "refusal", "correction", "delay"]


class Evidence(BaseModel):
    """What speaks for and against the success of the task in work.

    ``asked`` is what the agent waits for (``next``: leave to go on). ``against`` says what ``reason`` is: an error of
    ``tool``, a refusal, a correction, or a request that was put off.
    """

    model_config = ConfigDict(extra="ignore")

    asked: Literal["", "answer", "next"] = ""
    delivered: bool = False
    worked: bool = False
    changed: bool = False
    against: Against | None = None
    reason: str = ""
    tool: str = ""

    def contradict(self, against: Against, reason: str, tool: str = "") -> None:
        """Let this stand against success until something better happens."""
        self.against, self.reason, self.tool = against, clip(reason, _LONGEST_REASON), tool
        self.worked = False

    def settle(self) -> None:
        """Let nothing stand against success any more."""
        self.against, self.reason, self.tool = None, "", ""

    @property
    def unanswered(self) -> bool:
        """Tell whether the agent still waits for something and nothing was changed yet."""
        return bool(self.asked) and not self.changed

    @property
    def awaits_leave(self) -> bool:
        """Tell whether work was done and the agent only waits for leave to go on."""
        return self.asked == "next" and self.worked


class Memory(BaseModel):
    """Where the conversation stands.

    A request is ``waiting``, with the messages ``held`` and the ``wishes`` that came with it, until the agent takes it
    up; a plan is ``proposed`` until it is followed. ``current`` is the task in work, ``last`` the one before, ``goal``
    the one that the tasks of the ``plan`` serve. ``calls`` are those without a result yet: id, tool, task.
    """

    model_config = ConfigDict(extra="ignore")

    waiting: str | None = None
    held: list[int] = Field(default_factory=list)
    wishes: list[str] = Field(default_factory=list)
    proposed: list[str] = Field(default_factory=list)
    current: str | None = None
    last: str | None = None
    goal: str | None = None
    plan: list[str] = Field(default_factory=list)
    calls: list[tuple[str, str, str]] = Field(default_factory=list)
    evidence: Evidence = Field(default_factory=Evidence)

    @classmethod
    def recall(cls, stored: Mapping[str, Any], tasks: Container[str]) -> Self:
        """Return what an earlier observation remembered, of a board with these tasks.

        What another engine remembered, or what speaks of other tasks, says nothing to this one.
        """
        try:
            memory = cls.model_validate(dict(stored))
        except ValidationError:
            return cls()
        named = {memory.current, memory.last, memory.goal, *memory.plan, *(task for _, _, task in memory.calls)}
        return memory if all(task in tasks for task in named - {None}) else cls()

    def stored(self) -> dict[str, Any]:
        """Return the memory as JSON, without what is as at the beginning."""
        return self.model_dump(mode="json", exclude_defaults=True)
