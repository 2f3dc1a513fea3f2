"""The observer as it runs, with a model instead of the rules."""

import json
import re
from contextlib import contextmanager
from uuid import uuid4

import pytest
from pydantic import SecretStr

from craftlog.contracts.events import (
    MessageAppended,
    ProjectConfigured,
    ProjectCreated,
    SessionCreated,
    SessionObserved,
)
from craftlog.contracts.messages import Part
from craftlog.contracts.readmodels import USAGE
from craftlog.contracts.subjects import Address, Kind
from craftlog.llm.models import ModelAwayError
from craftlog.observer.app import ObserverSettings, model_of
from craftlog.observer.modelled import PROMPT, instructions
from craftlog.observer.settings import Criteria
from craftlog.observer.store import SETTINGS
from craftlog.runtime.due import Item
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.work import SAME_ERROR_IS_POISON
from craftlog.testing.examples import START, TENANT, fresh
from craftlog.testing.scripted_model import Reply, scripted_model
from craftlog.testing.waiting import until

DEADLINE = 30.0
SILENT = "the model gives no usable answer to it: its endpoint refuses the question, or does not answer it"


def new_messages(body):
    return json.loads(body["messages"][1]["content"].rsplit("\n\n# ", 1)[1].split("\n", 1)[1])


def read_before(body):
    return json.loads(body["messages"][1]["content"].split("\n\n# ")[1].split("\n", 1)[1])


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


def said(position, text=None, role="user"):
    parts = (Part(type="text", text=text or f"Number {position}"),)
    return MessageAppended(message_id=f"m{position}", position=position, role=role, parts=parts)


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

    @pytest.mark.parametrize("silence", [Reply("broken", status=500), Reply("late", after=4.0)], ids=["500", "hangs"])
    async def test_that_never_answers_one_message_and_all_others_costs_that_message_only(
        self, world, observing, monkeypatch, silence
    ):
        def script(body):
            return silence if "Number 2" in body["messages"][1]["content"] else note_each_message(body)

        monkeypatch.setattr("craftlog.runtime.due._DELAYS", (0.01,))
        monkeypatch.setattr("craftlog.llm.breaker._FIRST_PAUSE", 0.01)
        monkeypatch.setattr("craftlog.llm.breaker._LONGEST_PAUSE", 0.05)
        session = fresh(Kind.SESSION)
        with model(script) as (_, settings):
            async with observing(**settings | {"llm_timeout": 0.5}):
                await world.append(session, SessionCreated(), *map(said, range(1, 4)))
                board = await until(lambda: world.board(session, through_position=3), DEADLINE)
        assert [task["positions"] for task in board["tasks"]] == [[1], [3]]
        [skipped] = board["skipped"]
        assert (skipped["position"], skipped["reason"]) == (2, SILENT)

    async def test_is_paid_also_for_what_nobody_can_use(self, world, observing, monkeypatch):
        def script(body):
            return Reply("Hm.") if "Number 2" in body["messages"][1]["content"] else note_each_message(body)

        monkeypatch.setattr("craftlog.runtime.due._DELAYS", (0.01,))
        session = fresh(Kind.SESSION)
        with model(script) as (server, settings):
            async with observing(**settings):
                await world.append(session, SessionCreated(), *map(said, range(1, 4)))
                board = await until(lambda: world.board(session, through_position=3), DEADLINE)
        answers = [script(asked.body) for asked in server.asked]
        assert answers.count(Reply("Hm.")) > SAME_ERROR_IS_POISON
        [(day, used)] = board["usage"].items()
        assert (used["messages"], used["calls"]) == (2, len(answers))
        assert used["completion_tokens"] == sum(len(answer.content) // 4 for answer in answers)
        [stored] = await world.database[USAGE].find({"session_id": session.id}).to_list()
        assert {"day": day, **used}.items() <= stored.items()

    async def test_that_cannot_answer_for_all_is_asked_for_fewer(self, world, observing):
        def only_one(body):
            return note_each_message(body) if len(new_messages(body)) == 1 else Reply("too long", status=400)

        session = fresh(Kind.SESSION)
        with model(only_one) as (_, settings):
            async with observing(**settings):
                await world.append(session, SessionCreated(), *map(said, range(1, 4)))
                board = await until(lambda: world.board(session, through_position=3), DEADLINE)
        assert [task["positions"] for task in board["tasks"]] == [[1], [2], [3]]


class TestPrompt:
    async def test_shows_the_last_messages_of_the_batch_before_also_after_a_restart(self, world, observing):
        session = fresh(Kind.SESSION)
        with model() as (server, settings):
            async with observing(**settings):
                await world.append(session, SessionCreated(), *map(said, range(1, 19)))
                await until(lambda: world.board(session, through_position=18), DEADLINE)
            async with observing(**settings):
                await world.append(session, said(19))
                await until(lambda: world.board(session, through_position=19), DEADLINE)
        shown = [read_before(asked.body) for asked in server.asked]
        assert [[message["id"] for message in one] for one in shown] == [[], [14, 15, 16], [16, 17, 18]]
        assert [message["parts"] for message in shown[-1]] == [[{"text": f"Number {at}"}] for at in (16, 17, 18)]
        assert [[message["id"] for message in new_messages(asked.body)] for asked in server.asked][1:] == [
            [17, 18],
            [19],
        ]

    async def test_has_the_criteria_of_the_project_and_of_no_other(self, world, observing):
        session, elsewhere = fresh(Kind.SESSION), Address(Kind.SESSION, str(uuid4()), str(uuid4()))
        with model() as (server, settings):
            async with observing(**settings):
                await world.append(TENANT, ProjectCreated(name="research"))
                await world.append(session, SessionCreated())
                for at, words in enumerate(["It is shipped.", "It is sold."], start=1):
                    await world.append(TENANT, ProjectConfigured(configs={"task_success_criteria": words}))
                    await until(lambda words=words: world.document(SETTINGS, TENANT.id, success=words))
                    await world.append(session, said(at))
                    await until(lambda at=at: world.board(session, through_position=at), DEADLINE)
                await world.append(elsewhere, SessionCreated(), said(1))
                await until(lambda: world.board(elsewhere, through_position=1), DEADLINE)
        first, second, other = (asked.body["messages"][0]["content"] for asked in server.asked)
        assert first == other + instructions(Criteria("It is shipped.")).removeprefix(instructions(Criteria()))
        assert second.endswith('{"success": "It is sold."}\n')
        assert "It is shipped." not in second + other

    async def test_is_sent_with_what_the_settings_say_to_whom_they_say(self, world, observing):
        session = fresh(Kind.SESSION)
        how = {"llm_headers": {"X-Team": "a"}, "llm_query": {"api-version": "7"}, "llm_arguments": {"temperature": 0}}
        with model() as (server, settings):
            async with observing(**settings, **how, llm_api_key=SecretStr("sk-7")):
                await world.append(session, SessionCreated(), said(1))
                await until(lambda: world.board(session, through_position=1), DEADLINE)
        [asked] = server.asked
        assert (asked.headers["X-Team"], asked.headers["Authorization"]) == ("a", "Bearer sk-7")
        assert asked.path.endswith("/chat/completions?api-version=7")
        assert asked.body["temperature"] == 0

    async def test_asks_for_a_tool_call_where_the_endpoint_knows_no_schemas(self, world, observing):
        def without_schemas(body):
            return note_each_message(body) if "tools" in body else Reply("no response_format here", status=400)

        session = fresh(Kind.SESSION)
        with model(without_schemas) as (_, settings):
            async with observing(**settings):
                await world.append(session, SessionCreated(), *map(said, range(1, 4)))
                board = await until(lambda: world.board(session, through_position=3), DEADLINE)
        assert [task["positions"] for task in board["tasks"]] == [[1], [2], [3]]


class TestRules:
    async def test_do_without_criteria(self, world, observing):
        session, elsewhere = fresh(Kind.SESSION), Address(Kind.SESSION, str(uuid4()), str(uuid4()))
        configs = {"task_success_criteria": "Never.", "task_failure_criteria": "Always."}
        boards = []
        async with observing():
            await world.append(TENANT, ProjectCreated(name="research"), ProjectConfigured(configs=configs))
            await until(lambda: world.document(SETTINGS, TENANT.id, version=2))
            for one in (session, elsewhere):
                await world.append(
                    one, SessionCreated(), said(1, "Please write a page"), said(2, "Written.", "assistant")
                )
                boards.append(await until(lambda one=one: world.board(one, through_position=2)))
        told = [[(task["description"], task["status"]) for task in board["tasks"]] for board in boards]
        assert told[0] == told[1] != []


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
