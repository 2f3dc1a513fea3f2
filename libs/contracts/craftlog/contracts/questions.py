"""What services ask each other by request and reply, and what they say of their health."""

from typing import Annotated, Any, Literal

from pydantic import Field

from craftlog.contracts.events import BlockType
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
    """One block found. ``distance`` is the cosine distance: 0 the same, 2 the opposite."""

    block_id: str
    title: str
    type: Literal["sop", "text"]
    distance: float


class SearchAnswered(Shape):
    """The blocks found, nearest first. ``behind`` is set where the index has not reached ``at_version`` in time."""

    cited_blocks: tuple[Cited, ...]
    behind: bool = False


class AddBlock(Shape):
    """Put a block into the tree, last among its siblings. ``request`` is the digest of a keyed request."""

    edit: Literal["add"] = "add"
    block_id: str
    type: BlockType
    parent_id: str | None = None
    title: str = ""
    props: dict[str, Any] = Field(default_factory=dict)
    request: str | None = None


class ChangeBlock(Shape):
    """Change what a block says; no title, or an empty one, and no props leave them as they are."""

    edit: Literal["change"] = "change"
    block_id: str
    title: str | None = None
    props: dict[str, Any] | None = None


class MoveBlock(Shape):
    """Put a block under another parent (None: the root), at a place from 0, or last.

    What cannot stand at the root stays under its parent.
    """

    edit: Literal["move"] = "move"
    block_id: str
    parent_id: str | None = None
    sort: int | None = None


class SortBlock(Shape):
    """Put a block at another place among its siblings, counted from 0."""

    edit: Literal["sort"] = "sort"
    block_id: str
    sort: int


class RemoveBlock(Shape):
    """Take a block out of the tree, with all that is below it."""

    edit: Literal["remove"] = "remove"
    block_id: str


class ResolveProposal(Shape):
    """File the skill that a task has taught, or decline it."""

    edit: Literal["resolve"] = "resolve"
    task_id: str
    save: bool


TreeEdit = Annotated[
    AddBlock | ChangeBlock | MoveBlock | SortBlock | RemoveBlock | ResolveProposal, Field(discriminator="edit")
]


class TreeAsked(Shape):
    """An edit of one space's tree by a person (subject ``ask("learner", "tree")``). A repeat has the same ``id``."""

    id: str
    project: str
    space_id: str
    edit: TreeEdit


class Refusal(Shape):
    """Why an edit is not made: what it names is missing, a field is wrong, or its key made another block before."""

    why: Literal["missing", "wrong", "reused"]
    field: str
    reason: str


class TreeAnswered(Shape):
    """The tree's version after an edit; or why it was refused; or why it cannot be made now."""

    version: int = 0
    refusal: Refusal | None = None
    unavailable: str | None = None


class ToolsAsked(Shape):
    """Rename tools in every tree of a project (subject ``ask("learner", "tools")``). A repeat goes on where it was.

    ``renames`` are old and new names; no new name is an old one as well.
    """

    id: str
    project: str
    renames: tuple[tuple[str, str], ...]


class ToolsAnswered(Shape):
    """The versions of the trees in which something was renamed, by space id; or why not all could be done now."""

    versions: dict[str, int] = Field(default_factory=dict)
    unavailable: str | None = None


class ParkedAsked(Shape):
    """Try again what the observer has parked, or give it up (subject ``ask("observer", "parked")``).

    Without a ``position`` it is the work on a session as a whole, else the message there.
    """

    project: str
    session_id: str
    position: int | None = None
    wanted: Literal["retry", "drop"]


class ParkedAnswered(Shape):
    """Whether there was such a thing; why it is still parked; or why it cannot be done now.

    ``version`` is the board's after it, 0 where the board has nothing to do with it.
    """

    found: bool
    reason: str | None = None
    version: int = 0
    unavailable: str | None = None


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
