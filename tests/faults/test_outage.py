"""The model is away for an hour, in all the ways there are: that costs a delay, and nothing else."""

import asyncio
import time
from contextlib import ExitStack

import httpx
from tests.faults import runs
from tests.faults.observers import granted, observing
from tests.faults.sessions import boards, filled, nothing_due, observed_once
from tests.faults.world import Document, World

from craftlog.testing.scripted_model import Reply, scripted_model
from craftlog.testing.waiting import until

PROJECT = "outage"
HURRY = 180  # an hour in twenty seconds
HURRIED = ("--hurry", HURRY)
OUTAGE = 3600 / HURRY
TIMEOUT = 1.0
LONGEST_PAUSE = 60 / HURRY
DEADLINE = 30.0  # seconds
FAILURES = (
    Reply(after=2 * TIMEOUT),
    Reply("too many", status=429, headers={"Retry-After": "30"}),
    Reply("broken", status=500),
    Reply('{"granted": true}', cut=True),
)
# All that may be asked at once before it is known to be away, then the pauses that grow, then one a longest pause.
AT_ONCE, GROWING = 8, 7


async def health(world: World) -> str:
    async with httpx.AsyncClient(base_url=world.stack.base_url) as client:
        said: str = (await client.get("/health")).json()["msg"]
    return said


async def says_it_waits(world: World) -> bool:
    return "observer: consumer observer_due" in await health(world)


async def says_it_is_well(world: World) -> bool:
    return not await says_it_waits(world)


async def lasting(world: World, seconds: float) -> None:
    """Let the outage go on, and see that health says so."""
    ends = time.monotonic() + seconds
    await until(lambda: says_it_waits(world), DEADLINE)
    await asyncio.sleep(max(ends - time.monotonic(), 0))


async def test_an_hour_costs_a_delay_and_no_message(world: World, in_peace: dict[int, Document]) -> None:
    share, half = OUTAGE / (len(FAILURES) + 1), runs.HOW_MANY // 2
    with ExitStack() as away:
        model = away.enter_context(scripted_model(lambda _: FAILURES[0]))
        with observing(world.stack, model, *HURRIED, llm_timeout=TIMEOUT):
            sessions = await filled(world, range(half))
            began = time.monotonic()
            for failure in FAILURES:
                model.script = lambda _, failure=failure: failure  # type: ignore[misc] # bound at once
                await lasting(world, share)
            asked, lasted = len(model.asked), time.monotonic() - began
            away.close()  # and now there is not even a server
            sessions |= await filled(world, range(half, runs.HOW_MANY))
            await lasting(world, share)
            with scripted_model(granted, model.port):
                read = await boards(world, sessions)
                await nothing_due(world)
                await until(lambda: says_it_is_well(world), DEADLINE)
                assert (await world.api.get("/parked"))["items"] == []
    assert asked <= AT_ONCE + GROWING + lasted / LONGEST_PAUSE
    assert read == in_peace
    await observed_once(world, sessions.values())
