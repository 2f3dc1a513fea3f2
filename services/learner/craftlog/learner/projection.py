"""Pure: folds a tree into its head, its blocks, its lessons and its proposals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from craftlog.contracts.envelope import Recorded, event_id
from craftlog.contracts.events import (
    BlockAdded,
    BlockChanged,
    BlockMoved,
    BlocksRemoved,
    BlocksShifted,
    LessonProposed,
    LessonSkipped,
    PageAdded,
    Provenance,
    SessionForgotten,
    SopFiled,
    ToolRenamed,
)
from craftlog.contracts.readmodels import BLOCKS, FORGOTTEN, LESSONS, PROPOSALS, Changes, Document
from craftlog.learner.decider.state import Block, State, steps_as_props


@dataclass(frozen=True, slots=True)
class Stored:
    """A tree as its read model holds it: the head, and the children that decisions need."""

    head: Document
    blocks: Sequence[Document] = ()
    lessons: Sequence[Document] = ()
    proposals: Sequence[Document] = ()
    forgotten: Sequence[Document] = ()


def project(head: Mapping[str, Any] | None, events: Sequence[Recorded]) -> Changes:
    """Return the changes that these events make to a tree (shapes: contracts/readmodels.py)."""
    head = head or {}
    changes = Changes(head={})
    if events[-1].is_tombstone:
        space = {"space_id": events[-1].address.id}
        return Changes({"deleted": True}, drop=[(name, space) for name in (BLOCKS, LESSONS, PROPOSALS, FORGOTTEN)])
    for recorded in events:
        _lesson_of(changes, recorded)
        _block_of(changes, recorded)
    changes.head = {"created_at": head.get("created_at", events[0].time), "updated_at": events[-1].time}
    if "forgotten" in head:
        changes.head["forgotten"] = head["forgotten"]
    return changes


def tree(stored: Stored) -> State:
    """Return the state that a read model holds.

    Children may be newer than the head: whatever happened since is folded again, and every event says what is then.
    """
    if stored.head.get("deleted"):
        return State(deleted=True)
    proposals = (LessonProposed.model_validate(document["proposed"]) for document in stored.proposals)
    return State(
        blocks={document["_id"]: _as_known(document) for document in stored.blocks},
        proposals={proposal.provenance.task_id: proposal for proposal in proposals},
        settled=frozenset(lesson["task_id"] for lesson in stored.lessons),
        forgotten=frozenset(
            (*stored.head.get("forgotten", ()), *(document["session_id"] for document in stored.forgotten))
        ),
    )


def _as_known(document: Document) -> Block:
    return Block(
        document["type"],
        document["parent_id"],
        document["sort"],
        document["title"],
        document["props"],
        (document.get("provenance") or {}).get("session_id"),
        by_person=document.get("by_person", False),
        request=document.get("request"),
    )


def _lesson_of(changes: Changes, recorded: Recorded) -> None:
    match recorded.event:
        case SopFiled(provenance=origin) as filed:
            _put_lesson(changes, recorded, origin, state="learned", block_id=filed.block_id)
            _resolve(changes, recorded, origin.task_id, "saved")
        case LessonProposed(provenance=origin) as proposed:
            _put_lesson(changes, recorded, origin, state="waiting for a person")
            changes.put(PROPOSALS, proposed.proposal_id, _proposal(recorded, proposed))
        case LessonSkipped() as skipped:
            _put_lesson(changes, recorded, skipped, state="skipped", reason=skipped.reason)
            _resolve(changes, recorded, skipped.task_id, "declined")
        case SessionForgotten(session_id=session_id):
            space = {"space_id": recorded.address.id}
            # NOTE: by filter, not by id: the events that told the ids may be erased when this is folded again.
            changes.drop.append((BLOCKS, {**space, "provenance.session_id": session_id}))
            changes.drop += [(name, {**space, "session_id": session_id}) for name in (LESSONS, PROPOSALS)]
            note = {**_whose(recorded), "session_id": session_id}
            changes.put(FORGOTTEN, f"{recorded.address.id}/{session_id}", note)


def _block_of(changes: Changes, recorded: Recorded) -> None:
    match recorded.event:
        case PageAdded() as event:
            _put_block(changes, recorded, event, type="page", title=event.title)
        case SopFiled() as event:
            props = steps_as_props(event.preferences, event.tool_sops)
            origin = event.provenance.model_dump(mode="json")
            _put_block(changes, recorded, event, type="sop", title=event.use_when, props=props, provenance=origin)
        case BlockAdded(type=kind, title=title, request=request) as event:
            said = {"type": kind, "title": title, "props": _props(event), "by_person": True, "request": request}
            _put_block(changes, recorded, event, **said)
        case BlocksRemoved(block_ids=gone) | SessionForgotten(removed_pages=gone):
            for block_id in gone:
                changes.put(BLOCKS, block_id, None)
        case _:
            for block_id, values in _changed(recorded).items():
                changes.patch(BLOCKS, block_id, values)


def _changed(recorded: Recorded) -> dict[str, Document]:
    """Return the new values of blocks, by id and path."""
    match recorded.event:
        case BlockChanged(block_id=block_id, title=title) as event:
            return {block_id: {"title": title, "props": _props(event), "updated_at": recorded.time}}
        case BlockMoved(block_id=block_id, parent_id=parent_id, sort=sort):
            return {block_id: {"parent_id": parent_id, "sort": sort, "updated_at": recorded.time}}
        case BlocksShifted(sorts=sorts):
            return {block_id: {"sort": sort} for block_id, sort in sorts.items()}
        case ToolRenamed(new_name=name, steps=steps):
            renamed = dict[str, Document]()
            for block_id, at in steps.items():
                renamed[block_id] = {f"props.tool_sops.{step}.tool_name": name for step in at}
                renamed[block_id]["updated_at"] = recorded.time
            return renamed
        case _:
            return {}


def _props(event: BlockAdded | BlockChanged) -> Document:
    """Return props in which steps can be changed without changing the event that they come from."""
    if event.type != "sop":
        return event.props
    return {**event.props, "tool_sops": [{**step} for step in event.props["tool_sops"]]}


def _put_block(changes: Changes, recorded: Recorded, event: PageAdded | SopFiled | BlockAdded, **said: Any) -> None:
    place = {"parent_id": event.parent_id, "sort": event.sort}
    times = {"created_at": recorded.time, "updated_at": recorded.time}
    block = {**_whose(recorded), "props": {}, "provenance": None, **place, **said, **times}
    changes.put(BLOCKS, event.block_id, block)


def _put_lesson(changes: Changes, recorded: Recorded, origin: Provenance | LessonSkipped, **became: Any) -> None:
    lesson = {
        **_whose(recorded),
        "session_id": origin.session_id,
        "task_id": origin.task_id,
        "reason": None,
        "block_id": None,
        "engine": origin.engine,
        "created_at": recorded.time,
        **became,
    }
    changes.put(LESSONS, f"{recorded.address.id}/{origin.task_id}", lesson)


def _resolve(changes: Changes, recorded: Recorded, task_id: str, state: str) -> None:
    """Note what came of a proposal, where there was one: its id follows from the task."""
    proposal_id = event_id(recorded.address.id, task_id, "proposal")
    changes.patch(PROPOSALS, proposal_id, {"state": state, "updated_at": recorded.time})


def _whose(recorded: Recorded) -> Document:
    return {"project": recorded.address.project, "space_id": recorded.address.id}


def _proposal(recorded: Recorded, proposed: LessonProposed) -> Document:
    return {
        **_whose(recorded),
        "session_id": proposed.provenance.session_id,
        "task_id": proposed.provenance.task_id,
        "state": "open",
        "proposed": proposed.model_dump(mode="json"),
        "created_at": recorded.time,
        "updated_at": recorded.time,
    }
