"""An observer that stands still past its lease, while another one does its work: what it does then has no effect."""

import signal

import pytest
from tests.faults.observers import granted, observing
from tests.faults.sessions import boards, facts, filled, nothing_due, observed_once
from tests.faults.world import Document, World

from craftlog.testing.scripted_model import scripted_model

PROJECT = "frozen"
LEASE = ("--lease", 1)


@pytest.mark.parametrize("at", ["after model call", "before append"])
async def test_an_observer_that_was_outrun_in_its_sleep_changes_nothing(
    at: str, world: World, in_peace: dict[int, Document]
) -> None:
    with (
        scripted_model(granted) as model,
        observing(world.stack, model, *LEASE, "--freeze", at) as frozen,
    ):
        sessions = await filled(world, range(1))
        frozen.await_frozen()
        with observing(world.stack, model, *LEASE):
            read = await boards(world, sessions)
            await nothing_due(world)
        log = await facts(world, sessions.values())
        asked = len(model.asked)
        frozen.tell(signal.SIGCONT)
        frozen.await_said('"outrun"')
        await nothing_due(world)
        assert await facts(world, sessions.values()) == log
        assert await boards(world, sessions) == read == {0: in_peace[0]}
        assert len(model.asked) == asked
    await observed_once(world, sessions.values())
