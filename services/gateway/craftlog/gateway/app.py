"""Composition root: the only place where the gateway reads the environment and builds clients."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from secrets import token_hex
from types import FrameType
from typing import Final, Self

import uvicorn
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from nats.aio.client import Client
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict
from starlette.types import ASGIApp

from craftlog.gateway import (
    answers,
    routes_absent,
    routes_admin,
    routes_artifact,
    routes_block,
    routes_disk,
    routes_experience,
    routes_health,
    routes_message,
    routes_parked,
    routes_project,
    routes_search,
    routes_session,
    routes_space,
    routes_task,
    routes_tool,
    routes_usage,
    snapshots,
)
from craftlog.gateway.auth import DEFAULT_PROJECT, DEFAULT_TOKEN, Keys
from craftlog.gateway.copying import abandon_the_old
from craftlog.gateway.decider import disk, project, session, space
from craftlog.gateway.decider.project import Limits
from craftlog.gateway.document.building import document, methods
from craftlog.gateway.door import PREFIX, Admin, Door
from craftlog.gateway.files import Files
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.heads import Heads
from craftlog.gateway.health import Health, Probe
from craftlog.gateway.keys import Stamp
from craftlog.gateway.limits import MOST_BYTES
from craftlog.gateway.projects import begin_projects
from craftlog.gateway.reads import Reads
from craftlog.gateway.shortcuts import Shortcuts
from craftlog.gateway.snapshots import Snapshots
from craftlog.gateway.tracing import Traced
from craftlog.runtime import telemetry
from craftlog.runtime.desk import Desk, Rules
from craftlog.runtime.log import Log, patiently
from craftlog.runtime.mongo import Database, connect, reach
from craftlog.runtime.objects import Objects
from craftlog.runtime.settings import Settings

_SECRET_LENGTH: Final = 32
_LOOPBACK: Final = frozenset(("127.0.0.1", "::1", "localhost"))
# FastAPI would make spans of its own beside ours: one a request is enough, and half the price.
_NO_TELEMETRY: Final = TelemetryConfig(tracing=False, metrics=False, logs=False)


class GatewaySettings(Settings):
    """Where to listen, whom to let in, and whom to miss.

    ``tokens`` are further API keys: project id by token, as JSON. Issued keys need ``api_key_pepper``, which is mixed
    into what is stored of them: with another one they are all void. Projects and keys are managed with
    ``admin_token``; without it there are no such routes. ``requests_per_second``, ``burst`` (one second's worth unless
    given) and ``body_bytes`` limit every key that has no limits of its own; ``artifact_bytes`` limits a file on a disk.
    ``expected_services`` is a list with commas; health misses those of it that do not answer.
    """

    model_config = SettingsConfigDict(hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = 8029
    api_token: SecretStr = SecretStr(DEFAULT_TOKEN)
    tokens: dict[str, str] = Field(default_factory=dict)
    admin_token: SecretStr | None = Field(default=None, min_length=_SECRET_LENGTH)
    api_key_pepper: SecretStr | None = Field(default=None, min_length=_SECRET_LENGTH)
    requests_per_second: float | None = Field(default=None, ge=0.001, allow_inf_nan=False)
    burst: int | None = Field(default=None, ge=1)
    body_bytes: int | None = Field(default=None, ge=1)
    artifact_bytes: int = Field(default=MOST_BYTES, ge=1, le=4 * MOST_BYTES)
    expected_services: str = "ingest,observer,learner,search"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.admin_token and not self.api_key_pepper:
            raise ValueError("CRAFTLOG_ADMIN_TOKEN needs CRAFTLOG_API_KEY_PEPPER, from which issued keys derive")
        if self.host not in _LOOPBACK and "api_token" not in self.model_fields_set:
            raise ValueError(f"CRAFTLOG_HOST {self.host} lets others in: set CRAFTLOG_API_TOKEN, everybody knows ours")
        if self.burst and not self.requests_per_second:
            raise ValueError("CRAFTLOG_BURST needs CRAFTLOG_REQUESTS_PER_SECOND")
        return self


def assemble(settings: GatewaySettings, client: Client, database: Database) -> Gateway:
    """Return what the routes work with; nothing is sent yet."""
    log, objects = Log(client), Objects(settings)
    heads = Heads(log, database)
    return Gateway(
        log=log,
        objects=objects,
        heads=heads,
        reads=Reads(database, objects),
        files=Files(database),
        projects=Desk(log, Rules(project.INITIAL, project.decide, project.evolve), Snapshots(heads, snapshots.project)),
        sessions=Desk(log, Rules(session.INITIAL, session.decide, session.evolve), Snapshots(heads, snapshots.session)),
        disks=Desk(log, Rules(disk.INITIAL, disk.decide, disk.evolve), Snapshots(heads, snapshots.disk)),
        spaces=Desk(log, Rules(space.INITIAL, space.decide, space.evolve), Snapshots(heads, snapshots.space)),
        artifact_bytes=settings.artifact_bytes,
    )


def build(settings: GatewaySettings) -> ASGIApp:
    """Return the application; it connects when it starts."""
    client, database = Client(), connect(settings)
    gateway = assemble(settings, client, database)
    probes: dict[str, Probe] = {
        "nats": gateway.log.prepare,
        "mongo": lambda: reach(lambda: database.command("ping")),
        "s3": gateway.objects.prepare,
    }
    configured = {settings.api_token.get_secret_value(): DEFAULT_PROJECT, **settings.tokens}
    # Without a pepper nobody has issued a key, so that none passes for one.
    pepper = settings.api_key_pepper.get_secret_value() if settings.api_key_pepper else token_hex()
    limits = Limits(settings.requests_per_second, settings.burst, settings.body_bytes)
    keys = Keys(configured, Stamp(pepper), gateway.log, gateway.projects, default=limits)
    expected = [name for name in settings.expected_services.split(",") if name]

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await client.connect(
            settings.nats_url,
            name="craftlog-gateway",
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,  # type: ignore[arg-type] # nats-py says int, and sleeps for it
            connect_timeout=2,
        )
        await patiently(gateway.log.prepare)
        await gateway.heads.listen()
        await keys.listen()
        if settings.admin_token:
            await patiently(lambda: begin_projects(gateway, configured.values()))
        given_up = asyncio.create_task(abandon_the_old(gateway))
        yield
        given_up.cancel()
        await gateway.objects.aclose()
        await client.close()
        database.client.close()

    app = FastAPI(title="Craftlog", lifespan=lifespan, docs_url="/swagger", redoc_url=None, telemetry=_NO_TELEMETRY)
    app.state.keys = keys
    app.state.admin = settings.admin_token and Admin(settings.admin_token)
    app.state.gateway = gateway
    app.state.health = Health(gateway.log, probes, expected)
    _route(app)
    if settings.admin_token:
        app.include_router(routes_admin.router)
    app.openapi = cache(lambda: document(app, PREFIX))  # type: ignore[method-assign] # the way that FastAPI names
    answers.register(app, lambda path: methods(app.openapi(), path))
    return Traced(Door(Shortcuts(app, gateway), keys), exported=settings.otlp_endpoint is not None)


def _route(app: FastAPI) -> None:
    sessions = (routes_session, routes_task, routes_message)
    spaces = (routes_space, routes_block, routes_experience, routes_tool, routes_usage)
    disks = (routes_artifact, routes_disk, routes_search)
    # In the order of how often they are asked for: each request tries them in turn.
    for routes in (*sessions, *disks, *spaces):
        app.include_router(routes.router, prefix=PREFIX)
    app.include_router(routes_project.router, prefix=PREFIX)
    app.include_router(routes_parked.router, prefix=PREFIX)
    app.include_router(routes_absent.router, prefix=PREFIX)
    app.include_router(routes_health.ping_router, prefix=PREFIX)
    app.include_router(routes_health.router)


def main() -> None:
    """Serve until a signal ends it."""
    settings = GatewaySettings()
    telemetry.configure("gateway", settings)
    config = uvicorn.Config(
        build(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="craftlog.gateway.connections:Connection",
        log_config=None,  # as telemetry has it
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
    )
    server = _Server(config)
    # What is here by now stays: else the garbage collector walks through it over and over, a fifth of an append's time.
    gc.freeze()
    gc.set_threshold(5_000, 50, 100)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise SystemExit(1)


class _Server(uvicorn.Server):
    """Uvicorn obeys signals only once it has started; this one ends also while it waits for the log."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if not self.started:
            # There is nothing to put away, and waiting for tasks to end might not: see runtime.service.
            os._exit(0)
