"""The observer on real servers of its own, in this process, so that a test can break any part of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import nats
import pytest
from nats.aio.client import Client
from pydantic import SecretStr

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import Event
from craftlog.contracts.readmodels import BOARDS
from craftlog.contracts.subjects import Address, Kind
from craftlog.observer.agent import Agent
from craftlog.observer.app import ObserverSettings, start
from craftlog.observer.commands import Command
from craftlog.observer.decider import INITIAL, State, decide, evolve
from craftlog.observer.handlers import Observer
from craftlog.observer.store import Boards
from craftlog.runtime.desk import Desk, Rules
from craftlog.runtime.log import Draft, Log, Position
from craftlog.runtime.mongo import Database, connect, reach
from craftlog.runtime.objects import Objects
from craftlog.runtime.service import Running
from craftlog.testing.servers import S3, nats_server


@dataclass
class World:
    """The parts that the observer touches, and where the log keeps its files."""

    settings: ObserverSettings
    log: Log
    database: Database
    objects: Objects
    folder: Path

    async def append(self, address: Address, *events: Event) -> None:
        """Append as a gateway would, one decision."""
        last = await self.log.last(address)
        at = Position(last.version, last.seq) if last else Position()
        drafts = [Draft(str(uuid4()), event, datetime.now(UTC)) for event in events]
        await self.log.append(address, at, drafts)

    async def board(self, session: Address, **wanted: Any) -> dict[str, Any]:
        """Return the board of a session as readers see it, empty while it has not these values."""
        return await reach(lambda: self.database[BOARDS].find_one({"_id": session.id, **wanted})) or {}

    async def facts(self, session: Address) -> list[Recorded]:
        """Return what the log holds of a session's board."""
        return [past async for past in self.log.read(Address(Kind.BOARD, session.project, session.id))]

    def stored_in_log(self, secret: str) -> bool:
        """Tell whether these bytes are in any file of the log."""
        return any(secret.encode() in path.read_bytes() for path in self.folder.rglob("*") if path.is_file())

    def observer(self, agent: Agent) -> Observer:
        """Return what observes in another process: it shares the log and nothing in memory."""
        desk: Desk[State, Command] = Desk(self.log, Rules(INITIAL, decide, evolve), Boards(self.database).snapshot)
        return Observer(self.log, desk, self.objects, agent)


@pytest.fixture
async def world(tmp_path: Path, mongo_url: str, s3: S3) -> AsyncIterator[World]:
    with nats_server(tmp_path) as server:
        settings = ObserverSettings(
            nats_url=server.url,
            mongo_url=mongo_url,
            mongo_database=f"observer-{uuid4()}",
            s3_endpoint=s3.endpoint,
            s3_access_key=s3.access_key,
            s3_secret_key=SecretStr(s3.secret_key),
            s3_bucket=s3.bucket,
            s3_region=s3.region,
            observe_idle=0.2,
        )
        client: Client = await nats.connect(settings.nats_url)
        log = Log(client)
        await log.prepare()
        database = connect(settings)
        yield World(settings, log, database, Objects(settings), tmp_path)
        await client.close()
        await database.client.drop_database(settings.mongo_database)
        database.client.close()


@pytest.fixture
def observing(world: World) -> Callable[[], AbstractAsyncContextManager[Running]]:
    """Give `async with observing() as parts:`, which runs the observer in the block."""

    @asynccontextmanager
    async def serving() -> AsyncIterator[Running]:
        async with start(world.settings, world.log) as parts:
            wanted = [part.run for part in (*parts.projectors, *parts.lanes, *parts.works)]
            tasks = [asyncio.create_task(part()) for part in wanted]
            try:
                yield parts
                for task in tasks:
                    assert not task.done(), task.exception()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    return serving
