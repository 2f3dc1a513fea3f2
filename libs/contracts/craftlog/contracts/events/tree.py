"""The facts about a tree, written by the learner; same id as its space.

NOTE: class names, field names and VERSION are what is stored, for ever. Add optional fields; else write an upcaster;
else add a new event. Renaming a class or a field makes history unreadable.
"""

from typing import Any, Literal

from pydantic import Field

from craftlog.contracts.events.event import Event
from craftlog.contracts.messages import Shape
from craftlog.contracts.subjects import Kind

BlockType = Literal["folder", "page", "sop", "text"]


class ToolStep(Shape):
    """One step of a procedure: what to do with which tool, without the values of the case it was learned from."""

    tool_name: str
    action: str


class Provenance(Shape):
    """Where a skill comes from."""

    session_id: str
    task_id: str
    message_ids: tuple[str, ...]
    engine: str


class PageAdded(Event):
    """The learner added a page. ``sort`` is its place among the blocks with the same parent, from 0."""

    KIND = Kind.TREE
    block_id: str
    title: str
    sort: int
    parent_id: str | None = None


class SopFiled(Event):
    """A skill was filed on a page, and the lesson of its task is learned."""

    KIND = Kind.TREE
    block_id: str
    parent_id: str
    sort: int
    use_when: str
    preferences: str
    tool_sops: tuple[ToolStep, ...]
    provenance: Provenance


class LessonProposed(Event):
    """A person is to say whether a skill is filed. SopFiled or LessonSkipped of its task says what came of it."""

    KIND = Kind.TREE
    proposal_id: str
    page_title: str
    use_when: str
    preferences: str
    tool_sops: tuple[ToolStep, ...]
    provenance: Provenance


class LessonSkipped(Event):
    """A finished task taught nothing; the reason is for people to read."""

    KIND = Kind.TREE
    task_id: str
    session_id: str
    reason: str
    engine: str


class SessionForgotten(Event):
    """What this session taught is gone: its lessons, the skills filed from them, and pages left empty.

    The pages are named, since the skills that were on them are erased from the log afterwards.
    """

    KIND = Kind.TREE
    session_id: str
    removed_pages: tuple[str, ...] = ()


class BlockAdded(Event):
    """A person put a block into the tree. ``request`` is the digest of the keyed request that made it, if any.

    ``props`` of a ``sop`` are ``{preferences, tool_sops: [{tool_name, action}]}`` and whatever else was sent.
    """

    KIND = Kind.TREE
    block_id: str
    type: BlockType
    title: str
    sort: int
    parent_id: str | None = None
    props: dict[str, Any] = Field(default_factory=dict)
    request: str | None = None


class BlockChanged(Event):
    """A person changed what a block says: this is all that it says now.

    ``session_id`` is the session that taught it, if one did, and with which this is forgotten.
    """

    KIND = Kind.TREE
    block_id: str
    type: BlockType
    title: str
    props: dict[str, Any]
    session_id: str | None = None


class BlockMoved(Event):
    """A person put a block, with all that is below it, at another place."""

    KIND = Kind.TREE
    block_id: str
    sort: int
    parent_id: str | None = None


class BlocksShifted(Event):
    """Blocks have other places among their siblings, since one came or went: ``sorts`` by block id."""

    KIND = Kind.TREE
    sorts: dict[str, int]


class BlocksRemoved(Event):
    """A person took blocks out of the tree: one and all that was below it, the lowest first."""

    KIND = Kind.TREE
    block_ids: tuple[str, ...]


class ToolRenamed(Event):
    """A tool has another name in these steps, counted from 0, by block id."""

    KIND = Kind.TREE
    old_name: str
    new_name: str
    steps: dict[str, tuple[int, ...]]


class TreeDeleted(Event):
    """The tombstone: the space was deleted. It is written even where no tree existed."""

    KIND = Kind.TREE
