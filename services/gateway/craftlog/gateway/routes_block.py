"""The tree of a space: its blocks, listed and edited."""

from typing import Final, get_args
from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.responses import Response

from craftlog.contracts.envelope import event_id
from craftlog.contracts.events import BlockType
from craftlog.contracts.questions import AddBlock, ChangeBlock, MoveBlock, RemoveBlock, SortBlock
from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import wire
from craftlog.gateway.answers import answer
from craftlog.gateway.bodies import idempotency_key, small_object
from craftlog.gateway.digests import digest
from craftlog.gateway.errors import InvalidError, MissingError
from craftlog.gateway.fields import Json, a_text, a_text_or_none, a_whole_number, an_id, an_object_or_none
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.parameters import Id, OtherId, Project, Text, Wired
from craftlog.gateway.spaces import edit, reached

router = APIRouter(prefix="/space/{space_id}/block", tags=["block"])

_TYPES: Final[tuple[BlockType, ...]] = get_args(BlockType)


@router.get("")
async def list_(
    *,
    gateway: Wired,
    project: Project,
    space_id: Id,
    parent_id: OtherId = None,
    type: Text = None,  # noqa: A002 - the contract's name
) -> Response:
    """List the blocks at the root, or directly below a block, by type and place."""
    seen = await reached(gateway, Address(Kind.TREE, project, space_id))
    if parent_id:
        await _found(gateway, space_id, parent_id, "parent_id")
    found = await gateway.reads.blocks(space_id, parent_id, type)
    return answer([wire.block(block) for block in found], stalled=seen.stalled if seen else None)


@router.post("", status_code=201)
async def add(request: Request, gateway: Wired, project: Project, space_id: Id) -> Response:
    """Put a block last below its parent, or at the root: ``{type, parent_id?, title?, props?}``."""
    body, key = await small_object(request), idempotency_key(request)
    tree = Address(Kind.TREE, project, space_id)
    wanted = AddBlock(
        block_id=event_id(tree.subject, "POST block", key) if key else str(uuid4()),
        type=_type(body),
        parent_id=_parent(body),
        title=a_text_or_none(body.get("title"), "title") or "",
        props=an_object_or_none(body.get("props"), "props") or {},
        request=digest(body) if key else None,
    )
    await edit(gateway, tree, wanted)
    return answer({"id": wanted.block_id}, status=201)


@router.delete("/{block_id}")
async def remove(gateway: Wired, project: Project, space_id: Id, block_id: Id) -> Response:
    """Take a block out of the tree, with all that is below it."""
    tree = Address(Kind.TREE, project, space_id)
    await reached(gateway, tree)
    await _found(gateway, space_id, block_id, "block_id")
    await edit(gateway, tree, RemoveBlock(block_id=block_id))
    return answer()


@router.get("/{block_id}/properties")
async def get(gateway: Wired, project: Project, space_id: Id, block_id: Id) -> Response:
    """Return a block."""
    seen = await reached(gateway, Address(Kind.TREE, project, space_id))
    found = await _found(gateway, space_id, block_id, "block_id")
    return answer(wire.block(found), stalled=seen.stalled if seen else None)


@router.put("/{block_id}/properties")
async def change(request: Request, gateway: Wired, project: Project, space_id: Id, block_id: Id) -> Response:
    """Change what a block says: ``{title?, props?}``; props are replaced as a whole."""
    body = await small_object(request)
    wanted = ChangeBlock(
        block_id=block_id,
        title=a_text_or_none(body.get("title"), "title"),
        props=an_object_or_none(body.get("props"), "props"),
    )
    await edit(gateway, Address(Kind.TREE, project, space_id), wanted)
    return answer()


@router.put("/{block_id}/move")
async def move(request: Request, gateway: Wired, project: Project, space_id: Id, block_id: Id) -> Response:
    """Put a block below another parent, or at the root: ``{parent_id?, sort?}``."""
    body = await small_object(request)
    sort = None if body.get("sort") is None else a_whole_number(body["sort"], "sort")
    wanted = MoveBlock(block_id=block_id, parent_id=_parent(body), sort=sort)
    await edit(gateway, Address(Kind.TREE, project, space_id), wanted)
    return answer()


@router.put("/{block_id}/sort")
async def sort(request: Request, gateway: Wired, project: Project, space_id: Id, block_id: Id) -> Response:
    """Put a block at another place among its siblings: ``{sort?}``, counted from 0."""
    body = await small_object(request)
    place = 0 if body.get("sort") is None else a_whole_number(body["sort"], "sort")
    await edit(gateway, Address(Kind.TREE, project, space_id), SortBlock(block_id=block_id, sort=place))
    return answer()


async def _found(gateway: Gateway, space_id: str, block_id: str, field: str) -> Document:
    found = await gateway.reads.block(space_id, block_id)
    if found is None:
        raise MissingError(f"{field}: there is no block {block_id} in this space")
    return found


def _type(body: Json) -> BlockType:
    kind = a_text(body.get("type"), "type")
    for known in _TYPES:
        if kind == known:
            return known
    raise InvalidError("type", f"must be one of {', '.join(_TYPES)}")


def _parent(body: Json) -> str | None:
    sent = body.get("parent_id")
    return None if sent in (None, "") else an_id(sent, "parent_id")
