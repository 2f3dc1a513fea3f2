"""Is it there, is it well: ``/live`` and ``/health`` for anybody, ``/ping`` for clients who try their key."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from craftlog.gateway.answers import answer, respond
from craftlog.gateway.door import is_admin
from craftlog.gateway.health import Health, verdict
from craftlog.gateway.parameters import Project

router = APIRouter(tags=["health"])
ping_router = APIRouter(tags=["health"])


@router.get("/live")
async def live() -> Response:
    """Answer as soon as this process serves, whatever else is down."""
    return answer(msg="ok")


@router.get("/health")
async def get(request: Request) -> Response:
    """Say which service, dependency or consumer is down, lagging or stalled; with the admin token also why."""
    health: Health = request.app.state.health
    status, said = verdict(await health.gathered(), health.expected, detailed=is_admin(request))
    return respond(said, status)


@ping_router.get("/ping")
async def ping(_project: Project) -> Response:
    """Answer pong to a key that is known."""
    return answer(msg="pong")
