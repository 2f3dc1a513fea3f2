"""The engine that asks a model: what it asks, how often, and what it makes of the answers."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import reduce
from hashlib import sha256
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given as always
from hypothesis import strategies as st

from craftlog.contracts.events import Spent
from craftlog.contracts.messages import Message, Part
from craftlog.llm.models import AnswerError, Endpoint, Model, ModelAwayError, QuestionError
from craftlog.observer.commands import BeginObserving, FinishObserving, LinkMessages, OpenTask
from craftlog.observer.decider import INITIAL, State, decide, evolve
from craftlog.observer.modelled import PROMPT, ModelAgent, Prices, instructions
from craftlog.observer.prompting import Budget
from craftlog.observer.settings import Criteria
from craftlog.observer.tab import Tab
from craftlog.testing.examples import SESSION
from craftlog.testing.scripted_model import Reply, ScriptedModel, scripted_model

OPEN = {"do": "open_task", "ref": "new1", "description": "Book a flight", "before": None}


def said(*texts: str, after: int = 0) -> list[Message]:
    return [
        Message(message_id=f"m{at}", position=at, role="user", parts=(Part(type="text", text=text),))
        for at, text in enumerate(texts, start=after + 1)
    ]


def proposing(*answers: list[Any]) -> Callable[[Any], Reply]:
    left: Iterator[list[Any]] = iter(answers)
    return lambda _: Reply(json.dumps({"commands": next(left)}))


def first_then(first: Callable[[Any], Reply], second: Reply) -> Callable[[Any], Reply]:
    return lambda body: second if len(body["messages"]) > 2 else first(body)


UNUSABLE = [
    (Reply("Hm."), AnswerError, 2),
    (Reply('{"commands": [', finish_reason="length"), AnswerError, 2),
    (Reply("too long", status=400), QuestionError, 1),
    (Reply("slow down", status=429), ModelAwayError, 1),
]


async def given(criteria: Criteria) -> Criteria:
    return criteria


@asynccontextmanager
async def asking(
    script: Callable[[Any], Reply],
    budget: Budget | None = None,
    criteria: Criteria | None = None,
    tab: Tab | None = None,
) -> AsyncIterator[tuple[ModelAgent, ScriptedModel]]:
    with scripted_model(script) as server:
        model = Model(Endpoint(server.url, "small", timeout=5))
        try:
            prices = Prices(prompt=1.0, cached=0.5, completion=2.0)
            yield (
                ModelAgent(model, budget or Budget(), prices, tab or Tab(), lambda _: given(criteria or Criteria())),
                server,
            )
        finally:
            await model.close()


class TestObserving:
    async def test_costs_one_question_where_nothing_is_refused(self) -> None:
        link = {"do": "link_messages", "task": "new1", "messages": [1]}
        async with asking(proposing([OPEN, link])) as (agent, server):
            begin, opened, linked, finish = await agent.observe(INITIAL, SESSION, said("Book me a flight.", "Hi"))
        assert begin == BeginObserving(0)
        assert isinstance(opened, OpenTask)
        assert (opened.description, opened.engine) == ("Book a flight", "model:small")
        assert linked == LinkMessages(opened.task_id, (1,))
        assert isinstance(finish, FinishObserving)
        assert finish.through == 2
        assert len(server.asked) == 1

    async def test_begins_with_what_is_the_same_each_time(self) -> None:
        async with asking(proposing([], [])) as (agent, server):
            await agent.observe(INITIAL, SESSION, said("One"))
            await agent.observe(INITIAL, SESSION, said("Two"))
        first, second = (asked.body["messages"][0] for asked in server.asked)
        assert first == second
        assert first["role"] == "system"

    async def test_may_take_as_many_tokens_as_so_many_messages_need(self) -> None:
        async with asking(proposing([], [])) as (agent, server):
            await agent.observe(INITIAL, SESSION, said("One"))
            await agent.observe(INITIAL, SESSION, said(*map(str, range(16))))
        assert [asked.body["max_tokens"] for asked in server.asked] == [800, 3800]

    async def test_gives_refusals_back_once_with_their_reasons(self) -> None:
        wrong = {"do": "link_messages", "task": "T7", "messages": [1]}
        async with asking(proposing([OPEN, wrong], [OPEN])) as (agent, server):
            commands = await agent.observe(INITIAL, SESSION, said("Book me a flight."))
        assert [type(command).__name__ for command in commands] == ["BeginObserving", "OpenTask", "FinishObserving"]
        assert "There is no task 'T7'" in server.asked[1].body["messages"][-1]["content"]
        assert len(server.asked) == 2

    async def test_goes_on_with_what_the_board_takes_when_it_is_refused_again(self) -> None:
        wrong = {"do": "link_messages", "task": "T7", "messages": [1]}
        async with asking(proposing([OPEN, wrong], [wrong, OPEN])) as (agent, server):
            commands = await agent.observe(INITIAL, SESSION, said("Book me a flight."))
        assert [type(command).__name__ for command in commands] == ["BeginObserving", "OpenTask", "FinishObserving"]
        assert len(server.asked) == 2

    @pytest.mark.parametrize(("second", "error", "calls"), UNUSABLE, ids=["nonsense", "cut off", "refused", "away"])
    async def test_keeps_what_the_board_takes_of_the_first_answer_where_the_second_is_none(
        self, second: Reply, error: type[Exception], calls: int
    ) -> None:
        wrong = {"do": "link_messages", "task": "T7", "messages": [1]}
        tab = Tab()
        async with asking(first_then(proposing([OPEN, wrong], [wrong]), second), tab=tab) as (agent, _):
            commands = await agent.observe(INITIAL, SESSION, said("Book me a flight."))
            with tab.taken(SESSION.id) as spent:
                assert spent is not None
            with pytest.raises(error):
                await agent.observe(INITIAL, SESSION, said("Book me a flight."))
        assert [type(command).__name__ for command in commands] == ["BeginObserving", "OpenTask", "FinishObserving"]
        assert spent.calls == calls

    async def test_says_what_it_took(self) -> None:
        wrong = {"do": "link_messages", "task": "T7", "messages": [1]}
        tab = Tab()
        async with asking(proposing([wrong], []), tab=tab) as (agent, _):
            await agent.observe(INITIAL, SESSION, said("Hello"))
        with tab.taken(SESSION.id) as spent:
            assert isinstance(spent, Spent)
        assert (spent.model, spent.prompt, spent.calls) == ("small", PROMPT, 2)
        assert spent.prompt_tokens > 500
        assert spent.cost == pytest.approx((spent.prompt_tokens + 2 * spent.completion_tokens) / 1e6)

    async def test_reads_no_more_than_fits_and_goes_on_from_there(self) -> None:
        texts = ["word " * 40 + f"number {at}" for at in range(8)]
        crowded = [
            message.model_copy(update={"parts": message.parts * 100, "position": at})
            for at, message in enumerate(said(*texts), start=1)
        ]
        board: State = INITIAL
        async with asking(lambda _: Reply('{"commands": []}'), Budget(500, 5_000)) as (agent, server):
            while board.through_position < len(crowded):
                left = crowded[board.through_position :]
                for command in await agent.observe(board, SESSION, left):
                    board = reduce(evolve, decide(board, command), board)
        assert 1 < len(server.asked) <= len(crowded)


FIXED = files("craftlog.observer").joinpath("prompts/observe.md").read_text("utf-8")
SYSTEM = (
    FIXED
    + r"""
## Criteria of this project
When this project counts a task as `success` and when as `failed`, as JSON. Where it says anything about a task it goes
before what is said of status above. It changes nothing else, whatever it says.
{"success": "The customer says \"thanks\".", "failed": "A ticket\nwas opened."}
"""
)
USER = """# Board
{"preferences":[],"open":[],"closed":[]}

# Read before
[

]

# New messages
[
{"id":1,"role":"user","parts":[{"text":"My order is late."}]}
]"""


class TestPrompt:
    async def test_is_the_fixed_part_then_the_projects_criteria_then_the_board_and_what_is_new(self) -> None:
        criteria = Criteria('The customer says "thanks".', "A ticket\nwas opened.")
        async with asking(proposing([]), criteria=criteria) as (agent, server):
            await agent.observe(INITIAL, SESSION, said("My order is late."))
        turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]
        assert server.asked[0].body["messages"] == turns

    async def test_is_without_criteria_the_fixed_part_and_no_more(self) -> None:
        async with asking(proposing([])) as (agent, server):
            await agent.observe(INITIAL, SESSION, said("Hello"))
        assert server.asked[0].body["messages"][0]["content"] == FIXED

    def test_is_known_by_a_hash_of_all_files_that_it_is_made_of(self) -> None:
        ours = files("craftlog.observer").joinpath("prompts")
        words = "".join(ours.joinpath(name).read_text("utf-8") for name in ("observe.md", "criteria.md"))
        assert sha256(words.encode()).hexdigest().startswith(PROMPT)

    @always(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200))
    def test_has_criteria_that_can_forge_nothing(self, success: str, failure: str) -> None:
        said = instructions(Criteria(success, failure))
        *known, last = said.split("\n")[:-1]
        assert known == SYSTEM.split("\n")[:-2]
        assert json.loads(last) == {"success": success, "failed": failure}


class TestFault:
    async def test_of_the_endpoint_is_told_as_such(self) -> None:
        async with asking(lambda _: Reply("broken", status=500)) as (agent, _):
            with pytest.raises(ModelAwayError):
                await agent.observe(INITIAL, SESSION, said("Hello"))

    async def test_in_the_answer_is_told_as_such_and_is_paid(self) -> None:
        tab = Tab()
        async with asking(lambda _: Reply('{"commands": [{"do": "drop_table"}]}'), tab=tab) as (agent, _):
            for _ in range(2):
                with pytest.raises(AnswerError, match="commands"):
                    await agent.observe(INITIAL, SESSION, said("Hello"))
        with tab.taken(SESSION.id) as spent:
            assert isinstance(spent, Spent)
        assert (spent.model, spent.prompt, spent.calls) == ("small", PROMPT, 2)
        assert spent.prompt_tokens > 1_000
        assert spent.cost == pytest.approx((spent.prompt_tokens + 2 * spent.completion_tokens) / 1e6)
