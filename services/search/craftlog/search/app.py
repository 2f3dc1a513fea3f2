"""Puts the search service together: the one place that reads the environment and builds clients."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

from qdrant_client import AsyncQdrantClient

from craftlog.contracts.subjects import Kind
from craftlog.llm.embeddings import OfflineEmbedder
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.log import Log, patiently
from craftlog.runtime.projector import Projector
from craftlog.runtime.service import Running, broker, run
from craftlog.runtime.settings import Settings
from craftlog.runtime.telemetry import configure
from craftlog.search.handlers import Answers
from craftlog.search.projection import project
from craftlog.search.store import SkillIndex

_SERVICE: Final = "search"
_DURABLE: Final = "search-tree"
_QDRANT_TIMEOUT: Final = 5
_LOOK_EVERY: Final = 1.0


def main() -> None:
    """Run until a signal ends it."""
    settings = Settings()
    configure(_SERVICE, settings)
    nats = broker(settings, _SERVICE)
    embedder = OfflineEmbedder()

    @asynccontextmanager
    async def start(log: Log) -> AsyncIterator[Running]:
        client = AsyncQdrantClient(url=settings.qdrant_url, timeout=_QDRANT_TIMEOUT, check_compatibility=False)
        index = SkillIndex(client, embedder)
        try:
            yield Running(
                projectors=[Projector(log, index, durable=_DURABLE, kind=Kind.TREE, project=project)],
                background=[partial(keep, log, index)],
                answers={"experience": Answers(index, embedder).experience},
                probes={"qdrant": index.exists},
            )
        finally:
            await client.close()

    run(_SERVICE, nats, start)


class IndexLostError(Exception):
    """The index is gone; the next start of this service makes it anew, and forgets what it knew of the old one."""


async def keep(log: Log, index: SkillIndex) -> None:
    """Make the index, and look after it.

    Raises:
        IndexLostError: somebody removed it, or Qdrant lost it.
    """
    await patiently(partial(prepare, log, index))
    while True:
        await asyncio.sleep(_LOOK_EVERY)
        with suppress(UnavailableError):
            if not await index.exists():
                raise IndexLostError(index.collection)


async def prepare(log: Log, index: SkillIndex) -> None:
    """Make the index where there is none, and have it filled from the first event on.

    An index is new after another model was chosen, or after Qdrant was lost. The projector waits until it exists,
    which is why the consumer is forgotten first.

    Raises:
        UnavailableError: Qdrant or the log cannot be reached.
    """
    if not await index.exists():
        await log.forget(_DURABLE)
    await index.prepare()
