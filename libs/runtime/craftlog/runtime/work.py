"""A reactor's due work: what is due and when is data, the slow part runs in a pool under a lease."""

import asyncio
import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from pymongo import UpdateOne

from craftlog.contracts.questions import ConsumerHealth, Stalled
from craftlog.contracts.readmodels import Document
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.mongo import Database, reach
from craftlog.runtime.telemetry import span

_DELAYS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_SAME_ERROR_IS_POISON: Final = 5
_LEASE: Final = timedelta(seconds=15)
_HEARTBEAT: Final = 5.0
_LONGEST_NAP: Final = 1.0

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Item:
    """Work on one aggregate.

    ``since`` is when it first became due, ``data`` is the reactor's own, ``traceparent`` the trace of what made it due.
    """

    key: str
    project: str
    due_at: datetime
    since: datetime
    data: Document = field(default_factory=dict)
    traceparent: str | None = None
    tries: int = 0
    alike: int = 0  # how often the same error came in a row
    error: str | None = None


Perform = Callable[[Item], Awaitable[datetime | None]]


class Work:
    """Remember what is due, and do it: at most ``parallel`` at once and ``per_project`` of one project.

    ``perform`` does the work of one item, all of it or none, and may be called again for work that is done; it returns
    when to look again, or None. UnavailableError means later; any other error that comes five times in a row is poison:
    the item is parked with its reason until the service starts again.
    """

    def __init__(
        self,
        database: Database,
        collection: str,
        perform: Perform,
        *,
        kind: str,
        parallel: int = 8,
        per_project: int = 4,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.parked: dict[str, Item] = {}
        self._due = database[collection]
        self._perform = perform
        self._kind = kind
        self._parallel = parallel
        self._per_project = per_project
        self._clock = clock
        self._items: dict[str, Item] = {}
        self._stored_due: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []
        self._running: dict[str, asyncio.Task[None]] = {}
        self._busy: Counter[str] = Counter()
        self._held_back: defaultdict[str, deque[tuple[datetime, str]]] = defaultdict(deque)
        self._marked_while_running: set[str] = set()
        self._news = asyncio.Event()
        self._away: str | None = None
        # What is stored and what is in memory change together: a mark must not fall between the two.
        self._changing = asyncio.Lock()

    def get(self, key: str) -> Item | None:
        """Return what is known to be due for a key."""
        return self._items.get(key)

    async def load(self) -> None:
        """Take up what was due when the last process ended."""
        for stored in await reach(lambda: self._due.find({}).to_list(None)):
            when = (stored["due_at"], stored["since"])
            item = Item(stored["_id"], stored["project"], *when, stored["data"], stored.get("traceparent"))
            self._stored_due[item.key] = item.due_at
            self._put(item)

    async def mark(self, items: Sequence[Item]) -> None:
        """Make work due, or due at another time. What is due later than stored is remembered in memory only.

        After a restart such an item is done too early, never too late, and a debounced item costs one write.
        """
        async with self._changing:
            earlier = [item for item in items if self._is_news(item)]
            if earlier:
                await reach(lambda: self._due.bulk_write([_stored(item) for item in earlier], ordered=False))
            self._stored_due |= {item.key: item.due_at for item in earlier}
            for item in items:
                if item.key in self._running:
                    self._marked_while_running.add(item.key)
                self._put(item)

    async def forget(self, keys: Iterable[str]) -> None:
        """Drop work on aggregates that are gone."""
        gone = list(keys)
        async with self._changing:
            for key in gone:
                self._items.pop(key, None)
                self._stored_due.pop(key, None)
                self.parked.pop(key, None)
            await reach(lambda: self._due.delete_many({"_id": {"$in": gone}}))

    async def run(self) -> None:
        """Do what is due until cancelled."""
        try:
            while True:
                self._start_what_is_due()
                self._news.clear()
                # Not wait_for: up to Python 3.11 it can swallow a cancellation.
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._nap()):
                        await self._news.wait()
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    @property
    def stalled(self) -> dict[str, Stalled]:
        """Return the parked items by key, as health shows them."""
        return {
            key: Stalled(kind=self._kind, project=item.project, id=key, version=0, reason=item.error or "")
            for key, item in self.parked.items()
        }

    def health(self) -> ConsumerHealth:
        """Return how much is due and not yet done, and what it waits for, where a dependency is away."""
        now = self._clock()
        due = sum(item.due_at <= now and item.key not in self.parked for item in self._items.values())
        return ConsumerHealth(name=self._due.name, lag=due, error=self._away)

    def _is_news(self, item: Item) -> bool:
        stored = self._stored_due.get(item.key)
        return stored is None or item.due_at < stored or item.key in self._running

    def _put(self, item: Item) -> None:
        self._items[item.key] = item
        heapq.heappush(self._heap, (item.due_at, item.key))
        self._news.set()

    def _nap(self) -> float:
        if not self._heap or len(self._running) >= self._parallel:
            return _LONGEST_NAP
        return min(max((self._heap[0][0] - self._clock()).total_seconds(), 0.0), _LONGEST_NAP)

    def _start_what_is_due(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now and len(self._running) < self._parallel:
            entry = heapq.heappop(self._heap)
            if not self._holds(entry):
                continue
            item = self._items[entry[1]]
            if self._busy[item.project] >= self._per_project:
                # Out of the heap, or the loop would find it due again and again until one of its project is done.
                self._held_back[item.project].append(entry)
                continue
            self._busy[item.project] += 1
            self._running[item.key] = asyncio.create_task(self._do(item))

    def _let_in(self, project: str) -> None:
        """Give a place that has become free to the next one that was held back."""
        self._busy[project] -= 1
        held_back = self._held_back[project]
        while held_back:
            entry = held_back.popleft()
            if self._holds(entry):
                heapq.heappush(self._heap, entry)
                return

    def _holds(self, entry: tuple[datetime, str]) -> bool:
        """Tell whether an entry still says when its item is due: a later mark replaces it."""
        due_at, key = entry
        item = self._items.get(key)
        return item is not None and item.due_at == due_at and key not in self._running and key not in self.parked

    async def _do(self, item: Item) -> None:
        try:
            if await self._claim(item):
                again_at = await self._under_lease(item)
                self._away = None
                async with self._changing:
                    await self._finish(item, again_at)
            else:
                self._again(item, replace(item, due_at=self._clock() + timedelta(seconds=1)))
        except asyncio.CancelledError:
            # The service ends: its successor need not wait for the lease to run out.
            with suppress(UnavailableError):
                await self._release(item)
            raise
        except UnavailableError as error:
            self._away = str(error)
            await self._postpone(item, self._later(item, self._away))
        except Exception as error:
            logger.exception("work_failed", kind=self._kind, key=item.key)
            later = self._later(item, repr(error))
            await self._postpone(item, later)
            poison = later.alike >= _SAME_ERROR_IS_POISON
            # What was marked meanwhile may be the very thing that helps, such as a deletion.
            if poison and item.key not in self._marked_while_running:
                self.parked[item.key] = later
        finally:
            self._running.pop(item.key, None)
            self._let_in(item.project)
            self._marked_while_running.discard(item.key)
            self._news.set()

    async def _claim(self, item: Item) -> bool:
        now = self._clock()
        free = {"_id": item.key, "lease_until": {"$not": {"$gt": now}}}
        result = await reach(lambda: self._due.update_one(free, {"$set": {"lease_until": now + _LEASE}}))
        if result.matched_count == 0 and not await reach(lambda: self._due.find_one({"_id": item.key})):
            # Another process has done it, or it was forgotten: store it again only if this process still wants it.
            self._stored_due.pop(item.key, None)
            if self._items.get(item.key):
                await self.mark([item])
        return bool(result.matched_count)

    async def _under_lease(self, item: Item) -> datetime | None:
        with span(f"{self._kind} work", item.traceparent):
            performing = asyncio.ensure_future(self._perform(item))
        try:
            while True:
                done, _ = await asyncio.wait({performing}, timeout=_HEARTBEAT)
                if done:
                    return performing.result()
                until = self._clock() + _LEASE
                await reach(lambda: self._due.update_one({"_id": item.key}, {"$set": {"lease_until": until}}))  # noqa: B023
        finally:
            performing.cancel()

    async def _finish(self, item: Item, again_at: datetime | None) -> None:
        newer = self._items.get(item.key)
        if item.key in self._marked_while_running and newer is not None:
            await self._release(newer)
            self._put(newer)
        elif again_at is not None:
            later = replace(item, due_at=again_at, since=self._clock(), tries=0, alike=0, error=None)
            await self._release(later)
            self._again(item, later)
        elif newer is not None:
            await reach(lambda: self._due.delete_one({"_id": item.key}))
            self._items.pop(item.key, None)
            self._stored_due.pop(item.key, None)

    async def _release(self, item: Item) -> None:
        await reach(
            lambda: self._due.update_one(
                {"_id": item.key}, {"$set": {"due_at": item.due_at, "since": item.since, "lease_until": None}}
            )
        )
        self._stored_due[item.key] = item.due_at

    async def _postpone(self, item: Item, later: Item) -> None:
        async with self._changing:
            # Where the lease cannot be given back it runs out by itself.
            with suppress(UnavailableError):
                await self._release(later)
            self._again(item, later)

    def _again(self, item: Item, later: Item) -> None:
        if item.key in self._items:
            self._put(later)

    def _later(self, item: Item, error: str) -> Item:
        tries = item.tries + 1
        alike = item.alike + 1 if item.error == error else 1
        delay = _DELAYS[min(tries, len(_DELAYS)) - 1]
        logger.warning("work_waits", kind=self._kind, key=item.key, error=error, seconds=delay)
        newest = self._items.get(item.key, item)  # it may have been marked since
        return replace(newest, due_at=self._clock() + timedelta(seconds=delay), tries=tries, alike=alike, error=error)


def _stored(item: Item) -> UpdateOne:
    when = {"due_at": item.due_at, "since": item.since}
    what = {"project": item.project, "data": item.data, "traceparent": item.traceparent}
    return UpdateOne({"_id": item.key}, {"$set": when | what}, upsert=True)
