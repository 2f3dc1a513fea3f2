"""What the SDKs can ask for and Craftlog does not offer: a 501 that says so, not a 404 that sounds like a typo."""

from typing import Final

from fastapi import APIRouter

from craftlog.gateway.errors import NotOfferedError
from craftlog.gateway.parameters import Project

# Not in the document: it describes what there is.
router = APIRouter(include_in_schema=False)

_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@router.api_route("/agent_skills", methods=_METHODS)
@router.api_route("/agent_skills/{_rest:path}", methods=_METHODS)
async def skills(_project: Project) -> None:
    """Refuse uploaded skills: ours are learned, and live in spaces."""
    raise NotOfferedError("agent skills are not offered; spaces hold what was learned")


@router.api_route("/user/{_rest:path}", methods=_METHODS)
async def users(_project: Project) -> None:
    """Refuse users: the tenant here is the project."""
    raise NotOfferedError("users are not offered; give each tenant a project of its own")


@router.api_route("/sandbox", methods=_METHODS)
@router.api_route("/sandbox/{_rest:path}", methods=_METHODS)
@router.api_route("/disk/{_disk_id}/artifact/download_to_sandbox", methods=["POST"])
@router.api_route("/disk/{_disk_id}/artifact/upload_from_sandbox", methods=["POST"])
async def sandboxes(_project: Project) -> None:
    """Refuse sandboxes: Craftlog stores, and runs nothing of its clients."""
    raise NotOfferedError("sandboxes are not offered; nothing of a client's is run here")
