"""One message of many that cannot be observed: the others are; it is parked, and read once it is mended, or dropped."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from tests.faults.conftest import token_of
from tests.faults.observers import WITHOUT_OBSERVER, Observer, observing
from tests.faults.world import World

from craftlog.cli.client import ApiRefusedError
from craftlog.contracts.envelope import encode
from craftlog.contracts.events import MessageAppended
from craftlog.contracts.messages import Part
from craftlog.contracts.readmodels import BOARDS
from craftlog.contracts.subjects import Address, Kind
from craftlog.observer.proposals import PLANNING
from craftlog.testing.scripted_model import Json, Reply, ScriptedModel, scripted_model
from craftlog.testing.stack import Stack
from craftlog.testing.waiting import until

PROJECT = "unreadable"
PROJECT_ID = str(uuid5(NAMESPACE_URL, PROJECT))
MANY = 20
BAD = 7
MARK = "the dead parrot"
DEADLINE = 60.0


@pytest.fixture(scope="module")
def unobserved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack of this module's own: what cannot be decoded would be in the way of others who read its log."""
    env = {"CRAFTLOG_TOKENS": json.dumps({token_of(PROJECT): PROJECT_ID})}
    with Stack(tmp_path_factory.mktemp("unreadable"), only=WITHOUT_OBSERVER, env=env) as stack:
        yield stack


def plan(body: Json) -> Reply:
    """Count each new message as planning."""
    said = body["messages"][1]["content"].rsplit("\n\n# ", 1)[1].split("\n", 1)[1]
    positions = [message["id"] for message in json.loads(said)]
    return Reply(json.dumps({"commands": [{"do": "link_messages", "task": PLANNING, "messages": positions}]}))


def stumble(body: Json) -> Reply:
    """Say nothing that can be used of one message."""
    return Reply('{"commands": "no"}') if MARK in str(body["messages"][1]) else plan(body)


@contextmanager
def model_and_observer(world: World, script: Callable[[Json], Reply]) -> Iterator[tuple[ScriptedModel, Observer]]:
    with scripted_model(script) as model, observing(world.stack, model, "--engine", "model", "--hurry", 20) as observer:
        yield model, observer


async def begun(world: World, bad: str = "") -> Address:
    """Return a session of many messages, one of which is this."""
    session = (await world.api.post("/session", {}))["id"]
    texts = [bad if bad and at == BAD else f"Message {at}" for at in range(1, MANY + 1)]
    blobs = [{"role": "user", "content": text} for text in texts]
    await world.api.post(f"/session/{session}/messages/batch", {"blobs": blobs})
    return Address(Kind.SESSION, PROJECT_ID, session)


async def board(world: World, session: Address, through: int = MANY) -> dict[str, Any]:
    heads = world.database[BOARDS]
    found: dict[str, Any] = await until(
        lambda: heads.find_one({"_id": session.id, "through_position": through}), DEADLINE
    )
    return found


async def parked(world: World, session: Address) -> list[dict[str, Any]]:
    items = (await world.api.get("/parked", limit=200))["items"]
    return [one for one in items if one["session_id"] == session.id]


async def skips_only(world: World, session: Address, bad: int) -> str:
    """Assert that all but one were observed, each once, and that this is parked; return the reason."""
    head = await board(world, session)
    assert head["planning"] == [at for at in range(1, MANY + 1) if at != bad]
    [one] = await parked(world, session)
    assert (one["id"], one["position"]) == (f"{session.id}:{bad}", bad)
    status = await world.api.get(f"/session/{session.id}/observing_status")
    assert (status["observed"], status["parked"], status["waiting"]) == (MANY - 1, 1, None)
    return str(one["reason"])


async def takes_up(world: World, session: Address, bad: int) -> None:
    """Assert that one retry observes the message, and a second one finds nothing."""
    retry = f"/parked/{session.id}:{bad}/retry"
    assert await world.api.post(retry) == {"parked": False, "reason": None}
    with pytest.raises(ApiRefusedError, match="nothing parked"):
        await world.api.post(retry)
    assert await parked(world, session) == []
    facts = [past async for past in world.log.read(Address(Kind.BOARD, session.project, session.id))]
    assert [past.type for past in facts].count("MessageTakenUp.v1") == 1
    linked = [at for past in facts for at in getattr(past.event, "positions", ())]
    assert sorted(linked) == list(range(1, MANY + 1))


async def test_parts_that_are_gone_cost_one_message_and_are_read_when_they_are_back(world: World) -> None:
    session = await begun(world, "x" * 300_000)
    [large] = [
        past.event
        async for past in world.log.read(session)
        if isinstance(past.event, MessageAppended) and past.event.parts_ref
    ]
    assert large.parts_ref
    body = await world.objects.get(large.parts_ref.key)
    await world.objects.delete(large.parts_ref.key)
    with model_and_observer(world, plan):
        assert await skips_only(world, session, BAD) == "its parts are not in the bucket"
        flushed = await world.api.post(f"/session/{session.id}/flush")
        assert flushed["status"] == 200
        assert f"{BAD} (its parts are not in the bucket)" in flushed["errmsg"]
        still = await world.api.post(f"/parked/{session.id}:{BAD}/retry")
        assert still == {"parked": True, "reason": "its parts are not in the bucket"}
        await world.objects.put(large.parts_ref.key, body, "application/json")
        await takes_up(world, session, BAD)


async def test_an_event_that_cannot_be_decoded_costs_one_message_and_can_be_dropped(world: World) -> None:
    session = await begun(world)
    stream = world.log.client.jetstream()
    await stream.publish(session.subject, b"{not json", headers={"ce-type": "MessageAppended.v1"})
    said = MessageAppended(message_id="m", position=MANY + 2, role="user", parts=(Part(type="text", text="Go on"),))
    headers, body = encode(session, MANY + 3, said, event_id=f"{session.id} after", time=datetime.now(UTC))
    await stream.publish(session.subject, body, headers=headers)
    bad = MANY + 1
    with model_and_observer(world, plan):
        head = await board(world, session, MANY + 2)
        assert head["planning"] == [*range(1, bad), MANY + 2]
        [one] = await parked(world, session)
        assert (one["position"], one["original"]) == (bad, "{not json")
        assert "header 'ce-sequence' is missing" in one["reason"]
        assert (await world.api.post(f"/parked/{session.id}:{bad}/retry"))["parked"]
    with model_and_observer(world, plan):  # a restart changes nothing
        assert [one["position"] for one in await parked(world, session)] == [bad]
        await world.api.post(f"/parked/{session.id}:{bad}/drop")
        assert await parked(world, session) == []
        with pytest.raises(ApiRefusedError, match="nothing parked"):
            await world.api.post(f"/parked/{session.id}:{bad}/retry")


async def test_a_message_that_a_model_has_no_answer_to_waits_for_another_model(world: World) -> None:
    session = await begun(world, f"Tell me of {MARK}.")
    with model_and_observer(world, stumble) as (model, _):
        assert "no usable answer" in await skips_only(world, session, BAD)
        asked = [str(one.body["messages"][1]).rsplit("# New", 1)[1] for one in model.asked]
        assert sum(MARK in new and "Message" not in new for new in asked) == 5
        assert (await world.api.post(f"/parked/{session.id}:{BAD}/retry"))["parked"]
        model.script = plan
        await takes_up(world, session, BAD)
