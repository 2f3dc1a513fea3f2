"""Messages: in and out in any format, in order, each at its position for ever."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.answers import answer, answer_with
from craftlog.gateway.counting import total_tokens
from craftlog.gateway.editing import strategies
from craftlog.gateway.parameters import Count, Format, Id, Off, On, OtherId, Project, Text, Wired
from craftlog.gateway.reading import Wish, page
from craftlog.gateway.receiving import receive_many, receive_one

router = APIRouter(prefix="/session/{session_id}", tags=["session"])


@router.post("/messages", status_code=201)
async def append(request: Request, gateway: Wired, project: Project, session_id: Id) -> Response:
    """Add a message at the end: ``{format?, blob, meta?}``, or the same as ``payload`` of a form beside its files."""
    return answer(await receive_one(gateway, project, session_id, request), status=201)


@router.post("/messages/batch", status_code=201)
async def append_many(request: Request, gateway: Wired, project: Project, session_id: Id) -> Response:
    """Add up to 500 messages at the end, in order, all or none: ``{format?, blobs, meta?}``."""
    added = await receive_many(gateway, Address(Kind.SESSION, project, session_id), request)
    return answer({"items": added}, status=201)


@router.get("/messages")
async def get(
    *,
    gateway: Wired,
    project: Project,
    session_id: Id,
    limit: Count = 0,
    cursor: Text = None,
    time_desc: Off = False,
    format: Format = "openai",  # noqa: A002 - the contract's name
    with_asset_public_url: On = True,
    edit_strategies: Text = None,
    pin_editing_strategies_at_message: OtherId = None,
) -> Response:
    """Return messages from old to new: all, or with a ``limit`` the oldest or (``time_desc``) newest after a cursor."""
    wish = Wish(
        limit=limit,
        cursor=cursor,
        newest=time_desc,
        format=format,
        strategies=strategies(edit_strategies),
        pin=pin_editing_strategies_at_message,
        with_urls=with_asset_public_url,
    )
    found = await page(gateway, Address(Kind.SESSION, project, session_id), wish)
    return answer_with(found.items, found.rest, stalled=found.stalled)


@router.get("/token_counts")
async def token_counts(gateway: Wired, project: Project, session_id: Id) -> Response:
    """Return how many tokens all messages have together."""
    session = Address(Kind.SESSION, project, session_id)
    seen = await gateway.heads.seen(session)
    return answer({"total_tokens": await total_tokens(gateway, session, seen.head["messages"])}, stalled=seen.stalled)
