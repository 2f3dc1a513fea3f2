"""The observer as it runs, with a model instead of the rules."""

import json
import re
from contextlib import contextmanager

import pytest

from craftlog.contracts.events import MessageAppended, SessionCreated, SessionObserved
from craftlog.contracts.messages import Part
from craftlog.contracts.subjects import Kind
from craftlog.llm.models import ModelAwayError
from craftlog.observer.app import ObserverSettings, model_of
from craftlog.observer.modelled import PROMPT
from craftlog.runtime.due import Item
from craftlog.runtime.errors import UnavailableError
from craftlog.testing.examples import START, fresh
from craftlog.testing.scripted_model import Reply, scripted_model
from craftlog.testing.waiting import until

DEADLINE = 30.0


def new_messages(body):
    return json.loads(body["messages"][1]["content"].rsplit("\n\n# ", 1)[1].split("\n", 1)[1])


def note_each_message(body):
    """Propose one task for each message, and link it."""
    commands = []
    for message in new_messages(body):
        ref = f"new{message['id']}"
        commands += [
            {"do": "open_task", "ref": ref, "description": f"Task of message {message['id']}", "before": None},
            {"do": "link_messages", "task": ref, "messages": [message["id"]]},
        ]
    return Reply(json.dumps({"commands": commands}))


def said(position):
    return MessageAppended(
        message_id=f"m{position}", position=position, role="user", parts=(Part(type="text", text=f"Number {position}"),)
    )


@contextmanager
def model(script=note_each_message):
    with scripted_model(script) as server:
        yield server, {"llm_base_url": server.url, "llm_model": "small", "llm_timeout": 2.0}


class TestEngine:
    def test_is_the_rules_without_a_model(self):
        assert model_of(ObserverSettings()) is None

    @pytest.mark.parametrize("half", [{"llm_base_url": "http://127.0.0.1:1/v1"}, {"llm_model": "small"}])
    def test_is_refused_by_half(self, half):
        with pytest.raises(ValueError, match="CRAFTLOG_LLM_BASE_URL and CRAFTLOG_LLM_MODEL belong together"):
            model_of(ObserverSettings(**half))


class TestModel:
    async def test_keeps_the_board(self, world, observing):
        session = fresh(Kind.SESSION)
        with model() as (_, settings):
            async with observing(**settings):
                await world.append(session, SessionCreated(), *map(said, range(1, 4)))
                board = await until(lambda: world.board(session, through_position=3), DEADLINE)
        assert [task["positions"] for task in board["tasks"]] == [[1], [2], [3]]
        assert {task["engine"] for task in board["tasks"]} == {"model:small"}
        observed = (await world.facts(session))[-1].event
        assert isinstance(observed, SessionObserved)
        assert observed.spent.prompt == PROMPT

    async def test_that_is_away_costs_a_delay_and_health_says_so(self, world, observing):
        session = fresh(Kind.SESSION)
        with model(lambda _: Reply("broken", status=500)) as (server, settings):
            async with observing(**settings) as parts:
                await world.append(session, SessionCreated(), *map(said, range(1, 4)))
                health = await until(lambda: away(parts), DEADLINE)
                assert re.search("small does not answer|left alone", health)
                server.script = note_each_message
                board = await until(lambda: world.board(session, through_position=3), DEADLINE)
        assert len(board["tasks"]) == 3
        assert [type(past.event) for past in await world.facts(session)].count(SessionObserved) == 1

    async def test_that_cannot_answer_for_all_is_asked_for_fewer(self, world, observing):
        def only_one(body):
            return note_each_message(body) if len(new_messages(body)) == 1 else Reply("too long", status=400)

        session = fresh(Kind.SESSION)
        with model(only_one) as (_, settings):
            async with observing(**settings):
                await world.append(session, SessionCreated(), *map(said, range(1, 4)))
                board = await until(lambda: world.board(session, through_position=3), DEADLINE)
        assert [task["positions"] for task in board["tasks"]] == [[1], [2], [3]]


class Repeating:
    """A model whose endpoint repeats what it was sent."""

    engine = "model:repeating"

    async def observe(self, *_):
        raise ModelAwayError("Incorrect API key provided: sk-1234")


class TestSecrets:
    async def test_that_an_endpoint_repeats_are_not_for_everybody(self, world):
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(), said(1))
        item = Item(session.id, session.project, START, START, {})
        with pytest.raises(UnavailableError) as refusal:
            await world.observer(Repeating()).perform(item)
        assert refusal.value.public == "the model does not answer"


async def away(parts):
    return parts.works[0].health().error
