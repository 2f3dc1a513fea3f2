"""Read models that were dropped, or lost with their server, are made again from the log."""

from collections.abc import Iterable, Mapping

from craftlog.runtime.log import Log
from craftlog.runtime.mongo import Database, Index, ensure_collections, reach


async def prepare(
    database: Database, log: Log, indexes: Mapping[str, Iterable[Index]], filled_by: Mapping[str, Iterable[str]]
) -> None:
    """Create a service's collections; whatever fills one that is not there begins with the first event again.

    Args:
        database: where they are.
        log: what fills them.
        indexes: of all collections, as ``ensure_collections`` takes them.
        filled_by: the durables whose memory is in a collection; what else they fill is dropped together with it.

    Raises:
        UnavailableError: MongoDB or the log cannot be reached.
    """
    there = await reach(database.list_collection_names)
    # Before the collection is there: who is killed in between finds it missing once more.
    for durable in {one for name, durables in filled_by.items() if name not in there for one in durables}:
        await log.forget(durable)
    await ensure_collections(database, indexes)
