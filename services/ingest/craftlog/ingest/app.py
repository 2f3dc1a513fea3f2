"""Composition root: the only place where ingest reads the environment and builds clients."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from craftlog.contracts.readmodels import ARTIFACTS, DISKS, MESSAGES, PROJECTS, SESSIONS, SPACES
from craftlog.contracts.subjects import Kind
from craftlog.ingest import projection
from craftlog.ingest.handlers import Eraser, LateSweep
from craftlog.ingest.store import COLLECTIONS, Erasures
from craftlog.runtime import telemetry
from craftlog.runtime.log import Log, patiently
from craftlog.runtime.mongo import MongoStore, connect, reach
from craftlog.runtime.objects import Objects
from craftlog.runtime.projector import Projector
from craftlog.runtime.rebuild import prepare
from craftlog.runtime.service import Running, broker, run
from craftlog.runtime.settings import Settings

# Seconds between two writes of one kind where nobody waits: each costs MongoDB as much as the documents in it do.
_REST: Final = 0.05
_FILLED_BY: Final = {
    SESSIONS: ["ingest-session"],
    DISKS: ["ingest-disk"],
    SPACES: ["ingest-space"],
    PROJECTS: ["ingest-project"],
}


@asynccontextmanager
async def start(settings: Settings, log: Log) -> AsyncIterator[Running]:
    """Build what runs: a projector a kind, and the eraser that they wake."""
    database = connect(settings)
    objects = Objects(settings)
    await patiently(lambda: prepare(database, log, COLLECTIONS, _FILLED_BY))
    erasures = Erasures(database)
    eraser, late = Eraser(log, erasures, objects), LateSweep(erasures, objects)
    sessions = MongoStore(database, SESSIONS, insert_only=frozenset({MESSAGES}))
    disks = MongoStore(database, DISKS, mostly_new=frozenset({ARTIFACTS}))
    projects, spaces = (MongoStore(database, heads) for heads in (PROJECTS, SPACES))
    projector = partial(Projector, log, written=eraser.on_written, rest=_REST)
    yield Running(
        projectors=[
            projector(sessions, durable="ingest-session", kind=Kind.SESSION, project=projection.session),
            projector(disks, durable="ingest-disk", kind=Kind.DISK, project=projection.disk),
            projector(spaces, durable="ingest-space", kind=Kind.SPACE, project=projection.space),
            projector(projects, durable="ingest-project", kind=Kind.PROJECT, project=projection.project),
        ],
        background=[eraser.run, late.run],
        probes={
            "mongo": lambda: reach(lambda: database.command("ping")),
            "s3": objects.prepare,
            "erasure": eraser.probe,
            "sweep": late.probe,
        },
    )
    await objects.aclose()
    database.client.close()


def main() -> None:
    """Run ingest until a signal ends it."""
    settings = Settings()
    telemetry.configure("ingest", settings)
    run("ingest", broker(settings, "ingest"), partial(start, settings))
