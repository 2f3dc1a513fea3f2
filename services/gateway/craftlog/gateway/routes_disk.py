"""Disks: the file trees of agents."""

from contextlib import suppress

from fastapi import APIRouter, Request
from starlette.responses import Response

from craftlog.contracts.readmodels import DISKS
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import unoffered, wire
from craftlog.gateway.answers import answer
from craftlog.gateway.bodies import small_object
from craftlog.gateway.cursors import listed
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.handlers import create_disk, delete_disk
from craftlog.gateway.parameters import Id, Project, Wanted, Wired
from craftlog.gateway.unoffered import OfEverybody

router = APIRouter(prefix="/disk", tags=["disk"])


@router.post("", status_code=201)
async def create(request: Request, gateway: Wired, project: Project) -> Response:
    """Begin an empty disk."""
    with suppress(InvalidError):  # nothing is to be said of a disk: whatever else is sent is nobody's mistake
        unoffered.refuse(await small_object(request), unoffered.USER)
    disk_id, began = await create_disk(gateway, project)
    times = {"created_at": wire.at(began), "updated_at": wire.at(began)}
    return answer({"id": disk_id, "project_id": project, **times}, status=201)


@router.get("")
async def list_(gateway: Wired, project: Project, page: Wanted, _user: OfEverybody) -> Response:
    """List disks."""
    found = await gateway.reads.heads(DISKS, project, page, deleted=False)
    heads, more = listed(found, page.limit, wire.place)
    return answer({"items": [wire.disk(head) for head in heads], **more})


@router.delete("/{disk_id}")
async def delete(gateway: Wired, project: Project, disk_id: Id) -> Response:
    """End a disk, for ever."""
    await delete_disk(gateway, Address(Kind.DISK, project, disk_id))
    return answer()
