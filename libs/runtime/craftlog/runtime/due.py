"""Due work as data: one document an item in MongoDB, so that it survives whoever does it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from pymongo import UpdateOne

from craftlog.contracts.readmodels import Document
from craftlog.runtime.mongo import Database, Index, find, reach

# For whoever lists what is parked in a project.
BY_PROJECT: Final[Index] = [("project", 1), ("parked", 1), ("_id", 1)]
HEARTBEAT: Final = 5.0  # seconds after which a lease is prolonged
LOOK: Final = 15.0  # seconds after which one looks for what others have left lying
_LEASE: Final = timedelta(seconds=15)
# Longer than what is debounced is usually put off in the memory of whoever marked it.
_NEGLECTED: Final = timedelta(minutes=1)
_DELAYS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Item:
    """Work on one aggregate.

    ``since`` is when it first became due, ``data`` is the reactor's own, ``traceparent`` the trace of what made it due.
    Of an item that failed, ``due_at`` is the next attempt, ``error`` why it waits, and ``alike`` how often the same
    came in a row. With ``parked_at`` there is no next attempt until somebody asks for one.
    """

    key: str
    project: str
    due_at: datetime
    since: datetime
    data: Document = field(default_factory=dict)
    traceparent: str | None = None
    tries: int = 0
    alike: int = 0
    error: str | None = None
    parked_at: datetime | None = None


def failed(item: Item, tried: Item, reason: str, now: datetime) -> Item:
    """Return an item, as it was marked meanwhile, after it was tried and failed: the more often the longer it waits."""
    return replace(
        item,
        due_at=now + timedelta(seconds=_DELAYS[min(tried.tries, len(_DELAYS) - 1)]),
        tries=tried.tries + 1,
        alike=tried.alike + 1 if tried.error == reason else 1,
        error=reason,
    )


class Due:
    """The collection. All methods raise UnavailableError when MongoDB cannot be reached."""

    def __init__(self, database: Database, collection: str) -> None:
        self.name = collection
        self._due = database[collection]
        self._me = uuid4().hex

    async def load(self) -> list[Item]:
        """Return all items."""
        return [_item(stored) for stored in await find(self._due, {})]

    async def parked(self, keys: Collection[str]) -> set[str]:
        """Return which of these are parked."""
        wanted: Document = {"_id": {"$in": list(keys)}, "parked": True}
        return {stored["_id"] for stored in await find(self._due, wanted, fields=["_id"])} if keys else set()

    async def get(self, key: str) -> Item | None:
        """Return an item."""
        stored = await reach(lambda: self._due.find_one({"_id": key}))
        return _item(stored) if stored else None

    async def mark(self, items: Sequence[Item]) -> None:
        """Store when these are due, and why; what they have failed of before stays."""
        marks = {item.key: _when(item) | _what(item) | {"marked": True} for item in items}
        requests = [UpdateOne({"_id": key}, {"$set": mark}, upsert=True) for key, mark in marks.items()]
        await reach(lambda: self._due.bulk_write(requests, ordered=False))

    async def claim(self, key: str, now: datetime) -> bool:
        """Take the lease of an item that is not parked; False where somebody has it, or there is no such item."""
        free = {"_id": key, "parked": {"$ne": True}, "lease_until": {"$not": {"$gt": now}}}
        taken = {"lease_until": now + _LEASE, "lease_of": self._me, "marked": False}
        result = await reach(lambda: self._due.update_one(free, {"$set": taken}))
        return bool(result.matched_count)

    async def prolong(self, key: str, now: datetime) -> None:
        """Keep the lease, unless it ran out and is another's."""
        await reach(lambda: self._due.update_one(self._own(key), {"$set": {"lease_until": now + _LEASE}}))

    async def release(self, item: Item) -> bool:
        """Give the lease back and store what became of the item; False where it was dropped, or is another's by now."""
        state = _when(item) | _what(item) | _how(item) | {"lease_until": None}
        result = await reach(lambda: self._due.update_one(self._own(item.key), {"$set": state}))
        return bool(result.matched_count)

    async def unpark(self, item: Item) -> bool:
        """Store an item that was parked as due again; False where it is no longer parked."""
        change = {"$set": _when(item) | _how(item)}
        result = await reach(lambda: self._due.update_one({"_id": item.key, "parked": True}, change))
        return bool(result.matched_count)

    async def remove(self, key: str) -> None:
        """Remove an item that was done; one that another process has marked meanwhile is only given back."""
        own = self._own(key)
        result = await reach(lambda: self._due.delete_one({**own, "marked": False}))
        if not result.deleted_count:
            await reach(lambda: self._due.update_one(own, {"$set": {"lease_until": None}}))

    async def neglected(self, now: datetime) -> list[Item]:
        """Return what has long been due and nobody does: whoever marked it may have ended, or stand still."""
        overdue: Document = {"parked": {"$ne": True}, "due_at": {"$lte": now - _NEGLECTED}}
        return [_item(stored) for stored in await find(self._due, {**overdue, "lease_until": {"$not": {"$gt": now}}})]

    async def remove_all(self, keys: Collection[str]) -> None:
        """Remove these items."""
        await reach(lambda: self._due.delete_many({"_id": {"$in": list(keys)}}))

    async def remove_parked(self, key: str) -> bool:
        """Remove a parked item; False where it is not, or no longer, parked."""
        result = await reach(lambda: self._due.delete_one({"_id": key, "parked": True}))
        return bool(result.deleted_count)

    def _own(self, key: str) -> Document:
        return {"_id": key, "lease_of": self._me}


def _when(item: Item) -> Document:
    return {"due_at": item.due_at, "since": item.since}


def _what(item: Item) -> Document:
    return {"project": item.project, "data": item.data, "traceparent": item.traceparent}


def _how(item: Item) -> Document:
    failed = {"tries": item.tries, "alike": item.alike, "error": item.error}
    return failed | {"parked": item.parked_at is not None, "parked_at": item.parked_at}


def _item(stored: Document) -> Item:
    return Item(
        key=stored["_id"],
        project=stored["project"],
        due_at=stored["due_at"],
        since=stored["since"],
        data=stored["data"],
        traceparent=stored.get("traceparent"),
        tries=stored.get("tries", 0),
        alike=stored.get("alike", 0),
        error=stored.get("error"),
        parked_at=stored.get("parked_at"),
    )
