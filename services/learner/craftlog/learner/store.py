"""What the learner keeps in MongoDB beside its read model: who teaches which space, and where decisions start from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import SessionCreated, SessionDeleted, SpaceConnected
from craftlog.contracts.readmodels import BLOCKS, LESSONS, TREES, Document
from craftlog.contracts.subjects import Address
from craftlog.learner.decider import State
from craftlog.learner.projection import tree
from craftlog.runtime.desk import Snapshot
from craftlog.runtime.mongo import Database, Index, reach

DUE: Final = "learner_due"
PUPILS: Final = "learner_sessions"

COLLECTIONS: Final[Mapping[str, Sequence[Index]]] = {
    TREES: [],
    DUE: [],
    PUPILS: [],
    BLOCKS: [[("space_id", 1), ("parent_id", 1), ("sort", 1)], [("space_id", 1), ("provenance.session_id", 1)]],
    LESSONS: [[("space_id", 1)], [("session_id", 1)]],
}


@dataclass(frozen=True, slots=True)
class Pupil:
    """A session that teaches or taught: its space now, all it ever had, and whether it was deleted."""

    session_id: str
    project: str
    space_id: str
    spaces: tuple[str, ...]
    deleted: bool


class Pupils:
    """The sessions with a space. All methods raise UnavailableError when MongoDB cannot be reached.

    The documents are ``{_id: session id, project, space_id, spaces, deleted}``; they follow from the session events and
    come again when those are consumed again.
    """

    def __init__(self, database: Database) -> None:
        self._pupils = database[PUPILS]

    async def note(self, events: Sequence[Recorded]) -> None:
        """Take in what these events say; taking them in again changes nothing."""
        for recorded in events:
            known = {"_id": recorded.address.id}
            match recorded.event:
                case SessionCreated(space_id=str(space_id)) | SpaceConnected(space_id=space_id):
                    now = {"project": recorded.address.project, "space_id": space_id}
                    change = {"$set": now, "$addToSet": {"spaces": space_id}}
                    await self._update(known, change, upsert=True)
                case SessionDeleted():
                    await self._update(known, {"$set": {"deleted": True}})
                case _:
                    pass

    async def get(self, session_id: str) -> Pupil | None:
        """Return a session, or None where it never had a space."""
        found = await reach(lambda: self._pupils.find_one({"_id": session_id}))
        if found is None or "space_id" not in found:
            return None
        return Pupil(
            session_id, found["project"], found["space_id"], tuple(found["spaces"]), found.get("deleted", False)
        )

    async def forget(self, session_id: str) -> None:
        """Remove a session."""
        await reach(lambda: self._pupils.delete_one({"_id": session_id}))

    async def _update(self, known: Document, change: Document, *, upsert: bool = False) -> None:
        await reach(lambda: self._pupils.update_one(known, change, upsert=upsert))


class Trees:
    """Where the desk starts from: a tree's head, and the tasks that have a lesson."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def snapshot(self, address: Address) -> Snapshot[State] | None:
        """Return the tree as the read model holds it, or None where it holds none."""
        head = await reach(lambda: self._database[TREES].find_one({"_id": address.id}))
        if head is None or "version" not in head:
            return None
        # NOTE: the lessons may be newer than the head, which is written last; a lesson that is there twice is one.
        lessons = await reach(
            lambda: self._database[LESSONS].find({"space_id": address.id}, {"task_id": 1}).to_list(None)
        )
        return Snapshot(tree(head, frozenset(lesson["task_id"] for lesson in lessons)), head["version"], head["seq"])
