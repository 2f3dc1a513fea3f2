"""Spaces, what is filed in them, and the search for it."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from nats.errors import NoRespondersError
from starlette.responses import Response

from craftlog.contracts.questions import SearchAnswered, SearchAsked
from craftlog.contracts.readmodels import SPACES
from craftlog.contracts.subjects import Address, Kind, ask
from craftlog.gateway import wire
from craftlog.gateway.answers import answer
from craftlog.gateway.bodies import small_object
from craftlog.gateway.cursors import listed
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.fields import an_object_or_none
from craftlog.gateway.handlers import Gateway, create_space
from craftlog.gateway.parameters import Id, OtherId, Project, Text, Wanted, Wired, or_default, required
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.jetstream import CONNECTION_ERRORS

router = APIRouter(prefix="/space", tags=["space"])

Few = Annotated[int, or_default(10), Query(ge=1, le=50)]
Distance = Annotated[float | None, or_default(None), Query(ge=0, le=2, allow_inf_nan=False)]
Mode = Annotated[Literal["fast", "agentic"], or_default("fast"), Query()]
_SEARCH_BUDGET: Final = 10.0


@router.post("", status_code=201)
async def create(request: Request, gateway: Wired, project: Project) -> Response:
    """Begin a space: ``{configs?}``."""
    configs = an_object_or_none((await small_object(request)).get("configs"), "configs")
    space_id, began = await create_space(gateway, project, configs)
    times = {"created_at": wire.at(began), "updated_at": wire.at(began)}
    return answer({"id": space_id, "project_id": project, "configs": configs, **times}, status=201)


@router.get("")
async def list_(gateway: Wired, project: Project, page: Wanted) -> Response:
    """List spaces."""
    found = await gateway.reads.heads(SPACES, project, page)
    heads, more = listed(found, page.limit, wire.place)
    return answer({"items": [wire.space(head) for head in heads], **more})


@router.get("/{space_id}/experience_search")
async def search(
    *,
    gateway: Wired,
    project: Project,
    space_id: Id,
    query: Text = None,
    limit: Few = 10,
    mode: Mode = "fast",
    semantic_threshold: Distance = None,
) -> Response:
    """Return the blocks whose meaning is near the query, nearest first."""
    if not (words := required(query, "query").strip()):
        raise InvalidError("query", "must not be empty")
    if mode != "fast":
        raise InvalidError("mode", "agentic is not supported yet; ask for fast")
    await gateway.check(Address(Kind.SPACE, project, space_id), "space_id")
    tree = await gateway.log.last(Address(Kind.TREE, project, space_id))
    asked = SearchAsked(
        project=project,
        space_id=space_id,
        query=words,
        limit=limit,
        threshold=semantic_threshold,
        at_version=tree.version if tree else 0,
    )
    found = await _search(gateway, asked)
    return answer({"cited_blocks": [block.model_dump() for block in found.cited_blocks]})


@router.get("/{space_id}/block")
async def blocks(
    *,
    gateway: Wired,
    project: Project,
    space_id: Id,
    parent_id: OtherId = None,
    type: Text = None,  # noqa: A002 - the contract's name
) -> Response:
    """List the blocks at the root, or directly below a block."""
    await gateway.check(Address(Kind.SPACE, project, space_id), "space_id")
    seen = await gateway.heads.seen_or_none(Address(Kind.TREE, project, space_id))
    found = await gateway.reads.blocks(space_id, parent_id, type)
    return answer([wire.block(block) for block in found], stalled=seen.stalled if seen else None)


async def _search(gateway: Gateway, asked: SearchAsked) -> SearchAnswered:
    """Ask the search service, or raise UnavailableError: at once where there is none."""
    try:
        body = asked.model_dump_json().encode()
        reply = await gateway.log.client.request(ask("search", "experience"), body, timeout=_SEARCH_BUDGET)
    except NoRespondersError as nobody:
        raise UnavailableError("the search service is not running") from nobody
    except CONNECTION_ERRORS as error:
        raise UnavailableError("the search service does not answer", error) from error
    found = SearchAnswered.model_validate_json(reply.data)
    if found.behind:
        raise UnavailableError("the search index is behind; ask again")
    return found
