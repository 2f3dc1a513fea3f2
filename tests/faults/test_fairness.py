"""A hundred busy sessions of one project and a slow model: another project hardly waits longer than in quiet times."""

import asyncio
import json
import statistics
import time

from tests.faults.conftest import token_of
from tests.faults.observers import observing
from tests.faults.sessions import nothing_due
from tests.faults.world import World, behind

from craftlog.testing.scripted_model import Reply, scripted_model

PROJECT = "busy"
CALM = "calm"
SESSIONS = 100
MODEL_TAKES = 0.5  # seconds
FLUSHES = 5
FLOOR = 0.3  # seconds; less is noise


def nothing_new(_: object) -> Reply:
    return Reply(json.dumps({"commands": []}), after=MODEL_TAKES)


async def said(world: World, session_id: str) -> None:
    await world.api.post(f"/session/{session_id}/messages", {"blob": {"role": "user", "content": "Are you there?"}})


async def begun(world: World) -> str:
    session_id: str = (await world.api.post("/session", {}))["id"]
    await said(world, session_id)
    return session_id


async def flush_latency(world: World) -> float:
    """Return how long a session with one new message is flushed, in seconds: the median of several."""
    took: list[float] = []
    for _ in range(FLUSHES):
        session_id = await begun(world)
        began = time.monotonic()
        await world.api.post(f"/session/{session_id}/flush")
        took.append(time.monotonic() - began)
    return statistics.median(took)


async def test_a_flush_stays_within_three_times_its_idle_latency(world: World) -> None:
    async with behind(world.stack, token_of(CALM)) as calm:
        with scripted_model(nothing_new) as model, observing(world.stack, model, "--engine", "model"):
            idle = await flush_latency(calm)
            busy = [await begun(world) for _ in range(SESSIONS)]
            flushing = [asyncio.create_task(world.api.post(f"/session/{one}/flush")) for one in busy]
            beside = await flush_latency(calm)
            still = [task for task in flushing if not task.done()]
            await asyncio.gather(*flushing)
            await nothing_due(world)
    assert beside <= 3 * max(idle, FLOOR), f"{beside:.2f} s instead of {idle:.2f} s"
    assert still, "the other project was not busy all the time"
