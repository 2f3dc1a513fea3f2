"""The version rule, stalls and crashes of a projection, with a real log and a real store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import pytest

from craftlog.contracts.envelope import encode
from craftlog.contracts.events import MessageAppended, SessionCreated
from craftlog.contracts.messages import Part
from craftlog.contracts.subjects import Address, Kind
from craftlog.runtime.desk import Desk
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.lane import Lane
from craftlog.runtime.log import Log
from craftlog.runtime.mongo import MongoStore
from craftlog.runtime.projector import Projector
from craftlog.testing.examples import PROJECT, START

PATIENCE = 20


@pytest.fixture
def store(database):
    return MongoStore(database, "sessions", insert_only=frozenset({"messages"}))


@asynccontextmanager
async def projecting(log, store, counting) -> AsyncIterator[Projector]:
    projector = Projector(log, store, durable="test-session", kind=Kind.SESSION, project=counting)
    running = asyncio.create_task(projector.run())
    try:
        yield projector
        if running.done():
            running.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def head_at(store, address, version):
    """Return the head once it has reached a version, or is stalled there."""
    async with asyncio.timeout(PATIENCE):
        while True:
            head = (await store.heads([address.id])).get(address.id, {})
            if head.get("version", 0) >= version:
                return head
            await asyncio.sleep(0.01)


async def stalled(projector, address):
    async with asyncio.timeout(PATIENCE):
        while address.id not in projector.stalled:
            await asyncio.sleep(0.01)
    return projector.stalled[address.id]


async def put(log: Log, address: Address, version: int, event, *, body: bytes | None = None) -> None:
    """Store an event as a broken or rival writer might, without the lock."""
    headers, encoded = encode(address, version, event, event_id=str(uuid4()), time=START)
    await log.client.jetstream().publish(address.subject, body if body is not None else encoded, headers=headers)


def message(text: str, position: int = 1) -> MessageAppended:
    return MessageAppended(
        message_id=str(uuid4()), position=position, role="user", parts=(Part(type="text", text=text),)
    )


async def test_folds_everything_in_order_and_announces_the_version(log: Log, desk: Desk, store, counting, address):
    announced = await log.client.subscribe(address.head_subject)
    async with projecting(log, store, counting):
        await desk.transact(address, ["create", "a", "b"], cause="one")
        head = await head_at(store, address, 3)
        assert head["texts"] == ["a", "b"]
        assert (await announced.next_msg(PATIENCE)).data == b"3"


async def test_a_new_projector_goes_on_where_the_last_one_ended(log: Log, desk: Desk, store, counting, address):
    async with projecting(log, store, counting):
        await desk.transact(address, ["create", "a"], cause="one")
        await head_at(store, address, 2)
    await desk.transact(address, ["b"], cause="two")
    async with projecting(log, store, counting):
        assert (await head_at(store, address, 3))["texts"] == ["a", "b"]


async def test_an_event_that_was_folded_but_not_acknowledged_changes_nothing(
    log: Log, desk: Desk, store, counting, address, database
):
    await desk.transact(address, ["create", "a", "b"], cause="one")
    async with projecting(log, store, counting):
        await head_at(store, address, 3)
    await log.jetstream.reset_consumer("CRAFTLOG", "test-session", 1)
    async with projecting(log, store, counting) as projector:
        await desk.transact(address, ["c"], cause="two")
        assert (await head_at(store, address, 4))["texts"] == ["a", "b", "c"]
        assert not projector.stalled
    assert await database["messages"].count_documents({}) == 3


async def test_children_that_were_written_before_a_crash_are_not_doubled(
    log: Log, desk: Desk, store, counting, address, database
):
    await desk.transact(address, ["create", "a"], cause="one")
    await database["messages"].insert_one({"_id": f"{address.id}/1", "text": "a"})
    async with projecting(log, store, counting):
        assert (await head_at(store, address, 2))["texts"] == ["a"]
    assert await database["messages"].count_documents({}) == 1


async def test_a_gap_in_what_is_delivered_is_read_from_the_log(log: Log, desk: Desk, store, counting, address):
    decided = await desk.transact(address, ["create", "a", "b", "c"], cause="one")
    projector = Projector(log, store, durable="test-session", kind=Kind.SESSION, project=counting)
    await projector._handle([decided.recorded[3], decided.recorded[1]])
    assert (await head_at(store, address, 4))["texts"] == ["a", "b", "c"]


async def test_a_version_missing_in_the_log_was_erased(log: Log, desk: Desk, store, counting, address):
    await desk.transact(address, ["create", "a", "b"], cause="one")
    await log.erase(address, keep=lambda recorded: recorded is None or recorded.version != 2)
    async with projecting(log, store, counting) as projector:
        assert (await head_at(store, address, 3))["texts"] == ["b"]
        assert not projector.stalled


async def test_an_unknown_event_type_advances_the_version(log: Log, store, counting, address):
    await put(log, address, 1, SessionCreated())
    headers, body = encode(address, 2, SessionCreated(), event_id=str(uuid4()), time=START)
    await log.client.jetstream().publish(address.subject, body, headers={**headers, "ce-type": "Tomorrow.v7"})
    await put(log, address, 3, message("a"))
    async with projecting(log, store, counting):
        assert (await head_at(store, address, 3))["texts"] == ["a"]


@pytest.mark.parametrize("bad", ["unfoldable", "unstorable"])
async def test_what_cannot_be_applied_stalls_its_aggregate_alone(log: Log, desk: Desk, store, counting, address, bad):
    other = Address(Kind.SESSION, PROJECT, str(uuid4()))
    await desk.transact(address, ["create", "a"], cause="one")
    await desk.transact(other, ["create", "x"], cause="other")
    await desk.transact(address, [bad, "b"], cause="two")
    await desk.transact(other, ["y"], cause="other two")
    async with projecting(log, store, counting) as projector:
        assert (await head_at(store, other, 3))["texts"] == ["x", "y"]
        mark = await stalled(projector, address)
    head = (await store.heads([address.id]))[address.id]
    assert head["stalled"]["reason"] == mark.reason
    assert [one.id for one in await store.stalled()] == [address.id]
    if bad == "unfoldable":
        assert (mark.version, head["texts"]) == (2, ["a"])


async def test_an_undecodable_event_stalls_after_what_came_before_it(log: Log, store, counting, address):
    await put(log, address, 1, SessionCreated())
    await put(log, address, 2, message("a"))
    await put(log, address, 3, message("b"), body=b'{"nonsense": true}')
    async with projecting(log, store, counting) as projector:
        assert (await stalled(projector, address)).version == 2
    assert (await store.heads([address.id]))[address.id]["texts"] == ["a"]


async def test_a_fork_stalls(log: Log, store, counting, address):
    await put(log, address, 1, SessionCreated())
    await put(log, address, 1, SessionCreated())
    async with projecting(log, store, counting) as projector:
        assert "forked" in (await stalled(projector, address)).reason


async def test_a_restart_tries_a_stalled_aggregate_again(log: Log, desk: Desk, store, counting, address):
    await desk.transact(address, ["create", "unfoldable"], cause="one")
    async with projecting(log, store, counting) as projector:
        await stalled(projector, address)
    mended = lambda head, events: counting(head, []) if head is None else counting(head, events[1:])  # noqa: E731
    async with projecting(log, store, mended) as projector:
        head = await head_at(store, address, 2)
        assert "stalled" not in head
        assert not projector.stalled


async def test_a_store_that_is_away_delays_and_loses_nothing(log: Log, desk: Desk, store, counting, address):
    write, failures = store.write, iter([True, True, False])

    async def sometimes(batch):
        if next(failures, False):
            raise UnavailableError("away")
        return await write(batch)

    store.write = sometimes
    async with projecting(log, store, counting):
        await desk.transact(address, ["create", "a"], cause="one")
        assert (await head_at(store, address, 2))["texts"] == ["a"]


async def test_two_projectors_at_once_write_each_event_once(log: Log, desk: Desk, store, counting, address, database):
    async with projecting(log, store, counting), projecting(log, store, counting):
        for n in range(30):
            await desk.transact(address, ["create", f"{n}"], cause=f"{n}")
        assert (await head_at(store, address, 31))["texts"] == [str(n) for n in range(30)]
    assert await database["messages"].count_documents({}) == 30


async def test_health_counts_what_is_not_yet_applied(log: Log, desk: Desk, address):
    async def blocked(_):
        raise UnavailableError("the store is away")

    lane = Lane(log, "test-blocked", Kind.SESSION, blocked, blocked)
    running = asyncio.create_task(lane.run())
    await desk.transact(address, ["create", "a"], cause="one")
    async with asyncio.timeout(PATIENCE):
        while (health := await lane.health()).error != "the store is away" or health.lag < 2:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert health.lag == 2


class Away:
    """A store that is away until ``back`` is set; ``seen`` are the texts that it was given, in order."""

    def __init__(self) -> None:
        self.back = asyncio.Event()
        self.seen: list[str] = []

    async def take(self, events) -> None:
        if not self.back.is_set():
            raise UnavailableError("away")
        self.seen += [recorded.event.parts[0].text for recorded in events if recorded.type == "MessageAppended.v1"]

    async def has_seen(self, text: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while text not in self.seen:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def consuming(log: Log, away: Away) -> AsyncIterator[Lane]:
    lane = Lane(log, "test-lane", Kind.SESSION, away.take, away.take)
    running = asyncio.create_task(lane.run())
    try:
        yield lane
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def no_error(lane: Lane) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await lane.health()).error is not None:
            await asyncio.sleep(0.05)


async def test_what_got_lost_on_its_way_to_a_lane_comes_again(log: Log, desk: Desk, address):
    away = Away()
    away.back.set()
    async with consuming(log, away) as lane:
        await desk.transact(address, ["create", "before"], cause="one")
        await away.has_seen("before")
        arrived, lost = lane._arrived.put_nowait, []
        lane._arrived.put_nowait = lost.append
        await desk.transact(address, ["lost"], cause="two")
        async with asyncio.timeout(PATIENCE):
            while not lost:
                await asyncio.sleep(0.01)
        lane._arrived.put_nowait = arrived
        await desk.transact(address, ["after"], cause="three")
        await away.has_seen("after")
        await log.client.force_reconnect()
        await away.has_seen("lost")


async def test_a_consumer_that_was_deleted_is_declared_again(log: Log, desk: Desk, address):
    away = Away()
    away.back.set()
    async with consuming(log, away) as lane:
        await desk.transact(address, ["create", "a"], cause="one")
        await away.has_seen("a")
        await log.jetstream.delete_consumer("CRAFTLOG", "test-lane")
        await desk.transact(address, ["b"], cause="two")
        await away.has_seen("b")
        await no_error(lane)


async def test_a_lane_ends_even_if_what_it_awaits_swallows_the_cancellation(log: Log):
    begun = asyncio.Event()

    async def swallow() -> None:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()

    waiting = asyncio.create_task(Lane(log, "test-lane", Kind.SESSION, Away().take, Away().take).patiently(swallow))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
