"""Due work survives restarts, is done once at a time, and its failures delay instead of losing it."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.work import Item, Work
from craftlog.testing.examples import PROJECT

PATIENCE = 20
FAR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


def item(key: str, *, due_in: timedelta = timedelta(), project: str = PROJECT) -> Item:
    return Item(key, project, now() + due_in, now())


class Doing:
    """What the work of a test does: count, and fail, wait or ask for more where the test says so."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.failures: list[Exception] = []
        self.gate: asyncio.Event | None = None
        self.most_at_once = 0
        self._at_once = 0

    async def perform(self, one: Item) -> datetime | None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.gate:
                await self.gate.wait()
            if self.failures:
                raise self.failures.pop(0)
            self.done.append(one.key)
        finally:
            self._at_once -= 1
        return None

    async def have_done(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.done) < count:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def working(database, doing, **limits):
    work = Work(database, "due", doing.perform, kind="session", **limits)
    await work.load()
    running = asyncio.create_task(work.run())
    try:
        yield work
        if running.done():
            running.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def nothing_is_left(database) -> None:
    async with asyncio.timeout(PATIENCE):
        while await database["due"].count_documents({}):
            await asyncio.sleep(0.01)


async def test_what_is_due_is_done_once_and_forgotten(database):
    doing = Doing()
    async with working(database, doing) as work:
        await work.mark([item("a"), item("b"), item("later", due_in=FAR)])
        await doing.have_done(2)
        await database["due"].find_one({"_id": "later"})
        assert sorted(doing.done) == ["a", "b"]
        assert work.get("later") is not None


async def test_what_was_due_when_the_process_ended_is_done_by_the_next(database):
    async with working(database, Doing()) as work:
        await work.mark([item("a", due_in=timedelta(seconds=1))])
    doing = Doing()
    async with working(database, doing):
        await doing.have_done(1)
        await nothing_is_left(database)


async def test_a_later_mark_replaces_an_earlier_one(database):
    doing = Doing()
    async with working(database, doing) as work:
        await work.mark([item("a", due_in=timedelta(seconds=0.2))])
        await work.mark([item("a", due_in=FAR)])
        await work.mark([item("b", due_in=timedelta(seconds=0.4))])
        await doing.have_done(1)
        assert doing.done == ["b"]


async def test_a_mark_while_it_is_being_done_means_doing_it_again(database):
    doing = Doing()
    doing.gate = asyncio.Event()
    async with working(database, doing) as work:
        await work.mark([item("a")])
        async with asyncio.timeout(PATIENCE):
            while doing.most_at_once == 0:
                await asyncio.sleep(0.01)
        await work.mark([item("a")])
        doing.gate.set()
        await doing.have_done(2)
    assert doing.most_at_once == 1


@pytest.mark.parametrize("again_in", [None, FAR], ids=["done", "again later"])
async def test_a_mark_while_the_end_is_being_stored_means_doing_it_again(database, again_in):
    doing = Doing()
    marking: list[asyncio.Task[None]] = []

    class Slow:
        """The collection, which stores the end of the first attempt only once somebody has tried to mark it again."""

        def __getattr__(self, name):
            return getattr(database["due"], name)

        async def delete_one(self, query):
            await self._mark()
            return await database["due"].delete_one(query)

        async def update_one(self, query, change):
            if "due_at" in change["$set"]:
                await self._mark()
            return await database["due"].update_one(query, change)

        async def _mark(self):
            if not marking:
                marking.append(asyncio.create_task(work.mark([item("a")])))
                await asyncio.wait(marking, timeout=0.2)

    async def perform(one: Item) -> datetime | None:
        await doing.perform(one)
        return now() + again_in if again_in and len(doing.done) == 1 else None

    work = Work({"due": Slow()}, "due", perform, kind="session")
    running = asyncio.create_task(work.run())
    await work.mark([item("a")])
    await doing.have_done(2)
    await nothing_is_left(database)
    running.cancel()
    await asyncio.gather(running, *marking, return_exceptions=True)


async def test_a_dependency_that_is_away_delays_and_is_shown(database):
    doing = Doing()
    doing.failures = [UnavailableError("the model is away"), UnavailableError("the model is away")]
    async with working(database, doing) as work:
        await work.mark([item("a")])
        async with asyncio.timeout(PATIENCE):
            while work.health().error != "the model is away":
                await asyncio.sleep(0.01)
        await doing.have_done(1)
        async with asyncio.timeout(PATIENCE):
            while work.health().error or work.health().lag:
                await asyncio.sleep(0.01)
    assert not work.stalled


async def test_the_same_error_again_and_again_parks_the_item_alone(database, monkeypatch):
    monkeypatch.setattr("craftlog.runtime.work._DELAYS", (0.01,))
    doing = Doing()
    doing.failures = [ValueError("poison") for _ in range(5)]
    async with working(database, doing) as work:
        await work.mark([item("a")])
        async with asyncio.timeout(PATIENCE):
            while not work.stalled:
                await asyncio.sleep(0.01)
        assert "poison" in work.stalled["a"].reason
        await work.mark([item("b")])
        await doing.have_done(1)
        assert doing.done == ["b"]
    async with working(database, doing):
        await doing.have_done(2)


async def test_outages_do_not_count_towards_poison(database, monkeypatch):
    monkeypatch.setattr("craftlog.runtime.work._DELAYS", (0.01,))
    doing = Doing()
    doing.failures = [*(UnavailableError("away") for _ in range(4)), ValueError("once"), ValueError("once")]
    async with working(database, doing) as work:
        await work.mark([item("a")])
        await doing.have_done(1)
        assert not work.stalled


async def test_a_busy_project_leaves_room_for_others(database):
    doing = Doing()
    doing.gate = asyncio.Event()
    other = str(uuid4())
    async with working(database, doing, parallel=4, per_project=2) as work:
        await work.mark([item(f"busy {n}") for n in range(10)])
        async with asyncio.timeout(PATIENCE):
            while doing.most_at_once < 2:
                await asyncio.sleep(0.01)
        await work.mark([item("quiet", project=other)])
        async with asyncio.timeout(PATIENCE):
            while doing.most_at_once < 3:
                await asyncio.sleep(0.01)
        doing.gate.set()
        await doing.have_done(11)
        assert "quiet" in doing.done[:3]


async def test_a_lease_keeps_a_second_worker_out(database):
    doing, other = Doing(), Doing()
    doing.gate = asyncio.Event()
    async with working(database, doing) as work:
        await work.mark([item("a")])
        async with asyncio.timeout(PATIENCE):
            while doing.most_at_once == 0:
                await asyncio.sleep(0.01)
        async with working(database, other):
            await asyncio.sleep(0.5)
            assert other.most_at_once == 0
            doing.gate.set()
            await doing.have_done(1)
        assert other.done == []


async def test_what_is_forgotten_is_not_done(database):
    doing = Doing()
    async with working(database, doing) as work:
        await work.mark([item("a", due_in=timedelta(seconds=0.3)), item("b", due_in=timedelta(seconds=0.5))])
        await work.forget(["a"])
        await doing.have_done(1)
    assert doing.done == ["b"]


async def test_work_cut_short_by_the_end_of_the_service_is_free_for_its_successor(database):
    doing, successor = Doing(), Doing()
    doing.gate = asyncio.Event()
    async with working(database, doing) as work:
        await work.mark([item("a")])
        async with asyncio.timeout(PATIENCE):
            while doing.most_at_once == 0:
                await asyncio.sleep(0.01)
    stored = await database["due"].find_one({"_id": "a"})
    assert stored["lease_until"] is None
    async with working(database, successor):
        await successor.have_done(1)


async def test_what_a_busy_project_holds_back_is_not_looked_at_all_the_time(database):
    doing, looks = Doing(), 0
    doing.gate = asyncio.Event()

    def clock() -> datetime:
        nonlocal looks
        looks += 1
        return now()

    async with working(database, doing, per_project=1, clock=clock) as work:
        await work.mark([item("a"), item("b"), item("c")])
        async with asyncio.timeout(PATIENCE):
            while doing.most_at_once == 0:
                await asyncio.sleep(0.01)
        before = looks
        await asyncio.sleep(0.2)  # as long as it takes to look a thousand times
        assert looks - before < 20
        doing.gate.set()
        await doing.have_done(3)
        await nothing_is_left(database)


async def test_what_is_marked_during_an_attempt_that_fails_is_what_is_tried_next(database):
    doing, seen = Doing(), []
    doing.gate = asyncio.Event()
    doing.failures = [UnavailableError("not now")]

    async def perform(one: Item) -> datetime | None:
        seen.append(one.data)
        return await doing.perform(one)

    work = Work(database, "due", perform, kind="session")
    running = asyncio.create_task(work.run())
    await work.mark([item("a")])
    async with asyncio.timeout(PATIENCE):
        while not seen:
            await asyncio.sleep(0.01)
    await work.mark([replace(item("a"), data={"deleted": True})])
    doing.gate.set()
    await doing.have_done(1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert seen == [{}, {"deleted": True}]
