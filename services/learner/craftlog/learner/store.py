"""What the learner keeps in MongoDB beside its read model: who teaches which space, and where decisions start from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import SessionCreated, SessionDeleted, SpaceConnected
from craftlog.contracts.readmodels import BLOCKS, FORGOTTEN, LESSONS, PROPOSALS, TREES, Document
from craftlog.contracts.subjects import Address, Kind
from craftlog.learner.decider.state import State
from craftlog.learner.projection import Stored, tree
from craftlog.runtime.desk import Snapshot
from craftlog.runtime.mongo import Database, Index, reach

DUE: Final = "learner_due"
PUPILS: Final = "learner_sessions"
_OF_BLOCKS: Final = ("type", "parent_id", "sort", "title", "props", "provenance.session_id", "by_person", "request")

_STEADY: Final = [("space_id", 1), ("provenance.session_id", 1)]
COLLECTIONS: Final[Mapping[str, Sequence[Index]]] = {
    TREES: [],
    DUE: [],
    PUPILS: [],
    BLOCKS: [
        [("space_id", 1), ("parent_id", 1), ("sort", 1)],
        _STEADY,
        [("project", 1), ("type", 1)],
    ],
    LESSONS: [[("space_id", 1)], [("session_id", 1)]],
    PROPOSALS: [[("space_id", 1), ("created_at", 1)]],
    FORGOTTEN: [[("space_id", 1)]],
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
    """The trees as the read model has them. All methods raise UnavailableError when MongoDB cannot be reached."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def snapshot(self, address: Address) -> Snapshot[State] | None:
        """Return the tree as the read model holds it, or None where it holds none."""
        head = await reach(lambda: self._database[TREES].find_one({"_id": address.id}))
        if head is None or "version" not in head:
            return None
        stored = Stored(
            head,
            blocks=await self._children(BLOCKS, address, _OF_BLOCKS),
            lessons=await self._children(LESSONS, address, ("task_id",)),
            proposals=await self._children(PROPOSALS, address, ("proposed",), state="open"),
            forgotten=await self._children(FORGOTTEN, address, ("session_id",)),
        )
        return Snapshot(tree(stored), head["version"], head["seq"])

    async def using(self, project: str, tools: Sequence[str]) -> list[Address]:
        """Return the trees of a project in which one of these tools is used."""
        wanted = {"project": project, "type": "sop", "props.tool_sops.tool_name": {"$in": list(tools)}}
        found = await reach(lambda: self._database[BLOCKS].distinct("space_id", wanted))
        return [Address(Kind.TREE, project, space_id) for space_id in sorted(found)]

    async def _children(
        self, collection: str, address: Address, fields: Sequence[str], **wanted: str
    ) -> list[Document]:
        found = self._database[collection].find({"space_id": address.id, **wanted}, list(fields))
        # A scan can miss what moves in its index meanwhile, and nothing of these does.
        steady = found.hint(_STEADY) if collection == BLOCKS else found
        return await reach(lambda: steady.to_list(None))
