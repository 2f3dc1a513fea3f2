"""The project that a key belongs to, and how it is configured."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from craftlog.contracts.configs import ProjectConfigs
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.answers import answer
from craftlog.gateway.bodies import small_object
from craftlog.gateway.configs import checked
from craftlog.gateway.parameters import Project, Wired
from craftlog.gateway.projects import configure_project

router = APIRouter(prefix="/project", tags=["project"])


@router.get("/configs")
async def get(gateway: Wired, project: Project) -> Response:
    """Return the project's configs."""
    seen = await gateway.heads.seen_or_none(Address(Kind.PROJECT, project, project))
    if seen is None:
        return answer({})  # a project of the deployment's settings, which nobody has configured yet
    return answer(seen.head.get("configs") or {}, stalled=seen.stalled)


@router.patch("/configs")
async def merge(request: Request, gateway: Wired, project: Project) -> Response:
    """Change the configs that are named, remove those that are null, and return all."""
    changes = checked(ProjectConfigs, await small_object(request))
    return answer(await configure_project(gateway, project, changes))
