"""MongoDB: the connection, and read models in it.

The only module that knows the driver, since motor is at the end of its life.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any, Final, TypeVar

from bson.codec_options import CodecOptions
from bson.errors import InvalidDocument
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError, ConnectionFailure, DocumentTooLarge, OperationFailure, PyMongoError

from craftlog.contracts.questions import Stalled
from craftlog.contracts.readmodels import Document
from craftlog.runtime.errors import ConflictError, RefusedError, UnavailableError
from craftlog.runtime.projector import Folded, document
from craftlog.runtime.settings import Settings

Database = AsyncIOMotorDatabase[Document]
Collection = AsyncIOMotorCollection[Document]
Index = Sequence[tuple[str, int]]
T = TypeVar("T")

_DUPLICATE_KEY: Final = 11000
_EXISTS: Final = 48
# Errors of the server and not of the document: no permission (13, 18), out of time (50, 262), conflicts (112), no disk.
_NOT_THE_DOCUMENTS_FAULT: Final = frozenset((13, 18, 50, 112, 262, 14031))


def connect(settings: Settings) -> Database:
    """Return the database; the driver connects when it is first used. Datetimes come back in UTC, with a time zone."""
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
        settings.mongo_url, serverSelectionTimeoutMS=2000, connectTimeoutMS=2000, socketTimeoutMS=20000, tz_aware=True
    )
    options: CodecOptions[Document] = CodecOptions(tz_aware=True, tzinfo=UTC)
    return client.get_database(settings.mongo_database, codec_options=options)


async def ensure_collections(database: Database, indexes: Mapping[str, Iterable[Index]]) -> None:
    """Create each collection and its indexes; those that exist stay.

    All that a service writes should be here: a collection that is left to its first write comes to be in the middle of
    the work, and the embedded server cannot open its files again where it is killed over that.

    Raises:
        UnavailableError: MongoDB cannot be reached, or somebody else creates the same at this moment.
    """
    there = await reach(database.list_collection_names)
    for collection, keys in indexes.items():
        if collection not in there:
            await reach(lambda name=collection: _create(database, name))  # type: ignore[misc] # bound at once
        for index in keys:
            await reach(lambda name=collection, by=list(index): database[name].create_index(by))  # type: ignore[misc]


async def _create(database: Database, collection: str) -> None:
    try:
        await database.create_collection(collection)
    except OperationFailure as error:
        if error.code != _EXISTS:
            raise


async def reach(ask: Callable[[], Awaitable[T]]) -> T:
    """Await a driver call and translate what can go wrong.

    Raises:
        UnavailableError: MongoDB cannot be reached or cannot answer now.
        RefusedError: MongoDB will never take this document.
        BulkWriteError: some documents of a bulk write were not written; its details say which.
    """
    try:
        return await ask()
    except BulkWriteError:
        raise
    except (InvalidDocument, DocumentTooLarge, OverflowError, UnicodeEncodeError) as error:
        raise RefusedError("MongoDB cannot hold this", error) from error
    except ConnectionFailure as error:
        raise UnavailableError("MongoDB cannot be reached", error) from error
    except OperationFailure as error:
        if error.code in _NOT_THE_DOCUMENTS_FAULT:
            raise UnavailableError("MongoDB cannot do it now", error) from error
        raise RefusedError("MongoDB refuses", error) from error
    except PyMongoError as error:
        raise UnavailableError("MongoDB does not answer", error) from error


async def find(
    collection: Collection,
    query: Document,
    order: Sequence[tuple[str, int]] = (),
    limit: int = 0,
    fields: Sequence[str] | None = None,
) -> list[Document]:
    """Return all documents that match, in order: of each its ``_id`` and these fields, or all of it.

    Raises:
        UnavailableError: MongoDB cannot be reached or cannot answer now.
    """
    cursor = collection.find(query, fields).limit(limit)
    return await reach(lambda: (cursor.sort(list(order)) if order else cursor).to_list(None))


async def by_id(collection: Collection, ids: Sequence[str]) -> dict[str, Document]:
    """Return the documents with these ids that are there; raises UnavailableError as ``find`` does."""
    return {found["_id"]: found for found in await find(collection, {"_id": {"$in": list(ids)}})}


class MongoStore:
    """A read model in MongoDB: heads in one collection, children in others.

    Args:
        heads: the collection of the heads.
        insert_only: collections whose children never change, where a duplicate key means that it was written before.
        mostly_new: collections most of whose children are new when they are written. To insert one, and replace it only
            where it was there, takes a third of what an upsert does.
    """

    def __init__(
        self,
        database: Database,
        heads: str,
        *,
        insert_only: frozenset[str] = frozenset(),
        mostly_new: frozenset[str] = frozenset(),
    ) -> None:
        self._database = database
        self._heads = database[heads]
        self._insert_only = insert_only
        self._mostly_new = mostly_new

    async def heads(self, ids: Sequence[str]) -> dict[str, Document]:
        """Return the stored heads by id."""
        found = await reach(lambda: self._heads.find({"_id": {"$in": list(ids)}}).to_list(None))
        return {head["_id"]: head for head in found}

    async def write(self, batch: Sequence[Folded]) -> dict[str, str]:
        """Write children, then heads; where a document is refused, each aggregate on its own to find whose it is."""
        try:
            await self._write_children(batch)
            await self._write_heads(batch)
        except RefusedError as refusal:
            if len(batch) == 1:
                return {batch[0].address.id: str(refusal)}
            refused: dict[str, str] = {}
            for one in batch:
                refused |= await self.write([one])
            return refused
        return {}

    async def stall(self, stalled: Stalled) -> None:
        """Mark a head, which may not exist yet."""
        mark = stalled.model_dump()
        await reach(
            lambda: self._heads.update_one(
                {"_id": stalled.id}, {"$set": {"stalled": mark, "project": stalled.project}}, upsert=True
            )
        )

    async def stalled(self) -> list[Stalled]:
        """Return the marks."""
        marked = await reach(lambda: self._heads.find({"stalled": {"$exists": True}}).to_list(None))
        return [Stalled.model_validate(head["stalled"]) for head in marked]

    async def _write_children(self, batch: Sequence[Folded]) -> None:
        writes: dict[str, list[InsertOne[Document] | ReplaceOne[Document] | UpdateOne | DeleteOne]] = {}
        for one in batch:
            for (collection, child_id), child in one.changes.children.items():
                writes.setdefault(collection, []).append(self._write_of(collection, child_id, child))
            for (collection, child_id), values in one.changes.patches.items():
                writes.setdefault(collection, []).append(UpdateOne({"_id": child_id}, {"$set": values}))
        for collection, requests in writes.items():
            there = await self._bulk(collection, requests)
            if there and collection in self._mostly_new:
                known = {one["_id"]: one for one in there}
                await self._bulk(collection, [ReplaceOne({"_id": key}, one, upsert=True) for key, one in known.items()])
        for one in batch:
            for collection, query in one.changes.drop:
                await reach(lambda name=collection, match=query: self._database[name].delete_many(match))  # type: ignore[misc]

    def _write_of(
        self, collection: str, child_id: str, child: Document | None
    ) -> InsertOne[Document] | ReplaceOne[Document] | DeleteOne:
        if child is None:
            return DeleteOne({"_id": child_id})
        stored = {**child, "_id": child_id}
        if collection in self._insert_only or collection in self._mostly_new:
            return InsertOne(stored)
        return ReplaceOne({"_id": child_id}, stored, upsert=True)

    async def _write_heads(self, batch: Sequence[Folded]) -> None:
        requests = [
            ReplaceOne({"_id": one.address.id, "version": one.old_version or None}, document(one), upsert=True)
            for one in batch
        ]
        if await self._bulk(self._heads.name, requests):
            raise ConflictError("another projector has written these heads")

    async def _bulk(self, collection: str, requests: Sequence[Any]) -> list[Document]:
        """Write all that can be written; return the documents that met a duplicate key.

        Raises:
            RefusedError: a document was refused for another reason.
            UnavailableError: something else than a document was in the way.
        """
        try:
            await reach(lambda: self._database[collection].bulk_write(list(requests), ordered=False))
        except BulkWriteError as error:
            failures = error.details.get("writeErrors", [])
            others = [failure for failure in failures if failure.get("code") != _DUPLICATE_KEY]
            if not failures or any(failure.get("code") in _NOT_THE_DOCUMENTS_FAULT for failure in others):
                raise UnavailableError("MongoDB cannot write now", others or error.details) from error
            if others:
                raise RefusedError("MongoDB refuses", others[0].get("errmsg")) from error
            # Of an upsert that met itself the error has an update, whose document is its second part.
            return [failure["op"].get("u", failure["op"]) for failure in failures]
        return []
