"""Every fact that the log can hold, grouped by the one service that writes it.

NOTE: class names, field names and VERSION are what is stored, for ever. Add optional fields; else write an upcaster;
else add a new event. Renaming a class or a field makes history unreadable.
"""

from typing import Any, ClassVar, Final, Literal

from pydantic import Field

from craftlog.contracts.messages import Asset, Part, Role, Shape, Stored
from craftlog.contracts.subjects import Kind

TaskStatus = Literal["pending", "running", "success", "failed"]
BlockType = Literal["folder", "page", "sop", "text"]
# In a space's configs: whether a person is asked before a lesson becomes a skill.
CONFIRM: Final = "enable_user_confirmation_on_new_experiences"


class Event(Shape):
    """One past-tense fact about one aggregate. Its wire name is its class name and VERSION."""

    VERSION: ClassVar[int] = 1
    KIND: ClassVar[Kind]


# ── project, written by the gateway; its id is that of its aggregate ─────────────────────────────────────────────────


class ProjectCreated(Event):
    """A tenant began."""

    KIND = Kind.PROJECT
    name: str


class KeyIssued(Event):
    """An API key lets its holder in. The key itself is nowhere: ``hash`` is its HMAC-SHA256 in hex, with the pepper.

    ``requests_per_second`` (with ``burst``, the most at once) and ``body_bytes`` stand in place of what the deployment
    allows every key, where they are given.
    """

    KIND = Kind.PROJECT
    key_id: str
    name: str
    hash: str
    requests_per_second: float | None = None
    burst: int | None = None
    body_bytes: int | None = None


class KeyRevoked(Event):
    """An API key lets nobody in any more."""

    KIND = Kind.PROJECT
    key_id: str


# ── session, written by the gateway ──────────────────────────────────────────────────────────────────────────────────


class CopyOf(Shape):
    """What a session is a copy of: the first so many ``messages`` of another one."""

    session_id: str
    messages: int


class SessionCreated(Event):
    """A conversation began. ``request`` is the digest of the keyed request that made it, if any.

    With ``copy_of`` the messages of the original follow, in several decisions where there are many: for readers there
    is no such session before it has all of them.
    """

    KIND = Kind.SESSION
    configs: dict[str, Any] | None = None
    disable_task_tracking: bool = False
    space_id: str | None = None
    request: str | None = None
    copy_of: CopyOf | None = None


class MessageAppended(Event):
    """A message was added at the end.

    With ``parts_ref`` the parts are a JSON array in the bucket, ``parts`` is empty. ``request``
    is the digest of the body that came with an Idempotency-Key, if any.
    """

    KIND = Kind.SESSION
    message_id: str
    position: int
    parent_id: str | None = None
    role: Role
    parts: tuple[Part, ...] = ()
    parts_ref: Stored | None = None
    meta: dict[str, Any] = Field(default_factory=dict)
    request: str | None = None


class SessionConfigured(Event):
    """The session's configs are these from now on, and none of those before."""

    KIND = Kind.SESSION
    configs: dict[str, Any]


class SpaceConnected(Event):
    """The session's finished tasks teach this space from now on, those of the past included."""

    KIND = Kind.SESSION
    space_id: str


class FlushRequested(Event):
    """Somebody waits for the board to have read up to and including this position."""

    KIND = Kind.SESSION
    through_position: int


class SessionDeleted(Event):
    """The tombstone. Everything before it is erased."""

    KIND = Kind.SESSION


# ── disk, written by the gateway ─────────────────────────────────────────────────────────────────────────────────────


class DiskCreated(Event):
    """An empty file tree began."""

    KIND = Kind.DISK


class ArtifactStored(Event):
    """A file was put at a path, replacing what was there. ``path`` begins and ends with a slash."""

    KIND = Kind.DISK
    path: str
    filename: str
    asset: Asset
    meta: dict[str, Any] = Field(default_factory=dict)


class ArtifactDescribed(Event):
    """The file at a path was given this ``meta`` in place of what it had."""

    KIND = Kind.DISK
    path: str
    filename: str
    meta: dict[str, Any]


class ArtifactRemoved(Event):
    """The file at a path is gone."""

    KIND = Kind.DISK
    path: str
    filename: str


class DiskDeleted(Event):
    """The tombstone. Everything before it is erased."""

    KIND = Kind.DISK


# ── space, written by the gateway ────────────────────────────────────────────────────────────────────────────────────


class SpaceCreated(Event):
    """A place for skills began. ``request`` is the digest of the keyed request that made it, if any."""

    KIND = Kind.SPACE
    configs: dict[str, Any] | None = None
    request: str | None = None


class SpaceConfigured(Event):
    """A space has these configs from now on, and no others."""

    KIND = Kind.SPACE
    configs: dict[str, Any]


class SpaceDeleted(Event):
    """The tombstone. Everything before it is erased, and the learner ends the tree of the space."""

    KIND = Kind.SPACE


# ── board, written by the observer; same id as its session ───────────────────────────────────────────────────────────


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


class MessageSkipped(Event):
    """The message at this position cannot be read; the board goes on without it."""

    KIND = Kind.BOARD
    position: int
    reason: str


class TaskSucceeded(Event):
    """A task is done."""

    KIND = Kind.BOARD
    task_id: str


class TaskFailed(Event):
    """A task ended without success."""

    KIND = Kind.BOARD
    task_id: str
    reason: str


class Spent(Shape):
    """What an observation or a lesson took of a model: tokens (``cached_tokens`` of the prompt's cost less) and money.

    ``prompt`` is the hash of the prompt's fixed part, ``cost`` in the currency of the configured prices, 0 without.
    """

    model: str
    prompt: str
    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: float = 0.0


class SessionObserved(Event):
    """The board has read every message up to and including this position.

    ``memory`` is what the engine wants to know again at the next observation (its own shape; empty for most);
    ``spent`` is what a model took for it, if one was asked.
    """

    KIND = Kind.BOARD
    through_position: int
    engine: str
    memory: dict[str, Any] = Field(default_factory=dict)
    spent: Spent | None = None


class BoardDeleted(Event):
    """The tombstone: the session was deleted. It is written even where no board existed."""

    KIND = Kind.BOARD


# ── tree, written by the learner; same id as its space ───────────────────────────────────────────────────────────────


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


EVENTS: Final[tuple[type[Event], ...]] = (
    ProjectCreated,
    KeyIssued,
    KeyRevoked,
    SessionCreated,
    MessageAppended,
    SessionConfigured,
    SpaceConnected,
    FlushRequested,
    SessionDeleted,
    DiskCreated,
    ArtifactStored,
    ArtifactDescribed,
    ArtifactRemoved,
    DiskDeleted,
    SpaceCreated,
    SpaceConfigured,
    SpaceDeleted,
    TaskOpened,
    TaskDescribed,
    TaskStarted,
    TaskProgressed,
    PreferenceNoted,
    UserPreferenceNoted,
    MessagesLinked,
    PlanningLinked,
    MessageSkipped,
    TaskSucceeded,
    TaskFailed,
    SessionObserved,
    BoardDeleted,
    PageAdded,
    SopFiled,
    LessonProposed,
    LessonSkipped,
    SessionForgotten,
    BlockAdded,
    BlockChanged,
    BlockMoved,
    BlocksShifted,
    BlocksRemoved,
    ToolRenamed,
    TreeDeleted,
)
TOMBSTONES: Final = (SessionDeleted, DiskDeleted, SpaceDeleted, BoardDeleted, TreeDeleted)


def wire_name(kind_of_event: type[Event]) -> str:
    """Return the ``ce-type`` of an event class, for example ``MessageAppended.v1``."""
    return f"{kind_of_event.__name__}.v{kind_of_event.VERSION}"


REGISTRY: Final[dict[str, type[Event]]] = {wire_name(event): event for event in EVENTS}
TOMBSTONE_TYPES: Final = frozenset(wire_name(event) for event in TOMBSTONES)
