"""Searches over the files of a disk, by path and by what is in them."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import wire
from craftlog.gateway.answers import answer
from craftlog.gateway.cursors import after_file, encode
from craftlog.gateway.globbing import Glob, glob
from craftlog.gateway.grepping import MOST_NAMES, Expression, Found, grep
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.parameters import Id, Needed, Project, Text, Wired, or_default

router = APIRouter(prefix="/disk/{disk_id}/artifact", tags=["disk"])

NEXT_CURSOR: Final = "Craftlog-Next-Cursor"
# Nothing else runs meanwhile: the standard library does a thousand million of them a second.
MOST_STEPS: Final = 200_000_000
_NAMED: Final = 5
Matches = Annotated[int, or_default(100), Query(ge=1, le=200)]


@router.get("/glob")
async def by_path(
    *,
    gateway: Wired,
    project: Project,
    disk_id: Id,
    query: Needed,
    limit: Matches = 100,
    cursor: Text = None,
) -> Response:
    """List files whose path matches a pattern: ``*`` is any characters, slashes too, and ``?`` is one.

    Where there may be more, the header Craftlog-Next-Cursor says from where to ask on.
    """
    wanted, after = glob(query), after_file(cursor)
    seen = await gateway.heads.seen(Address(Kind.DISK, project, disk_id))
    found = await _matching(gateway.files.below(disk_id, wanted.below, after), wanted, limit)
    return await _answer(gateway, found, seen.stalled)


@router.get("/grep")
async def by_content(
    *,
    gateway: Wired,
    project: Project,
    disk_id: Id,
    query: Needed,
    limit: Matches = 100,
    cursor: Text = None,
) -> Response:
    """List files in whose text a regular expression (RE2, blind to case, line by line) matches.

    One request searches a bounded amount; the header Craftlog-Next-Cursor says from where to ask on.
    """
    expression, after = Expression(query), after_file(cursor)
    seen = await gateway.heads.seen(Address(Kind.DISK, project, disk_id))
    found = await grep(gateway.objects, gateway.files.below(disk_id, "/", after), expression, limit)
    return await _answer(gateway, found, seen.stalled)


async def _matching(files: AsyncIterator[Sequence[Document]], wanted: Glob, limit: int) -> Found:
    """Return which files match, up to ``limit``, or as far as one request may look."""
    found, names, steps = Found(), 0, 0
    async for some in files:
        for file in some:
            if names == MOST_NAMES or steps >= MOST_STEPS or len(found.ids) == limit:
                return found
            found.after = place = file["path"], file["filename"]
            names, steps = names + 1, steps + wanted.steps(*place)
            if wanted.matches(*place):
                found.ids.append(file["_id"])
    found.after = None
    return found


async def _answer(gateway: Gateway, found: Found, stalled: int | None) -> Response:
    """Answer with the files. A search that did not see all says so, in a header and in words."""
    said = []
    if found.after:
        said.append(f"there may be more: ask again with the cursor of the header {NEXT_CURSOR}")
    if found.unsearched:
        named = ", ".join(found.unsearched[:_NAMED])
        said.append(f"too large for so large an expression, and not searched: {len(found.unsearched)} files, {named}")
    files = await gateway.files.files(found.ids)
    response = answer([wire.artifact(file) for file in files], msg="; ".join(said), stalled=stalled)
    if found.after:
        response.headers[NEXT_CURSOR] = encode(*found.after)
    return response
