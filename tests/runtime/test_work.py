"""Due work survives restarts, is done once at a time, and its failures delay instead of losing it."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from craftlog.runtime.due import Due, Item
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.work import Work
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

    async def perform(self, one: Item) -> Item | None:
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

    async def perform(one: Item) -> Item | None:
        await doing.perform(one)
        return replace(one, due_at=now() + again_in) if again_in and len(doing.done) == 1 else None

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


def poison(monkeypatch):
    """Return what fails as often as it takes, without long delays."""
    monkeypatch.setattr("craftlog.runtime.due._DELAYS", (0.01,))
    doing = Doing()
    doing.failures = [ValueError("poison") for _ in range(5)]
    return doing


async def parked(work, key="a"):
    async with asyncio.timeout(PATIENCE):
        while key not in work.stalled:
            await asyncio.sleep(0.01)
    return work.stalled[key]


async def test_the_same_error_again_and_again_parks_the_item_alone(database, monkeypatch):
    doing = poison(monkeypatch)
    async with working(database, doing) as work:
        await work.mark([item("a")])
        assert "poison" in (await parked(work)).reason
        await work.mark([item("b")])
        await doing.have_done(1)
        assert doing.done == ["b"]


async def test_what_waits_is_stored_with_its_reason_and_its_next_attempt(database):
    doing = Doing()
    doing.failures = [UnavailableError("the model does not answer", "key sk-1234 is wrong")]
    async with working(database, doing) as work:
        await work.mark([replace(item("a"), since=now() - FAR)])
        async with asyncio.timeout(PATIENCE):
            while not (stored := await database["due"].find_one({"_id": "a", "tries": 1})):
                await asyncio.sleep(0.01)
        assert (stored["error"], stored["parked"]) == ("the model does not answer", False)
        assert stored["since"] < stored["due_at"]
        await doing.have_done(1)
        await nothing_is_left(database)


async def test_a_restart_forgets_neither_how_often_it_failed_nor_of_what(database, monkeypatch):
    monkeypatch.setattr("craftlog.runtime.due._DELAYS", (0.01, 0.01, FAR.total_seconds()))
    doing = Doing()
    doing.failures = [ValueError("poison") for _ in range(3)]
    async with working(database, doing) as work:
        await work.mark([item("a")])
        async with asyncio.timeout(PATIENCE):
            while not await database["due"].find_one({"_id": "a", "tries": 3}):
                await asyncio.sleep(0.01)
    async with working(database, Doing()) as work:
        known = work.get("a")
    assert (known.tries, known.alike, known.error) == (3, 3, "ValueError('poison')")
    assert known.due_at > now()


async def test_a_parked_item_stays_parked_over_a_restart_and_is_not_marked_again(database, monkeypatch):
    async with working(database, poison(monkeypatch)) as work:
        await work.mark([item("a")])
        await parked(work)
    successor = Doing()
    async with working(database, successor) as work:
        assert "poison" in work.stalled["a"].reason
        assert work.get("a").parked_at < now()
        assert work.health().lag == 0
        await work.mark([item("a"), item("b")])
        await successor.have_done(1)
        assert successor.done == ["b"]
        assert (await database["due"].find_one({"_id": "a"}))["parked"]


async def test_a_parked_item_is_retried_when_somebody_asks(database, monkeypatch):
    doing = poison(monkeypatch)
    async with working(database, doing) as work:
        await work.mark([item("a")])
        await parked(work)
        assert not await work.retry("a", str(uuid4()))
        assert not await work.retry("b", PROJECT)
        assert await work.retry("a", PROJECT)
        await doing.have_done(1)
        await nothing_is_left(database)
        assert not work.stalled
        assert not await work.retry("a", PROJECT)


async def test_a_parked_item_that_fails_again_is_parked_again(database, monkeypatch):
    doing = poison(monkeypatch)
    async with working(database, doing) as work:
        await work.mark([item("a")])
        await parked(work)
        doing.failures = [ValueError("other") for _ in range(5)]
        assert await work.retry("a", PROJECT)
        assert not work.stalled
        assert "other" in (await parked(work)).reason


async def test_a_parked_item_is_dropped_when_somebody_asks(database, monkeypatch):
    doing = poison(monkeypatch)
    async with working(database, doing) as work:
        await work.mark([item("a")])
        await parked(work)
        assert not await work.drop("a", str(uuid4()))
        assert await work.drop("a", PROJECT)
        assert not work.stalled
        assert not await work.drop("a", PROJECT)
        await nothing_is_left(database)
        assert doing.done == []
        await work.mark([item("a")])
        await doing.have_done(1)


async def test_an_item_that_is_only_due_is_neither_retried_nor_dropped(database):
    async with working(database, Doing()) as work:
        await work.mark([item("a", due_in=FAR)])
        assert not await work.retry("a", PROJECT)
        assert not await work.drop("a", PROJECT)
        assert work.get("a").due_at > now()


async def test_what_another_process_parked_is_left_alone_and_what_it_had_retried_is_marked_again(database, monkeypatch):
    one, other = poison(monkeypatch), Doing()
    async with working(database, one) as work, working(database, other) as beside:
        await work.mark([item("a")])
        await parked(work)
        await beside.mark([item("a")])
        await parked(beside)
        assert await work.retry("a", PROJECT)
        await one.have_done(1)
        await nothing_is_left(database)
        # As whoever hears of it does: he goes on from what he knows.
        other.failures = [UnavailableError("away")]
        await beside.mark([replace(beside.get("a"), due_at=now())])
        await other.have_done(1)
        assert not beside.stalled


async def test_outages_do_not_count_towards_poison(database, monkeypatch):
    monkeypatch.setattr("craftlog.runtime.due._DELAYS", (0.01,))
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

    async def perform(one: Item) -> Item | None:
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


async def test_a_moment_without_the_store_throws_away_nothing_that_is_under_way(database, monkeypatch):
    asked = 0

    async def prolong(*_):
        nonlocal asked
        asked += 1
        if asked == 3:
            doing.gate.set()
        raise UnavailableError("MongoDB cannot be reached")

    monkeypatch.setattr("craftlog.runtime.work.HEARTBEAT", 0.02)
    monkeypatch.setattr(Due, "prolong", prolong)
    doing = Doing()
    doing.gate = asyncio.Event()
    async with working(database, doing) as work:
        await work.mark([item("a")])
        await doing.have_done(1)
        await nothing_is_left(database)
    assert (doing.done, asked) == (["a"], 3)


class TestTwoProcesses:
    async def test_who_was_outrun_touches_nothing_of_what_is_anothers_by_now(self, database):
        slow, quick = Due(database, "due"), Due(database, "due")
        await slow.mark([item("a")])
        assert await slow.claim("a", now() - FAR)
        assert await quick.claim("a", now())
        stored = await database["due"].find_one({"_id": "a"})
        await slow.prolong("a", now() + FAR)
        assert not await slow.release(item("a", due_in=FAR))
        await slow.remove("a")
        assert await database["due"].find_one({"_id": "a"}) == stored

    async def test_what_another_has_marked_while_it_was_done_stays_due(self, database):
        doing, hearing = Due(database, "due"), Due(database, "due")
        await doing.mark([item("a")])
        assert await doing.claim("a", now())
        await hearing.mark([item("a")])
        await doing.remove("a")
        assert await hearing.claim("a", now())

    async def test_what_another_has_left_lying_is_done(self, database, monkeypatch):
        monkeypatch.setattr("craftlog.runtime.work.LOOK", 0.05)
        doing = Doing()
        async with working(database, doing) as work:
            await Due(database, "due").mark([item("long due", due_in=-FAR), item("not long due")])
            await doing.have_done(1)
            assert doing.done == ["long due"]
            assert work.get("not long due") is None
