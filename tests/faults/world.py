"""Behind a running stack: the log, MongoDB, the bucket and the index, to see what is really there."""

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
from pydantic import SecretStr
from qdrant_client import AsyncQdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException
from urllib3.exceptions import HTTPError

from craftlog.cli.client import Api
from craftlog.contracts.envelope import Recorded
from craftlog.contracts.subjects import STREAM, STREAM_SUBJECTS
from craftlog.llm.embeddings import OfflineEmbedder
from craftlog.runtime import jetstream
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.jetstream import CONNECTION_ERRORS
from craftlog.runtime.log import Log
from craftlog.runtime.mongo import Database, connect, reach
from craftlog.runtime.objects import Objects
from craftlog.runtime.settings import Settings
from craftlog.testing.stack import Stack
from craftlog.testing.waiting import until

Document = dict[str, Any]

AWAY = (*CONNECTION_ERRORS, UnavailableError, ResponseHandlingException, HTTPError)  # a server that was just killed

_AT_ONCE = 256
_AT_MOST = 0.2  # seconds
_EVENT_ID = re.compile(rb"ce-id: ?([0-9a-f-]{36})")
_SKILLS = f"craftlog-skills-{OfflineEmbedder.model}"


@dataclass(frozen=True)
class World:
    """Clients of the servers of one stack; ``api`` is patient, and asks again what cannot be answered now."""

    stack: Stack
    api: Api
    log: Log
    database: Database
    objects: Objects
    index: AsyncQdrantClient

    async def collections(self) -> dict[str, list[Document]]:
        """Return all that is in MongoDB."""
        names = await reach(self.database.list_collection_names)
        return {name: await reach(lambda name=name: self.database[name].find({}).to_list(None)) for name in names}  # type: ignore[misc] # bound at once

    async def points(self) -> list[Document]:
        """Return the payload and the id of all that is in the index."""
        found: list[Document] = []
        offset = None
        while True:
            points, offset = await self.index.scroll(_SKILLS, limit=_AT_ONCE, offset=offset)
            found += [{**(point.payload or {}), "id": str(point.id)} for point in points]
            if offset is None:
                return found

    def object_keys(self) -> list[str]:
        """Return the keys of all objects in the bucket."""
        client, bucket = self.objects._client, self.objects.bucket
        if not client.bucket_exists(bucket_name=bucket):
            return []
        return sorted(str(one.object_name) for one in client.list_objects(bucket_name=bucket, recursive=True))

    async def last_seq(self) -> int:
        """Return the sequence of the last event in the log, 0 where the log does not answer at once."""
        try:
            return (await self.log.client.jetstream(timeout=_AT_MOST).stream_info(STREAM)).state.last_seq
        except CONNECTION_ERRORS:
            return 0

    async def events(self) -> list[Recorded]:
        """Return all that is in the log."""
        return [stored.decode() async for stored in jetstream.read(self.log.client, STREAM_SUBJECTS, 0)]

    def log_files_hold(self, secret: str) -> list[Path]:
        """Return the files of the log with these bytes in them."""
        paths = [Path(folder) / name for folder, _, names in os.walk(self.stack.data / "nats") for name in names]
        return [path for path in paths if secret.encode() in _bytes(path)]

    def events_in_files_with(self, secret: str) -> set[str]:
        """Return the ids of the stored events whose bytes in the log's files hold these, deleted or not."""
        found: set[str] = set()
        for path in self.log_files_hold(secret):
            data = _bytes(path)
            for hit in re.finditer(re.escape(secret.encode()), data):
                ids = _EVENT_ID.findall(data, 0, hit.start())
                found.add(ids[-1].decode() if ids else f"{path.name}, before any event")
        return found


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""  # the server has just removed it


@asynccontextmanager
async def behind(stack: Stack, token: str | None = None) -> AsyncIterator[World]:
    """Open the servers of a stack; the token is that of the default project unless another one is given."""
    named = {name.removeprefix("CRAFTLOG_").lower(): value for name, value in stack.env.items()}
    settings = Settings(**{**named, "s3_secret_key": SecretStr(named["s3_secret_key"])})  # type: ignore[arg-type] # by name
    client = await nats.connect(settings.nats_url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    database, index = connect(settings), AsyncQdrantClient(url=settings.qdrant_url, check_compatibility=False)
    try:
        async with Api(stack.base_url, token or stack.token) as api, aclosing(Objects(settings)) as objects:
            yield World(stack, api, Log(client), database, objects, index)
    finally:
        await index.close()
        database.client.close()
        await client.close()


async def nothing_of(ask: Callable[[], Awaitable[list[str]]], seconds: float) -> None:
    """Wait until a list is empty; while a server is away it is not."""
    left: list[str] = []

    async def is_empty() -> bool:
        nonlocal left
        try:
            left = await ask()
        except AWAY as error:
            left = [repr(error)]
        return not left

    try:
        await until(is_empty, seconds)
    except TimeoutError:
        raise AssertionError("\n".join(one[:500] for one in left)) from None
