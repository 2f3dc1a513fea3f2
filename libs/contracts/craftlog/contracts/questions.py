"""What services ask each other by request and reply, and what they say of their health."""

from typing import Any, Literal

from pydantic import Field

from craftlog.contracts.messages import Shape


class SearchAsked(Shape):
    """A fast experience search in one space (subject ``ask("search", "experience")``).

    ``at_version`` is the version of the space's tree that the answer must have seen (0: none); ``threshold`` is the
    greatest cosine distance (0 to 2; None: the service's own).
    """

    project: str
    space_id: str
    query: str
    limit: int
    threshold: float | None = None
    at_version: int = 0


class Cited(Shape):
    """One block found. ``distance`` is the cosine distance: 0 the same, 2 the opposite. ``engine`` learned it."""

    block_id: str
    title: str
    type: Literal["sop", "text"]
    props: dict[str, Any]
    distance: float
    engine: str | None = None


class SearchAnswered(Shape):
    """The blocks found, nearest first. ``behind`` is set where the index has not reached ``at_version`` in time."""

    cited_blocks: tuple[Cited, ...]
    behind: bool = False


class ConsumerHealth(Shape):
    """One durable consumer: ``lag`` counts events not yet applied; ``error`` is what stops it, if anything does."""

    name: str
    lag: int
    error: str | None = None


class Stalled(Shape):
    """An aggregate whose read model stands still at ``version`` because the next event could not be applied."""

    kind: str
    project: str
    id: str
    version: int
    reason: str


class ServiceHealth(Shape):
    """What a service answers on the subject HEALTH. ``dependencies`` maps a name to None (up) or to what is wrong."""

    service: str
    consumers: tuple[ConsumerHealth, ...] = ()
    stalled: tuple[Stalled, ...] = ()
    dependencies: dict[str, str | None] = Field(default_factory=dict)
