"""Ingest on real servers of its own, in this process, so that a test can break any part of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
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

from craftlog.contracts.events import Event
from craftlog.contracts.subjects import Address
from craftlog.ingest.app import start
from craftlog.runtime.log import Draft, Log, Position
from craftlog.runtime.mongo import Database, connect, reach
from craftlog.runtime.objects import Objects
from craftlog.runtime.service import Running
from craftlog.runtime.settings import Settings
from craftlog.testing.servers import S3, nats_server


@dataclass
class World:
    """The four parts that ingest touches, and where the log keeps its files."""

    settings: Settings
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

    async def head(self, collection: str, address: Address, **wanted: Any) -> dict[str, Any]:
        """Return the head of an aggregate, empty while it has not these values."""
        return await reach(lambda: self.database[collection].find_one({"_id": address.id, **wanted})) or {}

    async def stored_in_mongo(self) -> str:
        """Return everything in all collections, as one text to search."""
        names = await self.database.list_collection_names()
        return repr([await self.database[name].find({}).to_list(None) for name in names])

    def stored_in_log(self, secret: str) -> bool:
        """Tell whether these bytes are in any file of the log."""
        return any(secret.encode() in path.read_bytes() for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
async def world(tmp_path: Path, mongo_url: str, s3: S3) -> AsyncIterator[World]:
    with nats_server(tmp_path) as server:
        settings = Settings(
            nats_url=server.url,
            mongo_url=mongo_url,
            mongo_database=f"ingest-{uuid4()}",
            s3_endpoint=s3.endpoint,
            s3_access_key=s3.access_key,
            s3_secret_key=SecretStr(s3.secret_key),
            s3_bucket=s3.bucket,
            s3_region=s3.region,
        )
        client: Client = await nats.connect(settings.nats_url)
        log = Log(client)
        await log.prepare()
        database = connect(settings)
        yield World(settings, log, database, Objects(settings), tmp_path)
        await client.close()
        await database.client.drop_database(settings.mongo_database)
        database.client.close()


@asynccontextmanager
async def running(parts: list[Callable[[], Coroutine[Any, Any, None]]]) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(part()) for part in parts]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def ingest(world: World) -> Callable[..., AbstractAsyncContextManager[Running]]:
    """Give `async with ingest() as parts:`, which runs ingest in the block, with its eraser or without."""

    @asynccontextmanager
    async def serving(*, erasing: bool = True) -> AsyncIterator[Running]:
        async with start(world.settings, world.log) as parts:
            wanted = [*(projector.run for projector in parts.projectors), *(parts.background if erasing else ())]
            async with running(wanted) as tasks:
                yield parts
                for task in tasks:
                    assert not task.done(), task.exception()

    return serving
