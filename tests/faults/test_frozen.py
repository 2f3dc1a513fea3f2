"""An observer that stands still past its lease, while another one does its work: what it does then has no effect."""

import itertools
import json
import signal

import pytest
from tests.faults.observers import granted, observing
from tests.faults.sessions import boards, facts, filled, nothing_due, observed_once
from tests.faults.world import World

from craftlog.testing.scripted_model import Json, Reply, scripted_model

PROJECT = "frozen"
SESSIONS = 30
IDLE = 3.0  # seconds, in which all of them are heard of
LEASE = ("--lease", 1)
ARGUMENTS = ("--engine", "model", *LEASE)


class Fickle:
    """A model that says something else each time that it is asked, and the less the earlier it is."""

    def __init__(self) -> None:
        self._times = itertools.count(1)

    def __call__(self, body: Json) -> Reply:
        time = next(self._times)
        new = json.loads(body["messages"][1]["content"].rsplit("# New messages\n", 1)[1])
        commands: list[Json] = [
            {"do": "open_task", "ref": f"t{n}", "description": f"Asked {time}, task {n}", "before": None}
            for n in range(time)
        ]
        commands.append({"do": "link_messages", "task": "t0", "messages": [message["id"] for message in new]})
        return Reply(json.dumps({"commands": commands}))


@pytest.mark.parametrize("at", ["after model call", "before append"])
async def test_an_observer_that_was_outrun_in_its_sleep_changes_nothing(at: str, world: World) -> None:
    with (
        scripted_model(Fickle()) as model,
        observing(world.stack, model, *ARGUMENTS, "--freeze", at) as frozen,
    ):
        sessions = await filled(world, range(1))
        frozen.await_frozen()
        with observing(world.stack, model, *ARGUMENTS):
            before = await boards(world, sessions)
            await nothing_due(world)
        log = await facts(world, sessions.values())
        frozen.tell(signal.SIGCONT)
        frozen.await_said('"outrun"')
        await nothing_due(world)
        assert await facts(world, sessions.values()) == log
        assert await boards(world, sessions) == before
        # Nor does it believe what it would have said: what comes next is read beside the board as it is.
        asked = len(model.asked)
        await world.api.post(f"/session/{sessions[0]}/messages", {"blob": {"role": "user", "content": "And now?"}})
        await world.api.post(f"/session/{sessions[0]}/flush")
        prompt = model.asked[asked].body["messages"][1]["content"]
    shown = json.loads(prompt.split("# Board\n", 1)[1].split("\n\n# Read before", 1)[0])
    assert [task["description"] for task in shown["open"]] == [task["description"] for task in before[0]["tasks"]]
    await observed_once(world, sessions.values())


async def test_what_only_a_frozen_observer_has_heard_is_done_by_one_who_was_there_all_the_time(world: World) -> None:
    with (
        scripted_model(granted) as model,
        observing(world.stack, model, *LEASE, "--freeze", "after model call", observe_idle=IDLE) as frozen,
        observing(world.stack, model, *LEASE, observe_idle=IDLE),
    ):
        sessions = [(await world.api.post("/session", {}))["id"] for _ in range(SESSIONS)]
        for session_id in sessions:  # one message each, so that only one of the observers hears of it
            await world.api.post(f"/session/{session_id}/messages", {"blob": {"role": "user", "content": "Hello"}})
        frozen.await_frozen()
        await nothing_due(world)
        await observed_once(world, sessions)
        log = await facts(world, sessions)
        frozen.tell(signal.SIGCONT)
        await world.api.post(f"/session/{sessions[0]}/messages", {"blob": {"role": "user", "content": "And now?"}})
        await world.api.post(f"/session/{sessions[0]}/flush")
        await nothing_due(world)
        assert await facts(world, sessions[1:]) == [past for past in log if past.address.id != sessions[0]]
    await observed_once(world, sessions)
