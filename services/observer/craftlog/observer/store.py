"""What the observer keeps in MongoDB: its read model, where decisions start from, and what is due."""

from collections.abc import Mapping, Sequence
from typing import Final

from craftlog.contracts.readmodels import BOARDS, OBSERVER_DUE, USAGE
from craftlog.contracts.subjects import Address
from craftlog.observer.decider import State
from craftlog.observer.projection import snapshot
from craftlog.runtime.desk import Snapshot
from craftlog.runtime.due import BY_PROJECT
from craftlog.runtime.mongo import Database, Index, reach

COLLECTIONS: Final[Mapping[str, Sequence[Index]]] = {
    BOARDS: [],
    USAGE: [[("project", 1), ("day", 1)]],
    OBSERVER_DUE: [BY_PROJECT],
}


class Boards:
    """Where the desk starts from."""

    def __init__(self, database: Database) -> None:
        self._boards = database[BOARDS]

    async def snapshot(self, address: Address) -> Snapshot[State] | None:
        """Return the board as the read model holds it, or None where it holds none.

        Raises:
            UnavailableError: MongoDB cannot be reached.
        """
        head = await reach(lambda: self._boards.find_one({"_id": address.id}))
        if head is None or "version" not in head:
            return None
        return Snapshot(snapshot(head), head["version"], head["seq"])
