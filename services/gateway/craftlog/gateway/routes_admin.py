"""For whoever runs this deployment, with the admin token: projects, and the keys to them."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Security
from starlette.responses import Response

from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import wire
from craftlog.gateway.answers import answer
from craftlog.gateway.auth import Keys
from craftlog.gateway.bodies import idempotency_key, small_object
from craftlog.gateway.cursors import listed
from craftlog.gateway.decider.project import Limits
from craftlog.gateway.door import ADMINISTRATOR
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.fields import Json, a_text
from craftlog.gateway.parameters import Id, Wanted, Wired
from craftlog.gateway.projects import create_project, issue_key, revoke_key

router = APIRouter(prefix="/admin/v1/project", tags=["admin"], dependencies=[Security(ADMINISTRATOR)])

_LONGEST_NAME: Final = 100
_LIMITS: Final = ("requests_per_second", "burst", "body_bytes")
_MOST: Final = 2**31
_LEAST: Final = 0.001  # a request in a quarter of an hour


async def _keys(request: Request) -> Keys:
    keys: Keys = request.app.state.keys
    return keys


Known = Annotated[Keys, Depends(_keys)]


@router.post("", status_code=201)
async def create(request: Request, gateway: Wired) -> Response:
    """Create a project: ``{name}``."""
    name = _name(await small_object(request))
    project, began = await create_project(gateway, name, idempotency_key(request))
    return answer({"id": project, "name": name, "created_at": wire.at(began)}, status=201)


@router.get("")
async def list_(gateway: Wired, page: Wanted) -> Response:
    """List projects."""
    found = await gateway.reads.projects(page)
    heads, more = listed(found, page.limit, wire.place)
    return answer({"items": [_project(head) for head in heads], **more})


@router.get("/{project_id}")
async def get(gateway: Wired, project_id: Id) -> Response:
    """Return a project."""
    seen = await gateway.heads.seen(Address(Kind.PROJECT, project_id, project_id))
    return answer(_project(seen.head), stalled=seen.stalled)


@router.post("/{project_id}/key", status_code=201)
async def issue(request: Request, gateway: Wired, keys: Known, project_id: Id) -> Response:
    """Issue a key, shown this once: ``{name, requests_per_second?, burst?, body_bytes?}``."""
    body = await small_object(request)
    name, limits = _name(body), _limits(body)
    once = idempotency_key(request)
    key_id, key, began = await issue_key(gateway, keys, project_id, name, limits, once=once)
    own = {limit: getattr(limits, limit) for limit in _LIMITS}
    issued = {"id": key_id, "name": name, "key": key, **own, "created_at": wire.at(began), "revoked_at": None}
    return answer(issued, status=201)


@router.get("/{project_id}/key")
async def keys_(gateway: Wired, project_id: Id) -> Response:
    """List a project's keys, those revoked as well."""
    seen = await gateway.heads.seen(Address(Kind.PROJECT, project_id, project_id))
    return answer({"items": [_key(key) for key in seen.head["keys"]]}, stalled=seen.stalled)


@router.delete("/{project_id}/key/{key_id}")
async def revoke(gateway: Wired, keys: Known, project_id: Id, key_id: Id) -> Response:
    """Revoke a key, for ever: whoever holds it is refused from now on."""
    await revoke_key(gateway, keys, project_id, key_id)
    return answer()


def _project(head: Document) -> Json:
    return {"id": head["_id"], "name": head["name"], "created_at": wire.at(head["created_at"])}


def _key(stored: Document) -> Json:
    shown = {name: stored[name] for name in ("id", "name", *_LIMITS)}
    revoked = stored["revoked_at"]
    return {**shown, "created_at": wire.at(stored["created_at"]), "revoked_at": wire.at(revoked) if revoked else None}


def _name(body: Json) -> str:
    name = a_text(body.get("name"), "name").strip()
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise InvalidError("name", f"must be 1 to {_LONGEST_NAME} printable characters")
    return name


def _limits(body: Json) -> Limits:
    rate, burst, size = (_positive(body.get(name), name) for name in _LIMITS)
    if burst and not rate:
        raise InvalidError("burst", "needs requests_per_second")
    return Limits(rate, _whole(burst, "burst"), _whole(size, "body_bytes"))


def _positive(value: Any, field: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not _LEAST <= value <= _MOST:
        raise InvalidError(field, f"must be a number of at least {_LEAST} and at most {_MOST}")
    return value


def _whole(value: float | None, field: str) -> int | None:
    if value is not None and value != int(value):
        raise InvalidError(field, "must be a whole number")
    return None if value is None else int(value)
