"""When a lane takes what has come: at once, or after a rest that ends where somebody waits or much has come."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from craftlog.contracts.subjects import Address, Kind, waited
from craftlog.runtime.desk import Desk
from craftlog.runtime.jetstream import CONNECTION_ERRORS
from craftlog.runtime.lane import MOST_AT_ONCE, Lane
from craftlog.runtime.log import Log
from craftlog.testing.servers import Server
from craftlog.testing.waiting import until

FOR_EVER = 3600.0


async def happens(seen: Callable[[], bool]) -> None:
    async def ask() -> bool:
        return seen()

    await until(ask)


@asynccontextmanager
async def resting(log: Log) -> AsyncIterator[tuple[Lane, list[int]]]:
    """Run a lane that rests for ever, with the sizes of the batches that it has handled."""
    batches: list[int] = []

    async def handle(events):
        batches.append(len(events))

    async def undecodable(*_):
        raise AssertionError

    lane = Lane(log, "test-rest", Kind.SESSION, handle, undecodable, rest=FOR_EVER)
    running = asyncio.create_task(lane.run())
    try:
        yield lane, batches
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_comes_while_it_rests_goes_together_once_somebody_waits(log: Log, desk: Desk, address: Address):
    async with resting(log) as (lane, batches):
        await desk.transact(address, ["create"], cause="create")
        await happens(lambda: batches == [1])
        for text in "abc":
            await desk.transact(address, [text], cause=text)
        await log.client.publish(waited(Kind.DISK))
        await happens(lambda: lane._arrived.qsize() == 2)  # and one in hand
        assert batches == [1]
        await log.client.publish(waited(Kind.SESSION))
        await happens(lambda: len(batches) > 1)
        assert batches == [1, 3]
        for text in "de":
            await desk.transact(address, [text], cause=text)
        await happens(lambda: lane._arrived.qsize() == 1)
        assert batches == [1, 3]  # what was said once holds for one batch


async def test_what_it_acknowledges_is_told_by_the_log(log: Log, desk: Desk, address: Address):
    assert await log.acknowledged("test-rest") == 0
    async with resting(log) as (_, batches):
        created = await desk.transact(address, ["create"], cause="create")
        await happens(lambda: batches == [1])

        async def acknowledged() -> bool:
            return await log.acknowledged("test-rest") == created.position.seq

        await until(acknowledged)
        later = await desk.transact(address, ["a"], cause="a")
        assert await log.acknowledged("test-rest") == created.position.seq < later.position.seq


async def test_who_waits_may_say_so_ahead_of_the_event(log: Log, desk: Desk, address: Address):
    async with resting(log) as (lane, batches):
        await desk.transact(address, ["create"], cause="create")
        await happens(lambda: batches == [1])
        await log.client.publish(waited(Kind.SESSION))
        await happens(lane._is_time.is_set)
        await desk.transact(address, ["a"], cause="a")
        await happens(lambda: batches == [1, 1])


async def test_as_much_as_goes_at_once_waits_for_nobody(log: Log, desk: Desk, address: Address):
    async with resting(log) as (lane, batches):
        await desk.transact(address, ["create"], cause="create")
        await happens(lambda: batches == [1])
        await desk.transact(address, ["a"] * (MOST_AT_ONCE + 10), cause="many")
        await happens(lambda: len(batches) > 1)
        await happens(lambda: lane._arrived.qsize() == 9)
        assert batches == [1, MOST_AT_ONCE]


async def test_who_is_killed_while_it_rests_leaves_all_to_its_successor(log: Log, desk: Desk, address: Address):
    async with resting(log) as (lane, batches):
        await desk.transact(address, ["create"], cause="create")
        await happens(lambda: batches == [1])
        for text in "abc":
            await desk.transact(address, [text], cause=text)
        await happens(lambda: lane._arrived.qsize() == 2)
    async with resting(log) as (_, batches):
        await log.client.publish(waited(Kind.SESSION))
        await happens(lambda: sum(batches) == 3)


async def test_the_server_may_start_again_while_it_rests(log: Log, desk: Desk, address: Address, server: Server):
    async with resting(log) as (_, batches):
        await desk.transact(address, ["create"], cause="create")
        await happens(lambda: batches == [1])
        await desk.transact(address, ["a"], cause="a")
        server.kill()
        server.start()

        async def is_taken() -> bool:
            with suppress(*CONNECTION_ERRORS):
                await log.client.publish(waited(Kind.SESSION))  # again and again, as readers do
            return len(batches) > 1

        await until(is_taken)
