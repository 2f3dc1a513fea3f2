"""A session's tasks, and what became of the finished ones: its board and its lessons, joined as they are read."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.responses import Response

from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import wire
from craftlog.gateway.answers import answer, answer_raw, listed_raw
from craftlog.gateway.belonging import connected
from craftlog.gateway.cursors import after_text, listed
from craftlog.gateway.errors import MissingError
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.heads import Seen
from craftlog.gateway.parameters import Count, Format, Id, Off, On, Project, Text, Wanted, Wired
from craftlog.gateway.parking import of_board
from craftlog.gateway.reading import Wish, page_of

router = APIRouter(prefix="/session/{session_id}", tags=["session"])


@dataclass(frozen=True, slots=True)
class _Progress:
    """How many messages a session has, its tasks in order, its lessons by task id, and whether a space learns of it."""

    messages: int
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
    return _Progress(session.head["messages"], tasks, lessons, space_id is not None, stalled[0] if stalled else None)


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


@router.get("/task/{task_id}")
async def task(
    *,
    gateway: Wired,
    project: Project,
    session_id: Id,
    task_id: Id,
    limit: Count = 0,
    cursor: Text = None,
    time_desc: Off = False,
    format: Format = "openai",  # noqa: A002 - the contract's name
    with_asset_public_url: On = True,
) -> Response:
    """Return a task and its messages: all, or with a ``limit`` the oldest or (``time_desc``) newest after a cursor."""
    progress = await _progress(gateway, project, session_id)
    found = next((one for one in progress.tasks if one["id"] == task_id), None)
    if found is None:
        raise MissingError(f"task_id: there is no task {task_id} in this session")
    wish = Wish(limit, cursor, time_desc, format, strategies=(), pin=None, with_urls=with_asset_public_url)
    # The board was asked later, and may know of messages that came meanwhile.
    positions = [position for position in found["positions"] if position <= progress.messages]
    session = Address(Kind.SESSION, project, session_id)
    page = await page_of(gateway, session, positions, wish, progress.stalled)
    own = to_json(wire.task(project, session_id, found, digested=task_id in progress.lessons))
    return answer_raw(own[:-1] + b',"messages":' + listed_raw(page.items, page.rest) + b"}", stalled=page.stalled)


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
    """Count the messages that the session's board has read, that wait and that are parked; say what it waits for."""
    session = await gateway.heads.seen(Address(Kind.SESSION, project, session_id))
    board = await gateway.heads.seen_or_none(Address(Kind.BOARD, project, session_id))
    head: Document = board.head if board else {"_id": session_id}
    through, skipped = head.get("through_position", 0), len(head.get("skipped", ()))
    due = await gateway.reads.observing_due(session_id)
    is_parked = due.get("parked", False)
    status = {
        "observed": through - skipped,
        "in_process": 0,
        # The board is asked later, and may have read what came meanwhile.
        "pending": max(session.head["messages"] - through, 0),
        "parked": len(of_board(head)) + is_parked,
        "waiting": wire.waiting(due) if due.get("error") and not is_parked else None,
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
