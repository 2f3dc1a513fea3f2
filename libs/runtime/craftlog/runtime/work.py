"""A reactor's due work, done in a pool under a lease: once at a time, again where it failed, parked where it must."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from craftlog.contracts.questions import ConsumerHealth, Stalled
from craftlog.runtime.due import HEARTBEAT, LOOK, Due, Item, failed
from craftlog.runtime.errors import StoreError, UnavailableError
from craftlog.runtime.mongo import Database
from craftlog.runtime.telemetry import span
from craftlog.runtime.turns import Turns

SAME_ERROR_IS_POISON: Final = 5
_LONGEST_NAP: Final = 1.0

logger = structlog.get_logger()

Perform = Callable[[Item], Awaitable[Item | None]]


class Work:
    """Remember what is due, and do it: at most ``parallel`` at once and ``per_project`` of one project.

    ``perform`` does the work of one item, all of it or none, and may be called again for work that is done; it returns
    the item as it is to be looked at again, or None. UnavailableError means later; any other error that comes five
    times in a row is poison: the item is parked with its reason until somebody has it retried, or drops it.
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
        self._due = Due(database, collection)
        self._perform = perform
        self._kind = kind
        self._clock = clock
        self._turns = Turns(parallel, per_project)
        self._stored_due: dict[str, datetime] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._marked_while_running: set[str] = set()
        self._news = asyncio.Event()
        self._away: str | None = None
        # What is stored and what is in memory change together: a mark must not fall between the two.
        self._changing = asyncio.Lock()

    def get(self, key: str) -> Item | None:
        """Return what is known to be due for a key, or parked."""
        return self._turns.items.get(key) or self.parked.get(key)

    async def load(self) -> None:
        """Take up what was due, and what was parked, when the last process ended."""
        for item in await self._due.load():
            if item.parked_at:
                self.parked[item.key] = item
            else:
                self._stored_due[item.key] = item.due_at
                self._put(item)

    async def mark(self, items: Sequence[Item]) -> None:
        """Make work due, or due at another time; what is parked stays so.

        What is due later than stored is remembered in memory only: after a restart such an item is done too early,
        never too late, and a debounced item costs one write.
        """
        async with self._changing:
            await self._mark(items)

    async def forget(self, keys: Iterable[str]) -> None:
        """Drop work on aggregates that are gone."""
        async with self._changing:
            gone = list(keys)
            for key in gone:
                self._lose(key)
            await self._due.remove_all(gone)

    async def retry(self, key: str, project: str) -> bool:
        """Make a parked item due now; False where the project has none of this key."""
        async with self._changing:
            item = await self._due.get(key)
            if item is None or item.project != project:
                return False
            again = replace(item, due_at=self._clock(), tries=0, alike=0, error=None, parked_at=None)
            if not await self._due.unpark(again):
                return False
            self._lose(key)
            self._stored_due[key] = again.due_at
            self._put(again)
            return True

    async def drop(self, key: str, project: str) -> bool:
        """Forget a parked item, which leaves its reason in our log; False where the project has none of this key."""
        async with self._changing:
            item = await self._due.get(key)
            if item is None or item.project != project or not await self._due.remove_parked(key):
                return False
            self._lose(key)
            logger.warning("work_dropped", kind=self._kind, project=project, key=key, reason=item.error)
            return True

    async def run(self) -> None:
        """Do what is due until cancelled."""
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._take_over())
                both.create_task(self._take_turns())
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
        due = sum(item.due_at <= now for item in self._turns.items.values())
        return ConsumerHealth(name=self._due.name, lag=due, error=self._away)

    async def _take_turns(self) -> None:
        while True:
            while item := self._turns.take(self._clock()):
                self._running[item.key] = asyncio.create_task(self._do(item))
            self._news.clear()
            # Not wait_for: up to Python 3.11 it can swallow a cancellation.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._nap()):
                    await self._news.wait()

    async def _take_over(self) -> None:
        """Take up what another process has left lying: it need not start again, as one that died would."""
        while True:
            await asyncio.sleep(LOOK)
            with suppress(UnavailableError):  # the next look will do
                for item in await self._due.neglected(self._clock()):
                    if self.get(item.key) is None:
                        self._stored_due[item.key] = item.due_at
                        self._put(item)

    async def _mark(self, items: Sequence[Item]) -> None:
        known = {item.key for item in items if item.key in self.parked}
        # Another process may have had it retried.
        for key in known - await self._due.parked(known):
            del self.parked[key]
        # Nor is it parked because it was when this process last saw it: its next failure would be the last.
        items = [replace(item, parked_at=None) for item in items if item.key not in self.parked]
        if earlier := [item for item in items if self._is_news(item)]:
            await self._due.mark(earlier)
        self._stored_due |= {item.key: item.due_at for item in earlier}
        for item in items:
            if item.key in self._running:
                self._marked_while_running.add(item.key)
            self._put(item)

    def _is_news(self, item: Item) -> bool:
        stored = self._stored_due.get(item.key)
        return stored is None or item.due_at < stored or item.key in self._running

    def _put(self, item: Item) -> None:
        self._turns.put(item)
        self._news.set()

    def _lose(self, key: str) -> None:
        self._turns.items.pop(key, None)
        self._stored_due.pop(key, None)
        self.parked.pop(key, None)

    def _set_aside(self, item: Item) -> None:
        self._lose(item.key)
        self.parked[item.key] = item

    def _nap(self) -> float:
        next_at = self._turns.next_at()
        if next_at is None:
            return _LONGEST_NAP
        return min(max((next_at - self._clock()).total_seconds(), 0.0), _LONGEST_NAP)

    async def _do(self, item: Item) -> None:
        try:
            if await self._claim(item):
                again = await self._under_lease(item)
                self._away = None
                async with self._changing:
                    await self._finish(item, again)
            else:
                self._again(replace(item, due_at=self._clock() + timedelta(seconds=1)))
        except asyncio.CancelledError:
            # The service ends: its successor need not wait for the lease to run out.
            with suppress(UnavailableError):
                await self._due.release(self._turns.items.get(item.key, item))
            raise
        except UnavailableError as error:
            self._away = str(error)
            await self._postpone(self._later(item, error))
        except Exception as error:
            logger.exception("work_failed", kind=self._kind, key=item.key)
            later = self._later(item, error)
            poison = later.alike >= SAME_ERROR_IS_POISON
            # What was marked meanwhile may be the very thing that helps, such as a deletion.
            if poison and item.key not in self._marked_while_running:
                later = replace(later, parked_at=self._clock())
            await self._postpone(later)
        finally:
            self._running.pop(item.key, None)
            self._turns.give_back(item)
            self._marked_while_running.discard(item.key)
            self._news.set()

    async def _claim(self, item: Item) -> bool:
        if await self._due.claim(item.key, self._clock()):
            return True
        stored = await self._due.get(item.key)
        if stored is None:
            # Another process has done it, or it was forgotten: store it again only if this process still wants it.
            self._stored_due.pop(item.key, None)
            if item.key in self._turns.items:
                await self.mark([item])
        elif stored.parked_at:
            self._set_aside(stored)
        return False

    async def _under_lease(self, item: Item) -> Item | None:
        with span(f"{self._kind} work", item.traceparent):
            performing = asyncio.ensure_future(self._perform(item))
        try:
            while not (await asyncio.wait({performing}, timeout=HEARTBEAT))[0]:
                # A moment without the store throws away nothing that was paid for: what is appended has its own lock.
                with suppress(UnavailableError):
                    await self._due.prolong(item.key, self._clock())
            return performing.result()
        finally:
            performing.cancel()

    async def _finish(self, item: Item, again: Item | None) -> None:
        newer = self._turns.items.get(item.key)
        if newer is None:
            return
        if item.key in self._marked_while_running:
            again = newer
        if again is None:
            await self._due.remove(item.key)
            self._lose(item.key)
        else:
            again = replace(again, tries=0, alike=0, error=None)
            await self._release(again)
            self._put(again)

    async def _release(self, item: Item) -> None:
        if await self._due.release(item):
            self._stored_due[item.key] = item.due_at
        else:
            self._stored_due.pop(item.key, None)

    async def _postpone(self, later: Item) -> None:
        async with self._changing:
            # Where the lease cannot be given back it runs out by itself.
            with suppress(UnavailableError):
                await self._release(later)
            self._again(later)

    def _again(self, later: Item) -> None:
        if later.key not in self._turns.items:
            return  # it was forgotten
        if later.parked_at:
            self._set_aside(later)
        else:
            self._put(later)

    def _later(self, item: Item, error: Exception) -> Item:
        # It is shown to the project: what a server said itself is not.
        reason = error.public if isinstance(error, StoreError) else repr(error)
        newest = self._turns.items.get(item.key, item)  # it may have been marked since
        later = failed(newest, item, reason, self._clock())
        logger.warning("work_waits", kind=self._kind, key=item.key, error=str(error), until=str(later.due_at))
        return later
