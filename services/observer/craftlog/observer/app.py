"""Composition root: the only place where the observer reads the environment and builds clients."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from craftlog.contracts.readmodels import BOARDS
from craftlog.contracts.subjects import Kind
from craftlog.observer.decider import INITIAL, decide, evolve
from craftlog.observer.handlers import Listener, Observer, Patience
from craftlog.observer.projection import project
from craftlog.observer.rules import RulesAgent
from craftlog.observer.store import COLLECTIONS, DUE, Boards
from craftlog.runtime import telemetry
from craftlog.runtime.desk import Desk, Rules
from craftlog.runtime.lane import Lane
from craftlog.runtime.log import Log, patiently
from craftlog.runtime.mongo import MongoStore, connect, ensure_collections, reach
from craftlog.runtime.objects import Objects
from craftlog.runtime.projector import Projector
from craftlog.runtime.service import Running, broker, run
from craftlog.runtime.settings import Settings
from craftlog.runtime.work import Work


class ObserverSettings(Settings):
    """What the observer takes from the environment besides. See ``handlers.Patience``; times in seconds."""

    observe_messages: int = 16
    observe_idle: float = 4.0
    observe_age: float = 60.0


@asynccontextmanager
async def start(settings: ObserverSettings, log: Log) -> AsyncIterator[Running]:
    """Build what runs: the boards' projector, the lane that marks sessions due, and the observing itself."""
    database = connect(settings)
    objects = Objects(settings)
    await patiently(lambda: ensure_collections(database, COLLECTIONS))
    desk = Desk(log, Rules(INITIAL, decide, evolve), Boards(database).snapshot)
    observer = Observer(log, desk, objects, RulesAgent())
    work = Work(database, DUE, observer.perform, kind=Kind.BOARD)
    await patiently(work.load)
    listener = Listener(
        work,
        Patience(
            settings.observe_messages,
            idle=timedelta(seconds=settings.observe_idle),
            age=timedelta(seconds=settings.observe_age),
        ),
        observer.in_hand,
    )
    yield Running(
        projectors=[
            Projector(log, MongoStore(database, BOARDS), durable="observer-board", kind=Kind.BOARD, project=project)
        ],
        lanes=[Lane(log, "observer-session", Kind.SESSION, listener.on_session, listener.on_undecodable)],
        works=[work],
        probes={"mongo": lambda: reach(lambda: database.command("ping")), "s3": objects.prepare},
    )
    database.client.close()


def main() -> None:
    """Run the observer until a signal ends it."""
    settings = ObserverSettings()
    telemetry.configure("observer", settings)
    run("observer", broker(settings, "observer"), partial(start, settings))
