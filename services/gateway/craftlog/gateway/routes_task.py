"""A session's tasks, and what became of the finished ones: its board and its lessons, joined as they are read."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import wire
from craftlog.gateway.answers import answer
from craftlog.gateway.belonging import connected
from craftlog.gateway.cursors import after_text, listed
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.heads import Seen
from craftlog.gateway.parameters import Id, Project, Wanted, Wired

router = APIRouter(prefix="/session/{session_id}", tags=["session"])


@dataclass(frozen=True, slots=True)
class _Progress:
    """A session's tasks in their order, its lessons by task id, and whether it has a space to learn."""

    session_id: str
    tasks: list[dict[str, Any]]
    lessons: dict[str, Document]
    learns: bool
    stalled: int | None


async def _progress(gateway: Gateway, project: str, session_id: str) -> _Progress:
    """Return what is known once everything that was written can be read; raises MissingError for no session."""
    session = await gateway.heads.seen(Address(Kind.SESSION, project, session_id))
    board = await gateway.heads.seen_or_none(Address(Kind.BOARD, project, session_id))
    tree: Seen | None = None
    lessons: dict[str, Document] = {}
    [head] = await connected(gateway, project, [session.head])
    if space_id := head["space_id"]:
        tree = await gateway.heads.seen_or_none(Address(Kind.TREE, project, space_id))
        lessons = await gateway.reads.lessons(space_id, session_id)
    found = enumerate(board.head["tasks"] if board else (), start=1)
    # A document from before there were ranks has its tasks in the order in which they were found.
    tasks = [{"rank": f"{order:06d}", **task, "order": order} for order, task in found]
    stalled = [seen.stalled for seen in (session, board, tree) if seen and seen.stalled is not None]
    return _Progress(session_id, tasks, lessons, space_id is not None, stalled[0] if stalled else None)


@router.get("/task")
async def tasks(gateway: Wired, project: Project, session_id: Id, page: Wanted) -> Response:
    """List the tasks in their order."""
    progress, after = await _progress(gateway, project, session_id), after_text(page.cursor)
    if page.time_desc:
        left = [task for task in reversed(progress.tasks) if after is None or task["rank"] < after]
    else:
        left = [task for task in progress.tasks if after is None or task["rank"] > after]
    found, more = listed(left, page.limit, lambda task: (task["rank"],))
    items = [wire.task(project, session_id, task, digested=task["id"] in progress.lessons) for task in found]
    return answer({"items": items, **more}, stalled=progress.stalled)


@router.get("/get_learning_status")
async def learning_status(gateway: Wired, project: Project, session_id: Id) -> Response:
    """Count the successful tasks that have a lesson, and those that wait for one; zeros without a space."""
    progress = await _progress(gateway, project, session_id)
    done = [
        task["id"] in progress.lessons for task in progress.tasks if progress.learns and task["status"] == "success"
    ]
    counts = {"space_digested_count": done.count(True), "not_space_digested_count": done.count(False)}
    return answer(counts, stalled=progress.stalled)


@router.get("/observing_status")
async def observing_status(gateway: Wired, project: Project, session_id: Id) -> Response:
    """Count the messages that the session's board has read, and those that wait; what it cannot read is in neither."""
    session = await gateway.heads.seen(Address(Kind.SESSION, project, session_id))
    board = await gateway.heads.seen_or_none(Address(Kind.BOARD, project, session_id))
    head = board.head if board else {}
    through, skipped = head.get("through_position", 0), len(head.get("skipped", ()))
    status = {
        "observed": through - skipped,
        "in_process": 0,
        # The board is asked later, and may have read what came meanwhile.
        "pending": max(session.head["messages"] - through, 0),
        "updated_at": wire.at(datetime.now(UTC)),
    }
    return answer(status, stalled=session.stalled if board is None or board.stalled is None else board.stalled)


@router.get("/lessons")
async def lessons(gateway: Wired, project: Project, session_id: Id) -> Response:
    """List what became of each finished task: learned, skipped with a reason, or waiting."""
    progress = await _progress(gateway, project, session_id)
    items = [
        wire.lesson(task, progress.lessons.get(task["id"]))
        for task in progress.tasks
        if task["id"] in progress.lessons or (progress.learns and task["status"] == "success")
    ]
    return answer({"items": items}, stalled=progress.stalled)
