"""Every fact that the log can hold, grouped by the one service that writes it.

NOTE: class names, field names and VERSION are what is stored, for ever. Add optional fields; else write an upcaster;
else add a new event. Renaming a class or a field makes history unreadable.
"""

from typing import Any, ClassVar, Final, Literal

from pydantic import Field

from craftlog.contracts.messages import Asset, Part, Role, Shape, Stored
from craftlog.contracts.subjects import Kind

TaskStatus = Literal["pending", "running", "success", "failed"]


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
    """A place for skills began."""

    KIND = Kind.SPACE
    configs: dict[str, Any] | None = None


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
    """A page was added. ``sort`` is its place among the blocks with the same parent."""

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
    LessonSkipped,
    SessionForgotten,
)
TOMBSTONES: Final = (SessionDeleted, DiskDeleted, BoardDeleted)


def wire_name(kind_of_event: type[Event]) -> str:
    """Return the ``ce-type`` of an event class, for example ``MessageAppended.v1``."""
    return f"{kind_of_event.__name__}.v{kind_of_event.VERSION}"


REGISTRY: Final[dict[str, type[Event]]] = {wire_name(event): event for event in EVENTS}
TOMBSTONE_TYPES: Final = frozenset(wire_name(event) for event in TOMBSTONES)
