"""What the gateway asks of read models: queries that a MongoDB answers from an index."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from craftlog.contracts.messages import Part
from craftlog.contracts.readmodels import (
    BLOCKS,
    BOARDS,
    COPIES,
    LESSONS,
    MESSAGES,
    OBSERVER_DUE,
    PROJECTS,
    PROPOSALS,
    SPACES,
    USAGE,
    Document,
)
from craftlog.gateway.cursors import Page, after_time
from craftlog.runtime.claims import PARTS
from craftlog.runtime.mongo import Database, find, reach
from craftlog.runtime.objects import Objects

_FETCHED_AT_ONCE: Final = 8
_COUNTED: Final = (
    "observations",
    "messages",
    "calls",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "cost",
)
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Reads:
    """The read models' children and lists. All methods raise UnavailableError where a store cannot be reached."""

    def __init__(self, database: Database, objects: Objects) -> None:
        self._database = database
        self._objects = objects

    async def heads(self, collection: str, project: str, page: Page, **filters: Any) -> list[Document]:
        """Return heads in order of creation: one more than the page's limit, where there is one more.

        Raises:
            InvalidError: the cursor is none of ours.
        """
        return await self._page(collection, {"project": project, **filters}, page)

    async def projects(self, page: Page) -> list[Document]:
        """Return projects as ``heads`` does other heads."""
        return await self._page(PROJECTS, {}, page)

    async def _page(self, collection: str, wanted: Document, page: Page) -> list[Document]:
        order = -1 if page.time_desc else 1
        # A head without a time stalled before it began.
        query: Document = {**wanted, "created_at": {"$gte": _BEGINNING}}
        if after := after_time(page.cursor):
            time, last_id = after
            beyond = "$lt" if page.time_desc else "$gt"
            query["$or"] = [{"created_at": {beyond: time}}, {"created_at": time, "_id": {beyond: last_id}}]
        return await self._find(collection, query, [("created_at", order), ("_id", order)], page.limit + 1)

    async def messages(self, session_id: str, positions: Sequence[int]) -> list[Document]:
        """Return the messages at these positions, which are ascending, in order."""
        if not positions:
            return []
        first, last = positions[0], positions[-1]
        gapless = last - first + 1 == len(positions)
        wanted: Document = {"$gte": first, "$lte": last} if gapless else {"$in": list(positions)}
        query = {"session_id": session_id, "position": wanted}
        return await self._find(MESSAGES, query, [("position", 1)])

    async def copies(self, begun_before: datetime) -> list[Document]:
        """Return the copies of sessions that began before a time and do not have all messages yet."""
        return [copy for copy in await self._find(COPIES, {}) if copy["begun_at"] < begun_before]

    async def message(self, session_id: str, message_id: str) -> Document | None:
        """Return a message by its id."""
        found = await self._find(MESSAGES, {"_id": f"{session_id}/{message_id}"})
        return found[0] if found else None

    async def parked(self, project: str, first: str, most: int) -> tuple[list[Document], list[Document]]:
        """Return boards that go on without messages, and work on sessions that is parked, from this session on."""
        wanted: Document = {"project": project, "parked": True, "_id": {"$gte": first}}
        boards = await find(self._database[BOARDS], wanted, [("_id", 1)], most, ["skipped"])
        return boards, await find(self._database[OBSERVER_DUE], wanted, [("_id", 1)], most)

    async def parts(self, stored: Sequence[Document]) -> list[tuple[Part, ...]]:
        """Return each message's parts, from the bucket where they are too large for the log.

        Raises:
            ObjectMissingError: the session is being erased.
        """
        large = [one["parts_ref"]["key"] for one in stored if one.get("parts_ref")]
        fetched: list[tuple[Part, ...]] = []
        for start in range(0, len(large), _FETCHED_AT_ONCE):
            some = large[start : start + _FETCHED_AT_ONCE]
            fetched += [PARTS.validate_json(data) for data in await asyncio.gather(*map(self._objects.get, some))]
        of_large = iter(fetched)
        return [next(of_large) if one.get("parts_ref") else PARTS.validate_python(one["parts"]) for one in stored]

    async def deleted_spaces(self, project: str, among: Collection[str] | None = None) -> set[str]:
        """Return the deleted spaces of a project, or those of these that are."""
        some = {} if among is None else {"_id": {"$in": list(among)}}
        return {head["_id"] for head in await self._find(SPACES, {"project": project, "deleted": True, **some})}

    async def lessons(self, space_id: str, session_id: str) -> dict[str, Document]:
        """Return the lessons that a space drew from a session, by task id."""
        found = await self._find(LESSONS, {"space_id": space_id, "session_id": session_id})
        return {lesson["task_id"]: lesson for lesson in found}

    async def blocks(self, space_id: str, parent_id: str | None, kind: str | None) -> list[Document]:
        """Return the blocks directly below a block, or those at the root, by type and place."""
        query: Document = {"space_id": space_id, "parent_id": parent_id} | ({"type": kind} if kind else {})
        return await self._find(BLOCKS, query, [("type", 1), ("sort", 1)])

    async def block(self, space_id: str, block_id: str) -> Document | None:
        """Return a block of a space."""
        return (await self.blocks_by_id(space_id, [block_id])).get(block_id)

    async def blocks_by_id(self, space_id: str, ids: Sequence[str]) -> dict[str, Document]:
        """Return those of these blocks that are in a space."""
        found = await self._find(BLOCKS, {"_id": {"$in": list(ids)}})
        return {block["_id"]: block for block in found if block["space_id"] == space_id}

    async def proposal(self, space_id: str, proposal_id: str) -> Document | None:
        """Return what was proposed to a space."""
        found = await self._find(PROPOSALS, {"_id": proposal_id})
        return found[0] if found and found[0]["space_id"] == space_id else None

    async def tools(self, project: str) -> Counter[str]:
        """Return in how many steps each tool of a project is used."""
        wanted = {"project": project, "type": "sop"}
        found = self._database[BLOCKS].find(wanted, ["props.tool_sops.tool_name"])
        blocks = await reach(lambda: found.to_list(None))
        return Counter(step["tool_name"] for block in blocks for step in block["props"].get("tool_sops", ()))

    async def observing_due(self, session_id: str) -> Document:
        """Return what is not yet done of observing a session, and why; empty where nothing is due."""
        found = await self._find(OBSERVER_DUE, {"_id": session_id})
        return found[0] if found else {}

    async def usage(self, project: str, first: str, last: str) -> list[Document]:
        """Return what observing took of the days first to last on which there was any, summed over the sessions."""
        stages: list[Document] = [
            {"$match": {"project": project, "day": {"$gte": first, "$lte": last}}},
            {"$group": {"_id": "$day", **{name: {"$sum": f"${name}"} for name in _COUNTED}}},
            {"$sort": {"_id": 1}},
        ]
        days = await reach(lambda: self._database[USAGE].aggregate(stages).to_list(None))
        return [{"day": day["_id"], **{name: day[name] for name in _COUNTED}} for day in days]

    async def _find(
        self, collection: str, query: Document, order: Sequence[tuple[str, int]] = (), limit: int = 0
    ) -> list[Document]:
        cursor = self._database[collection].find(query).limit(limit)
        return await reach(lambda: (cursor.sort(list(order)) if order else cursor).to_list(None))
