"""Spaces: begun, listed, configured, ended."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from craftlog.contracts.readmodels import SPACES
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import unoffered, wire
from craftlog.gateway.answers import answer
from craftlog.gateway.bodies import idempotency_key, small_object
from craftlog.gateway.cursors import listed
from craftlog.gateway.fields import an_object, an_object_or_none
from craftlog.gateway.parameters import Id, Project, Wanted, Wired
from craftlog.gateway.spaces import checked, configure_space, create_space, delete_space
from craftlog.gateway.unoffered import OfEverybody

router = APIRouter(prefix="/space", tags=["space"])


@router.post("", status_code=201)
async def create(request: Request, gateway: Wired, project: Project) -> Response:
    """Begin a space: ``{configs?}``."""
    body = await small_object(request)
    unoffered.refuse(body, unoffered.USER)
    configs = checked(an_object_or_none(body.get("configs"), "configs"))
    space_id, began = await create_space(gateway, project, configs, idempotency_key(request))
    times = {"created_at": wire.at(began), "updated_at": wire.at(began)}
    return answer({"id": space_id, "project_id": project, "configs": configs, **times}, status=201)


@router.get("")
async def list_(gateway: Wired, project: Project, page: Wanted, _user: OfEverybody) -> Response:
    """List spaces."""
    found = await gateway.reads.heads(SPACES, project, page)
    heads, more = listed(found, page.limit, wire.place)
    return answer({"items": [wire.space(head) for head in heads], **more})


@router.get("/status")
async def status(_project: Project) -> Response:
    """Answer that spaces are served."""
    return answer()


@router.get("/{space_id}/configs")
async def get(gateway: Wired, project: Project, space_id: Id) -> Response:
    """Return a space."""
    seen = await gateway.heads.seen(Address(Kind.SPACE, project, space_id))
    return answer(wire.space(seen.head), stalled=seen.stalled)


@router.put("/{space_id}/configs")
async def configure(request: Request, gateway: Wired, project: Project, space_id: Id) -> Response:
    """Replace a space's configs: ``{configs}``."""
    configs = an_object((await small_object(request)).get("configs"), "configs")
    checked(configs)
    await configure_space(gateway, Address(Kind.SPACE, project, space_id), configs)
    return answer()


@router.delete("/{space_id}")
async def delete(gateway: Wired, project: Project, space_id: Id) -> Response:
    """End a space with all that is filed in it, for ever; its sessions stay."""
    await delete_space(gateway, Address(Kind.SPACE, project, space_id))
    return answer()
