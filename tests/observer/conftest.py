"""The observer on real servers of its own, in this process, so that a test can break any part of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.readmodels import BOARDS
from craftlog.contracts.subjects import Address, Kind
from craftlog.observer.agent import Agent
from craftlog.observer.app import ObserverSettings, start
from craftlog.observer.commands import Command
from craftlog.observer.decider import INITIAL, State, decide, evolve
from craftlog.observer.observing import Observer
from craftlog.observer.reading import Reader
from craftlog.observer.store import Boards
from craftlog.observer.tab import Tab
from craftlog.runtime.desk import Desk, Rules
from craftlog.runtime.service import Running
from craftlog.testing.backing import Backing, backing, running
from craftlog.testing.servers import S3


async def a_minute(_: Address) -> timedelta:
    return timedelta(minutes=1)


class World(Backing[ObserverSettings]):
    """What the observer touches."""

    async def board(self, session: Address, **wanted: Any) -> dict[str, Any]:
        """Return the board of a session as readers see it, empty while it has not these values."""
        return await self.document(BOARDS, session.id, **wanted)

    async def facts(self, session: Address) -> list[Recorded]:
        """Return what the log holds of a session's board."""
        return [past async for past in self.log.read(Address(Kind.BOARD, session.project, session.id))]

    def observer(self, agent: Agent, tab: Tab | None = None) -> Observer:
        """Return what observes in another process: it shares the log and nothing in memory."""
        desk: Desk[State, Command] = Desk(self.log, Rules(INITIAL, decide, evolve), Boards(self.database).snapshot)
        return Observer(self.log, desk, Reader(self.log, self.objects), agent, a_minute, tab=tab or Tab())


@pytest.fixture
async def world(tmp_path: Path, mongo_url: str, s3: S3) -> AsyncIterator[World]:
    async with backing(World, ObserverSettings, tmp_path, mongo_url, s3, observe_idle=0.2) as world:
        yield world


@pytest.fixture
def observing(world: World) -> Callable[..., AbstractAsyncContextManager[Running]]:
    """Give `async with observing() as parts:`, which runs the observer in the block, with other settings or without."""

    @asynccontextmanager
    async def serving(**changes: Any) -> AsyncIterator[Running]:
        async with (
            start(world.settings.model_copy(update=changes), world.log) as parts,
            running(part.run for part in (*parts.projectors, *parts.lanes, *parts.works)),
        ):
            yield parts

    return serving
