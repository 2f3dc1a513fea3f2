"""Pure: folds a tree into its head, its blocks and its lessons."""

from collections.abc import Mapping, Sequence
from typing import Any

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import LessonSkipped, PageAdded, SessionForgotten, SopFiled
from craftlog.contracts.readmodels import BLOCKS, LESSONS, Changes, Document
from craftlog.learner.decider import Page, State, evolve


def project(head: Mapping[str, Any] | None, events: Sequence[Recorded]) -> Changes:
    """Return the changes that these events make to a tree (shapes: contracts/readmodels.py).

    Raises:
        ValueError: a skill was filed on a page that the tree does not have.
    """
    state = tree(head)
    created_at = head["created_at"] if head else events[0].time
    changes = Changes(head={})
    for recorded in events:
        _children(changes, state, recorded)
        if recorded.event is not None:
            state = evolve(state, recorded.event)
    changes.head = {**_head(state), "created_at": created_at, "updated_at": events[-1].time}
    return changes


def tree(head: Mapping[str, Any] | None, settled: frozenset[str] = frozenset()) -> State:
    """Return the state in a head, with the tasks that have a lesson, which are children."""
    if head is None:
        return State(settled=settled)
    pages = {page["id"]: Page(page["title"], page["next_sort"], page["filed"]) for page in head["pages"]}
    return State(pages, head["next_sort"], settled, frozenset(head["forgotten"]))


def _head(state: State) -> Document:
    pages = [
        {
            "id": id_,
            "title": page.title,
            "blocks": sum(page.filed.values()),
            "next_sort": page.next_sort,
            "filed": dict(page.filed),
        }
        for id_, page in state.pages.items()
    ]
    return {"pages": pages, "next_sort": state.next_sort, "forgotten": sorted(state.forgotten)}


def _children(changes: Changes, state: State, recorded: Recorded) -> None:
    match recorded.event:
        case PageAdded() as event:
            page = _block(recorded, type="page", parent_id=event.parent_id, title=event.title, sort=event.sort)
            changes.children[BLOCKS, event.block_id] = page
        case SopFiled() as event:
            if event.parent_id not in state.pages:
                raise ValueError(f"block {event.block_id} is filed on page {event.parent_id}, which is not in the tree")
            changes.children[BLOCKS, event.block_id] = _sop(recorded, event)
            lesson = _lesson(recorded, event.provenance.task_id, event.provenance.session_id, event.provenance.engine)
            lesson |= {"state": "learned", "reason": None, "block_id": event.block_id}
            changes.children[LESSONS, _lesson_id(recorded, event.provenance.task_id)] = lesson
        case LessonSkipped() as event:
            lesson = _lesson(recorded, event.task_id, event.session_id, event.engine)
            lesson |= {"state": "skipped", "reason": event.reason, "block_id": None}
            changes.children[LESSONS, _lesson_id(recorded, event.task_id)] = lesson
        case SessionForgotten(session_id=session_id, removed_pages=removed):
            _forget(changes, recorded, session_id, removed)


def _forget(changes: Changes, recorded: Recorded, session_id: str, removed: Sequence[str]) -> None:
    space = {"space_id": recorded.address.id}
    # NOTE: by filter, not by id: the events that told the ids may be erased when this is folded again.
    changes.drop.append((BLOCKS, {**space, "provenance.session_id": session_id}))
    changes.drop.append((LESSONS, {**space, "session_id": session_id}))
    changes.children.update(dict.fromkeys(((BLOCKS, page_id) for page_id in removed), None))


def _block(recorded: Recorded, **fields: Any) -> Document:
    return {
        "project": recorded.address.project,
        "space_id": recorded.address.id,
        "props": {},
        "provenance": None,
        "created_at": recorded.time,
        "updated_at": recorded.time,
        **fields,
    }


def _sop(recorded: Recorded, event: SopFiled) -> Document:
    steps = [step.model_dump() for step in event.tool_sops]
    return _block(
        recorded,
        type="sop",
        parent_id=event.parent_id,
        title=event.use_when,
        sort=event.sort,
        props={"preferences": event.preferences, "tool_sops": steps},
        provenance=event.provenance.model_dump(mode="json"),
    )


def _lesson_id(recorded: Recorded, task_id: str) -> str:
    return f"{recorded.address.id}/{task_id}"


def _lesson(recorded: Recorded, task_id: str, session_id: str, engine: str) -> Document:
    return {
        "project": recorded.address.project,
        "space_id": recorded.address.id,
        "session_id": session_id,
        "task_id": task_id,
        "engine": engine,
        "created_at": recorded.time,
    }
