"""Sessions: begun, listed, configured, connected, flushed, ended."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from craftlog.contracts.configs import SessionConfigs
from craftlog.contracts.readmodels import SESSIONS, Document
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import unoffered, wire
from craftlog.gateway.answers import answer
from craftlog.gateway.belonging import connected, with_space, without_space
from craftlog.gateway.bodies import idempotency_key, small_object
from craftlog.gateway.configs import checked
from craftlog.gateway.containment import sessions_with
from craftlog.gateway.copying import copy_session
from craftlog.gateway.cursors import listed
from craftlog.gateway.decider.session_commands import ConfigureSession, CreateSession, MergeConfigs
from craftlog.gateway.fields import Json, a_flag, an_id, an_object, an_object_or_none
from craftlog.gateway.flushing import flush
from craftlog.gateway.handlers import configure_session, connect_space, create_session, delete_session
from craftlog.gateway.limits import parse
from craftlog.gateway.parameters import Id, Off, OtherId, Project, Text, Wanted, Wired
from craftlog.gateway.unoffered import OfEverybody

router = APIRouter(prefix="/session", tags=["session"])


@router.post("", status_code=201)
async def create(request: Request, gateway: Wired, project: Project) -> Response:
    """Begin a session: ``{configs?, disable_task_tracking?, space_id?}``."""
    body = await small_object(request)
    unoffered.refuse(body, unoffered.USE_UUID, unoffered.USER)
    wanted = CreateSession(
        configs=_configs(body),
        disable_task_tracking=a_flag(body.get("disable_task_tracking"), "disable_task_tracking"),
        space_id=an_id(body["space_id"], "space_id") if body.get("space_id") not in (None, "") else None,
    )
    session_id, began = await create_session(gateway, project, wanted, idempotency_key(request))
    created = {
        "id": session_id,
        "project_id": project,
        "disable_task_tracking": wanted.disable_task_tracking,
        "space_id": wanted.space_id,
        "configs": wanted.configs,
        "created_at": wire.at(began),
        "updated_at": wire.at(began),
    }
    return answer(created, status=201)


@router.get("")
async def list_(
    *,
    gateway: Wired,
    project: Project,
    page: Wanted,
    _user: OfEverybody,
    space_id: OtherId = None,
    not_connected: Off = False,
    filter_by_configs: Text = None,
) -> Response:
    """List sessions: of a space, or with ``not_connected`` of none, and whose configs contain what is given as JSON."""
    filters: Document = {"deleted": False}
    if not_connected:
        filters |= await without_space(gateway, project)
    elif space_id:
        filters |= await with_space(gateway, project, space_id)
    if filter_by_configs:
        within = an_object(parse(filter_by_configs.encode(), "filter_by_configs"), "filter_by_configs")
        heads, more = await sessions_with(gateway.reads, project, page, filters, within)
    else:
        heads, more = listed(await gateway.reads.heads(SESSIONS, project, page, **filters), page.limit, wire.place)
    return answer({"items": [wire.session(head) for head in await connected(gateway, project, heads)], **more})


@router.get("/{session_id}/configs")
async def get(gateway: Wired, project: Project, session_id: Id) -> Response:
    """Return a session."""
    seen = await gateway.heads.seen(Address(Kind.SESSION, project, session_id))
    [head] = await connected(gateway, project, [seen.head])
    return answer(wire.session(head), stalled=seen.stalled)


@router.put("/{session_id}/configs")
async def configure(request: Request, gateway: Wired, project: Project, session_id: Id) -> Response:
    """Put configs in the place of those before: ``{configs?}``; without any nothing changes."""
    configs = _configs(await small_object(request))
    session = Address(Kind.SESSION, project, session_id)
    await configure_session(gateway, session, MergeConfigs({}) if configs is None else ConfigureSession(configs))
    return answer()


@router.patch("/{session_id}/configs")
async def merge_configs(request: Request, gateway: Wired, project: Project, session_id: Id) -> Response:
    """Change the configs that are named, remove those that are null, and return all: ``{configs}``."""
    changes = checked(SessionConfigs, an_object((await small_object(request)).get("configs"), "configs"), "configs")
    session = Address(Kind.SESSION, project, session_id)
    return answer({"configs": await configure_session(gateway, session, MergeConfigs(changes))})


@router.delete("/{session_id}")
async def delete(gateway: Wired, project: Project, session_id: Id) -> Response:
    """End a session, for ever."""
    await delete_session(gateway, Address(Kind.SESSION, project, session_id))
    return answer()


@router.post("/{session_id}/connect_to_space")
async def connect(request: Request, gateway: Wired, project: Project, session_id: Id) -> Response:
    """Let a session teach a space: ``{space_id}``."""
    body = await small_object(request)
    space_id = an_id(body.get("space_id"), "space_id")
    await connect_space(gateway, Address(Kind.SESSION, project, session_id), space_id)
    return answer()


@router.post("/{session_id}/copy", status_code=201)
async def copy(request: Request, gateway: Wired, project: Project, session_id: Id) -> Response:
    """Make a session with the same configs and messages: ``{old_session_id, new_session_id}``."""
    source = Address(Kind.SESSION, project, session_id)
    made = await copy_session(gateway, source, idempotency_key(request))
    return answer({"old_session_id": session_id, "new_session_id": made}, status=201)


@router.post("/{session_id}/flush")
async def flush_(request: Request, gateway: Wired, project: Project, session_id: Id) -> Response:
    """Answer when every message is observed; after 25 seconds with a 503, and then ask again."""
    status, said = await flush(gateway, Address(Kind.SESSION, project, session_id), request.receive)
    return answer({"status": status, "errmsg": said})


def _configs(body: Json) -> Json | None:
    """Return the configs in a body, None where there are none."""
    configs = an_object_or_none(body.get("configs"), "configs")
    return configs if configs is None else checked(SessionConfigs, configs, "configs")
