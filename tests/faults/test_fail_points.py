"""An observer that dies by kill -9 at any of its steps: the next one goes on as if nothing had been."""

import asyncio
import time

import pytest
from tests.faults.faulty_observer import FAIL_POINTS
from tests.faults.observers import granted, observing
from tests.faults.sessions import all_heard, boards, filled, observed_once
from tests.faults.world import Document, World

from craftlog.testing.scripted_model import scripted_model

PROJECT = "killed"
LEASE = ("--lease", 1)
IDLE = 10.0  # seconds
NOISE = 6.0  # seconds in which three sessions are observed on any machine
SESSIONS = range(3)


class TestAnObserverKilled:
    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize("point", FAIL_POINTS)
    async def test_at_a_step_leaves_boards_as_in_peace(
        self, moment: str, point: str, world: World, in_peace: dict[int, Document]
    ) -> None:
        with scripted_model(granted) as model:
            with observing(world.stack, model, *LEASE, "--die", f"{moment} {point}", "--nth", 2) as doomed:
                sessions = await filled(world, SESSIONS)
                doomed.await_death()
            with observing(world.stack, model, *LEASE):
                read = await boards(world, sessions)
        assert read == {number: in_peace[number] for number in SESSIONS}
        await observed_once(world, sessions.values())

    async def test_inside_the_idle_window_keeps_nobody_waiting_for_another_one(
        self, world: World, in_peace: dict[int, Document]
    ) -> None:
        patience = {"observe_idle": IDLE, "observe_messages": 1000}
        with scripted_model(granted) as model:
            with observing(world.stack, model, **patience) as doomed:
                sessions = await filled(world, SESSIONS)
                appended = time.monotonic()
                await all_heard(world)
                doomed.kill()
            assert not model.asked, "the window was over"
            await asyncio.sleep(max(appended + IDLE - time.monotonic(), 0))  # it ends while nobody is there
            restarting = time.monotonic()
            with observing(world.stack, model, **patience):
                restart = time.monotonic() - restarting
                read = await boards(world, sessions)
                took = time.monotonic() - appended
        assert read == {number: in_peace[number] for number in SESSIONS}
        assert took <= IDLE + restart + NOISE
