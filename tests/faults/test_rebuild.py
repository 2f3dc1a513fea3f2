"""The durable consumers and the due index are gone: both come again from the log, and nothing is read twice."""

import json

import pytest
from tests.faults.observers import granted, observing
from tests.faults.sessions import DUE, all_heard, boards, filled, nothing_due, observed_once
from tests.faults.world import Document, World

from craftlog.contracts.subjects import STREAM
from craftlog.testing.scripted_model import scripted_model

PROJECT = "rebuilt"
READ, UNREAD = range(3), range(3, 6)
FOR_EVER = 3600
DURABLES = ("observer-session", "observer-board")


@pytest.mark.parametrize("durables", [DURABLES, ()], ids=["with the consumers", "alone"])
async def test_a_restart_rebuilds_a_deleted_index_from_the_log(
    durables: tuple[str, ...], world: World, in_peace: dict[int, Document]
) -> None:
    with scripted_model(granted) as model:
        with observing(world.stack, model):
            read = await filled(world, READ)
            boards_read = await boards(world, read)
            await nothing_due(world)
        with observing(world.stack, model, observe_idle=FOR_EVER, observe_age=FOR_EVER, observe_messages=1000) as late:
            unread = await filled(world, UNREAD)
            await all_heard(world)
            late.kill()
        await world.database.drop_collection(DUE)
        for durable in durables:
            await world.log.jetstream.delete_consumer(STREAM, durable)
        asked_before = len(model.asked)
        with observing(world.stack, model):
            boards_unread = await boards(world, unread)
            await all_heard(world)
            await nothing_due(world)
        asked = {json.loads(one.body["messages"][0]["content"])["session"] for one in model.asked[asked_before:]}
        assert asked == set(unread.values())
        assert await boards(world, read) == boards_read
    assert boards_read | boards_unread == {number: in_peace[number] for number in (*READ, *UNREAD)}
    await observed_once(world, [*read.values(), *unread.values()])
