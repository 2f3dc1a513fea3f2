"""What ingest keeps in MongoDB: its read models, their indexes, and the list of what is still to be erased."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from craftlog.contracts.readmodels import (
    ARTIFACTS,
    COPIES,
    DIRECTORIES,
    DISKS,
    MESSAGES,
    PROJECTS,
    SESSIONS,
    SPACES,
    Document,
)
from craftlog.contracts.subjects import Address, Kind
from craftlog.ingest.projection import ERASURES
from craftlog.runtime.mongo import Database, Index, find, reach

# Each one is paid for with every message: these are what the gateway's reads cannot do without.
COLLECTIONS: Final[Mapping[str, Sequence[Index]]] = {
    PROJECTS: [[("created_at", 1)]],
    SESSIONS: [[("project", 1), ("deleted", 1), ("created_at", 1)]],
    MESSAGES: [[("session_id", 1), ("position", 1)]],
    COPIES: [],
    DISKS: [[("project", 1), ("deleted", 1), ("created_at", 1)]],
    ARTIFACTS: [[("disk_id", 1), ("path", 1), ("filename", 1)]],
    DIRECTORIES: [[("disk_id", 1), ("parent", 1), ("name", 1)]],
    SPACES: [[("project", 1), ("created_at", 1)], [("project", 1), ("deleted", 1)]],
    ERASURES: [],
}


class Erasures:
    """The list of what was deleted, until nothing of it can come again; without ``erased_at`` it is still to be erased.

    All methods raise UnavailableError without MongoDB.
    """

    def __init__(self, database: Database) -> None:
        self._list = database[ERASURES]

    async def due(self) -> list[Address]:
        """Return what is still to be erased."""
        return await self._listed({"erased_at": None})

    async def erased(self, address: Address, now: datetime) -> None:
        """Note that an aggregate was erased."""
        change = {"$set": {"erased_at": now}}
        await reach(lambda: self._list.update_one({"_id": f"{address.kind}/{address.id}"}, change))

    async def erased_before(self, time: datetime) -> list[Address]:
        """Return what was erased at a time or before."""
        return await self._listed({"erased_at": {"$lte": time}})

    async def _listed(self, query: Document) -> list[Address]:
        return [
            Address(Kind(kind), one["project"], aggregate_id)
            for one in await find(self._list, query)
            for kind, _, aggregate_id in [one["_id"].partition("/")]
        ]

    async def done(self, address: Address) -> None:
        """Take an aggregate off the list: nothing is left of it but its tombstone."""
        await reach(lambda: self._list.delete_one({"_id": f"{address.kind}/{address.id}"}))
