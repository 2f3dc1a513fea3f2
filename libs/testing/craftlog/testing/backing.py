"""What a service stands on, for tests that run one in their own process and may break any part of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import uuid4

import nats
from pydantic import SecretStr

from craftlog.contracts.events import Event
from craftlog.contracts.subjects import Address
from craftlog.runtime.log import Draft, Log, Position
from craftlog.runtime.mongo import Database, connect, reach
from craftlog.runtime.objects import Objects
from craftlog.runtime.settings import Settings
from craftlog.testing.servers import S3, nats_server

S = TypeVar("S", bound=Settings)


@dataclass
class Backing(Generic[S]):
    """A log of one's own, a database of one's own, the bucket, and where the log keeps its files."""

    settings: S
    log: Log
    database: Database
    objects: Objects
    folder: Path

    async def append(self, address: Address, *events: Event, ago: timedelta = timedelta()) -> None:
        """Append as the aggregate's owner would, one decision."""
        last = await self.log.last(address)
        at = Position(last.version, last.seq) if last else Position()
        drafts = [Draft(str(uuid4()), event, datetime.now(UTC) - ago) for event in events]
        await self.log.append(address, at, drafts)

    async def document(self, collection: str, document_id: str, **wanted: Any) -> dict[str, Any]:
        """Return a document, empty while it has not these values."""
        return await reach(lambda: self.database[collection].find_one({"_id": document_id, **wanted})) or {}

    async def stored_in_mongo(self) -> str:
        """Return everything in all collections, as one text to search."""
        names = await self.database.list_collection_names()
        return repr([await self.database[name].find({}).to_list(None) for name in names])

    def stored_in_log(self, secret: str) -> bool:
        """Tell whether these bytes are in any file of the log."""
        return any(secret.encode() in path.read_bytes() for path in self.folder.rglob("*") if path.is_file())


B = TypeVar("B", bound=Backing[Any])


@asynccontextmanager
async def backing(
    kind: Callable[..., B], settings: type[Settings], folder: Path, mongo_url: str, s3: S3, **own: Any
) -> AsyncIterator[B]:
    """Start a log of one's own and give what a service stands on; ``own`` are further settings of the service."""
    with nats_server(folder) as server:
        chosen = settings(
            nats_url=server.url,
            mongo_url=mongo_url,
            mongo_database=f"test-{uuid4()}",
            s3_endpoint=s3.endpoint,
            s3_access_key=s3.access_key,
            s3_secret_key=SecretStr(s3.secret_key),
            s3_bucket=s3.bucket,
            s3_region=s3.region,
            **own,
        )
        client = await nats.connect(chosen.nats_url)
        log = Log(client)
        await log.prepare()
        database = connect(chosen)
        async with aclosing(Objects(chosen)) as objects:
            yield kind(chosen, log, database, objects, folder)
        await client.close()
        await database.client.drop_database(chosen.mongo_database)
        database.client.close()


@asynccontextmanager
async def running(parts: Iterable[Callable[[], Coroutine[Any, Any, None]]]) -> AsyncIterator[None]:
    """Run these for the block; it fails where one of them ended before it."""
    tasks = [asyncio.create_task(part()) for part in parts]
    try:
        yield
        for task in tasks:
            assert not task.done(), task.exception()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
