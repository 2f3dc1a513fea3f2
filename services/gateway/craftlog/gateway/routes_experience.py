"""What a space has learned: found by its meaning, and asked about before it is filed."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from craftlog.contracts.questions import ResolveProposal, SearchAnswered, SearchAsked
from craftlog.contracts.readmodels import PROPOSALS, Document
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import wire
from craftlog.gateway.answers import answer
from craftlog.gateway.asking import answer_of
from craftlog.gateway.bodies import small_object
from craftlog.gateway.cursors import listed
from craftlog.gateway.errors import InvalidError, MissingError
from craftlog.gateway.fields import a_flag
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.parameters import Id, Needed, Project, Wanted, Wired, or_default
from craftlog.gateway.spaces import edit, reached
from craftlog.runtime.errors import UnavailableError

router = APIRouter(prefix="/space/{space_id}", tags=["space"])

Few = Annotated[int, or_default(10), Query(ge=1, le=50)]
Distance = Annotated[Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None, or_default(None), Query()]
Mode = Annotated[Literal["fast", "agentic"], or_default("fast"), Query()]


@router.get("/experience_search")
async def search(
    *,
    gateway: Wired,
    project: Project,
    space_id: Id,
    query: Needed,
    limit: Few = 10,
    mode: Mode = "fast",
    semantic_threshold: Distance = None,
) -> Response:
    """Return the blocks whose meaning is near the query, nearest first."""
    if not (words := query.strip()):
        raise InvalidError("query", "must not be empty")
    if mode != "fast":
        raise InvalidError("mode", "agentic is not supported yet; ask for fast")
    seen = await reached(gateway, Address(Kind.TREE, project, space_id))
    asked = SearchAsked(
        project=project,
        space_id=space_id,
        query=words,
        limit=limit,
        threshold=semantic_threshold,
        at_version=seen.head["version"] if seen else 0,
    )
    found = await answer_of(gateway, "search", "experience", asked, SearchAnswered)
    if found.behind:
        raise UnavailableError("the search index is behind; ask again")
    # Whatever was removed since the index was asked is no answer any more.
    blocks = await gateway.reads.blocks_by_id(space_id, [cited.block_id for cited in found.cited_blocks])
    cited = [wire.cited(blocks[one.block_id], one.distance) for one in found.cited_blocks if one.block_id in blocks]
    return answer({"cited_blocks": cited}, stalled=seen.stalled if seen else None)


@router.get("/experience_confirmations")
async def proposals(gateway: Wired, project: Project, space_id: Id, page: Wanted) -> Response:
    """List the skills that wait for a person to say whether they are kept."""
    seen = await reached(gateway, Address(Kind.TREE, project, space_id))
    found = await gateway.reads.heads(PROPOSALS, project, page, space_id=space_id, state="open")
    some, more = listed(found, page.limit, wire.place)
    items = [wire.proposal(one) for one in some]
    return answer({"items": items, **more}, stalled=seen.stalled if seen else None)


@router.put("/experience_confirmations/{experience_id}")
async def resolve(request: Request, gateway: Wired, project: Project, space_id: Id, experience_id: Id) -> Response:
    """Keep a skill that waits, or drop it: ``{save}``."""
    save = (await small_object(request)).get("save")
    if save is None:
        raise InvalidError("save", "is missing")
    wanted = "saved" if a_flag(save, "save") else "declined"
    tree = Address(Kind.TREE, project, space_id)
    await reached(gateway, tree)
    found = await _found(gateway, space_id, experience_id)
    if found["state"] == "open":
        await edit(gateway, tree, ResolveProposal(task_id=found["task_id"], save=save))
        found = await _found(gateway, space_id, experience_id)
    if found["state"] not in ("open", wanted):
        raise MissingError(f"experience_id: {experience_id} waits no longer, it was {found['state']}")
    return answer(wire.proposal(found) if save else None)


# Older SDKs say it so.
router.add_api_route("/experience_confirmations/{experience_id}", resolve, methods=["PATCH"])


async def _found(gateway: Gateway, space_id: str, proposal_id: str) -> Document:
    found = await gateway.reads.proposal(space_id, proposal_id)
    if found is None:
        raise MissingError(f"experience_id: there is no experience {proposal_id} in this space")
    return found
