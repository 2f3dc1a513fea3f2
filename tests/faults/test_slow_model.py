"""A model that takes longer than a lease lasts and than an event may stay unacknowledged: it is asked once."""

import json
from collections import Counter

from tests.faults.observers import granted, observing
from tests.faults.sessions import boards, filled, observed_once
from tests.faults.world import Document, World

from craftlog.testing.scripted_model import Json, Reply, scripted_model

PROJECT = "slow"
LEASE = 1.5
SESSIONS = range(4)


def slow(body: Json) -> Reply:
    return Reply(granted(body).content, after=3 * LEASE)


async def test_each_batch_is_paid_for_once_by_several_observers(world: World, in_peace: dict[int, Document]) -> None:
    with (
        scripted_model(slow) as model,
        observing(world.stack, model, "--lease", LEASE),
        observing(world.stack, model, "--lease", LEASE),
    ):
        sessions = await filled(world, SESSIONS)
        read = await boards(world, sessions)
        paid = [json.loads(asked.body["messages"][0]["content"]) for asked in model.asked]
    assert read == {number: in_peace[number] for number in SESSIONS}
    await observed_once(world, sessions.values())
    times = Counter((batch["session"], position) for batch in paid for position in batch["positions"])
    assert set(times.values()) == {1}, times.most_common(3)
