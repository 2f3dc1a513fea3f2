"""What the read models look like, and what a pure projection hands to the store.

A read model is one *head* document an aggregate (``_id`` is the aggregate's id) and, where a list can grow without end,
*children* in collections of their own. The store adds ``_id``, ``project``, ``version`` and ``seq`` to every head.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from craftlog.contracts.envelope import Recorded

Document = dict[str, Any]

PROJECTS: Final = "projects"
SESSIONS: Final = "sessions"
MESSAGES: Final = "messages"
COPIES: Final = "copies"
DISKS: Final = "disks"
ARTIFACTS: Final = "artifacts"
DIRECTORIES: Final = "directories"
SPACES: Final = "spaces"
BOARDS: Final = "boards"
USAGE: Final = "usage"
TREES: Final = "trees"
BLOCKS: Final = "blocks"
LESSONS: Final = "lessons"
PROPOSALS: Final = "proposals"
FORGOTTEN: Final = "forgotten"
OBSERVER_DUE: Final = "observer_due"

# NOTE: these are the stored shapes; the gateway reads what its neighbours write. Times are datetimes in UTC.
#
# projects   {name, keys: [{id, name, hash, requests_per_second, burst, body_bytes, created_at, revoked_at}],
#             configs, created_at, updated_at}           one document: a decision about its keys needs them all
# sessions   {configs, disable_task_tracking, space_id, messages, last_message_id, flushed_through, request, created_at,
#             updated_at, copy_of, deleted}              ``messages`` counts them: readers take positions 1..messages; a
#                                                        copy without ``created_at`` does not have all, and is not there
# copies     _id session id {project, begun_at}          those copies
# messages   _id "<session>/<message id>" {project, session_id, position, message_id, parent_id, role, parts, parts_ref,
#             meta, request, created_at}
# disks      {directories, created_at, updated_at, deleted}   ``directories``: true where that collection has them all
# artifacts  _id "<disk>:<path><filename>" {project, disk_id, path, filename, asset, meta, created_at, updated_at}
# directories  _id "<disk>:<parent><name>/" {project, disk_id, parent, name, witness}   all that ever had a file in them
#             or below; ``witness`` is the _id of the last that was put there: it may be gone, and others be there
# spaces     {configs, request, created_at, updated_at, deleted}
# boards     {through_position, memory, deleted, preferences, planning: [position], parked,
#             skipped: [{position, reason, seq, parked_at, dropped}],   ``parked``: some of them are not dropped
#             tasks: [{id, order, rank, status, description, progresses, preferences, positions, reason, engine,
#             created_at, updated_at}], usage: {day: events.Used}}
#                                                        one document: a reader sees one decision or none; tasks by rank
# usage      _id "<session>/<day>" {project, session_id, day, observations, messages, calls, prompt_tokens,
#             cached_tokens, completion_tokens, cost}     what observing took; it outlives its session
# trees      {created_at, updated_at}
# blocks     _id block id {project, space_id, parent_id, type, title, props, sort, provenance, by_person, request,
#             created_at, updated_at}                    of a sop ``props`` have tool_sops: [{tool_name, action}]
# lessons    _id "<space>/<task>" {project, space_id, session_id, task_id, state: learned|skipped|waiting for a person,
#             reason, block_id, engine, created_at}      a session that is connected to another space teaches that too
# proposals  _id proposal id {project, space_id, session_id, task_id, state: open|saved|declined, proposed, created_at,
#             updated_at}                                ``proposed`` is the LessonProposed
# forgotten  _id "<space>/<session>" {project, space_id, session_id}      these sessions teach the space nothing more
# observer_due  _id session id {project, due_at, since, data, traceparent, lease_until, tries, alike, error, parked,
#             parked_at}                                 what is not done: ``due_at`` is the next attempt, ``error`` why
#                                                        the last one failed; without it an item waits for its time
#
# What a text block says is in its props: ``notes``, or ``text`` as older clients call it.
#
# A deleted session's, disk's, space's, board's or tree's head stays, with ``deleted: true`` and nothing else of it.


@dataclass(slots=True)
class Changes:
    """What a fold asks of the store: the aggregate's new head, and its children by ``(collection, _id)``.

    A child that is None is removed. ``patches`` are new values, by dotted path, in children that are there already;
    where there is no such child a patch is nothing. ``drop`` removes whatever matches, after the children were written.
    Writing the same changes twice has the effect of writing them once.
    """

    head: Document
    children: dict[tuple[str, str], Document | None] = field(default_factory=dict)
    patches: dict[tuple[str, str], Document] = field(default_factory=dict)
    drop: list[tuple[str, Document]] = field(default_factory=list)

    def put(self, collection: str, child_id: str, child: Document | None) -> None:
        """Write a child as it is from now on, or remove it."""
        self.patches.pop((collection, child_id), None)
        self.children[collection, child_id] = child

    def patch(self, collection: str, child_id: str, values: Document) -> None:
        """Change values in a child, whether it is written by these changes or was before."""
        key = (collection, child_id)
        if key in self.children:
            child = self.children[key]
            if child is not None:
                patch(child, values)
            return
        pending = self.patches.setdefault(key, {})
        for path, value in values.items():
            top = path.partition(".")[0]
            if top != path and top in pending:
                patch(pending, {path: value})
                continue
            # What was to change below it is overwritten; MongoDB refuses to change a value and a part of it at once.
            for below in [known for known in pending if known.startswith(f"{path}.")]:
                del pending[below]
            pending[path] = value


class Project(Protocol):
    """A pure fold. It raises ValueError for an event that cannot be folded; the aggregate is then stalled."""

    def __call__(self, head: Mapping[str, Any] | None, events: Sequence[Recorded]) -> Changes:
        """Return the changes that these events make to a read model at ``head`` (None: nothing stored yet)."""
        ...


def patch(document: Document, values: Document) -> None:
    """Set values in a document by dotted path where its parts are there: ``steps.0.name`` is in the first of a list."""
    for path, value in values.items():
        *way, last = path.split(".")
        place: Any = document
        for step in way:
            place = _part(place, step)
        if isinstance(place, list) and last.isdecimal() and int(last) < len(place):
            place[int(last)] = value
        elif isinstance(place, dict):
            place[last] = value


def _part(whole: Any, step: str) -> Any:
    if isinstance(whole, list):
        return whole[int(step)] if step.isdecimal() and int(step) < len(whole) else None
    return whole.get(step) if isinstance(whole, dict) else None


def notes(props: Mapping[str, Any]) -> str:
    """Return what a text block says."""
    return next((props[name] for name in ("notes", "text") if isinstance(props.get(name), str)), "")
