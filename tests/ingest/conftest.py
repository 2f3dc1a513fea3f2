"""Ingest on real servers of its own, in this process, so that a test can break any part of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from craftlog.contracts.subjects import Address
from craftlog.ingest.app import start
from craftlog.runtime.service import Running
from craftlog.runtime.settings import Settings
from craftlog.testing.backing import Backing, backing, running
from craftlog.testing.servers import S3


class World(Backing[Settings]):
    """What ingest touches."""

    async def head(self, collection: str, address: Address, **wanted: Any) -> dict[str, Any]:
        """Return the head of an aggregate, empty while it has not these values."""
        return await self.document(collection, address.id, **wanted)


@pytest.fixture
async def world(tmp_path: Path, mongo_url: str, s3: S3) -> AsyncIterator[World]:
    async with backing(World, Settings, tmp_path, mongo_url, s3) as world:
        yield world


@pytest.fixture
def ingest(world: World) -> Callable[..., AbstractAsyncContextManager[Running]]:
    """Give `async with ingest() as parts:`, which runs ingest in the block, with its eraser or without."""

    @asynccontextmanager
    async def serving(*, erasing: bool = True) -> AsyncIterator[Running]:
        async with start(world.settings, world.log) as parts:
            wanted = [*(projector.run for projector in parts.projectors), *(parts.background if erasing else ())]
            async with running(wanted):
                yield parts

    return serving
