"""Composition root: the only place where the learner reads the environment and builds clients."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from craftlog.contracts.readmodels import TREES
from craftlog.contracts.subjects import Kind
from craftlog.learner.answers import Answers
from craftlog.learner.decider import decide
from craftlog.learner.decider.state import INITIAL, evolve
from craftlog.learner.handlers import Learner, Listener
from craftlog.learner.projection import project
from craftlog.learner.rules import RulesEngine
from craftlog.learner.sessions import Sessions
from craftlog.learner.store import COLLECTIONS, DUE, PUPILS, Pupils, Trees
from craftlog.runtime import telemetry
from craftlog.runtime.desk import Desk, Rules
from craftlog.runtime.lane import Lane
from craftlog.runtime.log import Log, patiently
from craftlog.runtime.mongo import MongoStore, connect, reach
from craftlog.runtime.objects import Objects
from craftlog.runtime.projector import Projector
from craftlog.runtime.rebuild import prepare
from craftlog.runtime.service import Running, broker, run
from craftlog.runtime.settings import Settings
from craftlog.runtime.work import Work

# A tree of 5,000 blocks has about 20 MB.
_TREES_IN_MEMORY: Final = 256
_LISTENING: Final = ("learner-session", "learner-board", "learner-space")
_FILLED_BY: Final = {TREES: ["learner-tree"], DUE: _LISTENING, PUPILS: _LISTENING}


class LearnerSettings(Settings):
    """What the learner takes from the environment besides. ``learn_idle_seconds``: see ``handlers.Learner``."""

    learn_idle_seconds: float = 30.0


@asynccontextmanager
async def start(settings: LearnerSettings, log: Log) -> AsyncIterator[Running]:
    """Build what runs: the tree's projector, the lanes that mark work due, the work itself, and what is answered."""
    database = connect(settings)
    objects = Objects(settings)
    await patiently(lambda: prepare(database, log, COLLECTIONS, _FILLED_BY))
    pupils = Pupils(database)
    trees = Trees(database)
    desk = Desk(log, Rules(INITIAL, decide, evolve), trees.snapshot, seats=_TREES_IN_MEMORY)
    answers = Answers(desk, trees)
    idle = timedelta(seconds=settings.learn_idle_seconds)
    learner = Learner(log, desk, pupils, Sessions(log, objects), RulesEngine(), idle=idle)
    work = Work(database, DUE, learner.perform, kind=Kind.TREE)
    await patiently(work.load)
    for item in list(work.parked.values()):
        # Nobody else can ask for it: parked are lessons until the next start.
        await patiently(partial(work.retry, item.key, item.project))
    listener = Listener(pupils, work)
    yield Running(
        projectors=[
            Projector(log, MongoStore(database, TREES), durable="learner-tree", kind=Kind.TREE, project=project)
        ],
        lanes=[
            Lane(log, "learner-session", Kind.SESSION, listener.on_session, listener.on_undecodable),
            Lane(log, "learner-board", Kind.BOARD, listener.on_board, listener.on_undecodable),
            Lane(log, "learner-space", Kind.SPACE, listener.on_space, listener.on_undecodable),
        ],
        works=[work],
        answers={"tree": answers.tree, "tools": answers.tools},
        probes={"mongo": lambda: reach(lambda: database.command("ping")), "s3": objects.prepare},
    )
    await objects.aclose()
    database.client.close()


def main() -> None:
    """Run the learner until a signal ends it."""
    settings = LearnerSettings()
    telemetry.configure("learner", settings)
    run("learner", broker(settings, "learner"), partial(start, settings))
