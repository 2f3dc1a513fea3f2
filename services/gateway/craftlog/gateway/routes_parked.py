"""What is parked: listed with its reason and original, tried again, or given up."""

from fastapi import APIRouter
from starlette.responses import Response

from craftlog.gateway import parking
from craftlog.gateway.answers import answer
from craftlog.gateway.cursors import after_message, listed
from craftlog.gateway.parameters import Limit, Project, Text, Wired

router = APIRouter(prefix="/parked", tags=["parked"])


@router.get("")
async def list_(*, gateway: Wired, project: Project, limit: Limit = 20, cursor: Text = None) -> Response:
    """List what could not be observed and waits for a person: messages, and without a position whole sessions."""
    found = await parking.after(gateway, project, after_message(cursor), limit)
    page, more = listed(found, limit, lambda one: one.place)
    return answer({"items": await parking.shown(gateway, project, page), **more})


@router.post("/{parked_id}/retry")
async def retry(gateway: Wired, project: Project, parked_id: str) -> Response:
    """Try again: a message is read anew, and says why where it stays parked; a session is due at once."""
    still, reason = await parking.ask(gateway, project, parked_id, "retry")
    return answer({"parked": still, "reason": reason})


@router.post("/{parked_id}/drop")
async def drop(gateway: Wired, project: Project, parked_id: str) -> Response:
    """Give it up for good: a message stays unread, a session waits for its next message."""
    await parking.ask(gateway, project, parked_id, "drop")
    return answer()
