"""What ingest keeps in MongoDB: its read models, their indexes, and which erasures are still to be done."""

from collections.abc import Mapping, Sequence
from typing import Final

from craftlog.contracts.readmodels import ARTIFACTS, DISKS, MESSAGES, SESSIONS, SPACES
from craftlog.contracts.subjects import Address, Kind
from craftlog.runtime.mongo import Database, Index, reach

INDEXES: Final[Mapping[str, Sequence[Index]]] = {
    SESSIONS: [[("project", 1), ("deleted", 1), ("created_at", 1)], [("erased", 1)]],
    MESSAGES: [[("session_id", 1), ("position", 1)], [("message_id", 1)]],
    DISKS: [[("project", 1), ("deleted", 1), ("created_at", 1)], [("erased", 1)]],
    ARTIFACTS: [[("disk_id", 1), ("path", 1)]],
    SPACES: [[("project", 1), ("created_at", 1)]],
}
_ERASED_HERE: Final = {Kind.SESSION: SESSIONS, Kind.DISK: DISKS}


class Erasures:
    """The aggregates that were deleted and not yet erased, as their heads say."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self) -> list[Address]:
        """Return those whose erasure has not been completed."""
        found: list[Address] = []
        for kind, heads in _ERASED_HERE.items():
            unfinished = await reach(lambda name=heads: self._database[name].find({"erased": False}).to_list(None))  # type: ignore[misc] # bound at once
            found += [Address(kind, head["project"], head["_id"]) for head in unfinished]
        return found

    async def done(self, address: Address) -> None:
        """Note that nothing is left of an aggregate but its tombstone."""
        heads = self._database[_ERASED_HERE[address.kind]]
        await reach(lambda: heads.update_one({"_id": address.id}, {"$set": {"erased": True}}))
