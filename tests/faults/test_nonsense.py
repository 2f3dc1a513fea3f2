"""A model that answers nonsense: no observation is lost over it, nothing is done by half, nobody else is touched."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.faults.conftest import token_of
from tests.faults.observers import Observer, observing
from tests.faults.sessions import observed_once
from tests.faults.world import Document, World, behind

from craftlog.contracts.envelope import encode
from craftlog.contracts.events import Event, MessagesLinked, PlanningLinked, SessionObserved, TaskOpened, TaskStarted
from craftlog.contracts.readmodels import BOARDS
from craftlog.contracts.subjects import Address, Kind
from craftlog.observer.commands import BeginObserving, FinishObserving
from craftlog.observer.decider import INITIAL, decide, evolve
from craftlog.observer.proposals import Proposals, rule
from craftlog.runtime.mongo import by_id
from craftlog.testing.examples import PROJECT as SOMEBODY
from craftlog.testing.examples import SESSION_ID, START
from craftlog.testing.scripted_model import Json, Reply, scripted_model
from craftlog.testing.stack import Stack
from craftlog.testing.waiting import until

PROJECT = "fuzzed"
DEADLINE = 90.0  # seconds
LEFT_ALONE = "T2"  # which no answer names
NEW = (1, 2, 3)  # the positions of the new messages
LARGEST = 256 * 1024  # bytes of an event
USELESS = {"UnansweredError"}  # what an answer may come to; anything else broke the observation

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(["T1", "T0", "T-1", "T99", "t1", "1", "", "planning", "new", SESSION_ID]) | st.text()
named = names.filter(lambda name: name != LEFT_ALONE)
texts = st.text(max_size=40) | st.sampled_from(["", " ", "\0", "x" * 100_000, "</message>", "𝄞" * 999])
numbers = st.lists(st.integers(1, 5), max_size=3) | st.lists(st.integers(-3, 9) | st.just(10**30), max_size=9)


def command(do: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Return a command in its shape."""
    return st.fixed_dictionaries(fields).map(lambda command: {"do": do, **command})


sound = st.one_of(
    command("open_task", ref=named, description=texts, before=named | st.none()),
    command("describe_task", task=named, description=texts),
    command("set_status", task=named, status=st.sampled_from(["running", "success", "failed"]), reason=texts),
    command("add_progress", task=named, note=texts),
    command("add_preference", task=named | st.none(), preference=texts),
    command("link_messages", task=named, messages=numbers),
)
broken = st.one_of(
    command("delete_board"),
    command("link_messages", task=junk, messages=junk),
    command("add_progress", task=named, note=st.just("\ud800")),
    st.tuples(sound, junk).map(lambda both: dict.fromkeys(both[0], both[1])),
    st.dictionaries(st.text(), junk, max_size=3),
)
answers = st.lists(sound, max_size=12) | st.lists(sound | broken, max_size=4)
proper = answers.map(lambda commands: json.dumps({"commands": commands}))
contents = st.one_of(
    proper,
    st.tuples(proper, st.integers(0, 400)).map(lambda cut: cut[0][: cut[1]]),
    junk.map(json.dumps),
    st.text(),
)


def completion(message: Any, **more: Any) -> Reply:
    """Return an answer with any message in it."""
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    whole = {"id": "x", "object": "chat.completion", "created": 0, "model": "small", "choices": [choice]}
    return Reply(raw=json.dumps(whole | more).encode())


def called(name: str, arguments: Any) -> Reply:
    """Return an answer that calls a tool."""
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
    return completion({"role": "assistant", "content": None, "tool_calls": [call]})


replies = st.one_of(
    contents.map(Reply),
    st.builds(Reply, contents, finish_reason=st.sampled_from(["length", "content_filter", "tool_calls", "odd"])),
    st.builds(called, st.text(), contents),
    junk.map(lambda any_: called("answer", any_)),
    st.text().map(lambda text: completion({"role": "assistant", "content": None, "refusal": text})),
    junk.map(completion),
    st.builds(completion, st.just({"role": "assistant", "content": '{"commands": []}'}), usage=junk, choices=junk),
    st.builds(completion, st.just({"role": "assistant", "content": '{"commands": []}'}), usage=junk, model=junk),
    st.binary(max_size=40).map(lambda raw: Reply(raw=raw)),
)


class TestOnABoard:
    @settings(max_examples=500)
    @given(proper | contents)
    def test_any_answer_comes_to_facts_about_what_it_named(self, content: str) -> None:
        opened = [TaskOpened(task_id=one, order=at, description=one, engine="m") for at, one in enumerate("ab", 1)]
        board = reduce(evolve, [*opened, TaskStarted(task_id="b")], INITIAL)
        try:
            proposals = Proposals.model_validate_json(content)
        except (ValidationError, UnicodeEncodeError):
            return
        ruling = rule(board, proposals, SESSION_ID, NEW, "m")
        after, events = board, list[Event]()
        for one in (BeginObserving(0), *ruling.commands, FinishObserving(NEW[-1], "m")):
            decided = decide(after, one)
            after = reduce(evolve, decided, after)
            events += decided
        assert isinstance(events[-1], SessionObserved)
        assert after.tasks["b"] == board.tasks["b"]
        ids = {"a", *(event.task_id for event in events if isinstance(event, TaskOpened))}
        assert {task_id for event in events if (task_id := getattr(event, "task_id", None))} <= ids
        linked = [event.positions for event in events if isinstance(event, MessagesLinked | PlanningLinked)]
        assert {position for positions in linked for position in positions} <= set(NEW)
        address = Address(Kind.BOARD, SOMEBODY, SESSION_ID)
        for event in events:
            assert len(encode(address, 1, event, event_id=str(uuid4()), time=START)[1]) < LARGEST


class Conversations:
    """Opens two tasks at a conversation's first message, and then answers as its replies say while there are any."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}

    def __call__(self, body: Json) -> Reply:
        new = body["messages"][1]["content"].rsplit("# New messages", 1)[1]
        marks = re.findall(r"mark-([0-9a-f]{8}) (\d)", new)
        if marks and marks[0][1] == "0":
            return Reply(json.dumps({"commands": [opening(name) for name in "AB"]}))
        replies = self.replies.get(marks[0][0]) if marks else None
        return replies.pop(0) if replies else Reply('{"commands": []}')


def opening(name: str) -> Json:
    return {"do": "open_task", "ref": name, "description": name, "before": None}


@pytest.fixture(scope="module")
def conversations(unobserved: Stack) -> Iterator[tuple[Conversations, Observer]]:
    script = Conversations()
    with (
        scripted_model(script) as model,
        observing(unobserved, model, "--engine", "model", "--hurry", 120, llm_timeout=5.0) as observer,
    ):
        yield script, observer


async def said(world: World, session_id: str, mark: str, *numbers: int) -> None:
    blobs = [{"role": "user", "content": f"mark-{mark} {number}"} for number in numbers]
    await world.api.post(f"/session/{session_id}/messages/batch", {"blobs": blobs})


async def heads(world: World, through: int, *sessions: str) -> Mapping[str, Document]:
    """Return the boards of these sessions, once they have read so far."""

    async def complete() -> dict[str, Document] | None:
        found = await by_id(world.database[BOARDS], sessions)
        there = [head for head in found.values() if head.get("through_position") == through]
        return found if len(there) == len(sessions) else None

    return await until(complete, DEADLINE)


async def answered(stack: Stack, script: Conversations, several: Sequence[list[Reply]]) -> None:
    """Have as many conversations answered like that, side by side, and one more that nobody speaks of."""
    async with behind(stack, token_of(PROJECT)) as world:
        marks = {(await world.api.post("/session", {}))["id"]: uuid4().hex[:8] for _ in (*several, "bystander")}
        for session_id, mark in marks.items():
            await said(world, session_id, mark, 0)
        before = await heads(world, 1, *marks)
        *spoken, bystander = marks
        for session_id, replies in zip(spoken, several, strict=True):
            script.replies[marks[session_id]] = list(replies)
            await said(world, session_id, marks[session_id], *NEW)
        after = await heads(world, 1 + len(NEW), *spoken)
        assert await heads(world, 1, bystander) == {bystander: before[bystander]}
        for session_id in spoken:
            assert left_alone(after[session_id]) == left_alone(before[session_id])
        await observed_once(world, list(marks))


def left_alone(head: Document) -> Document:
    [task] = [task for task in head["tasks"] if task["order"] == int(LEFT_ALONE[1:])]
    return task


class TestInTheService:
    @settings(max_examples=8, phases=[Phase.reuse, Phase.generate])
    @given(several=st.lists(st.lists(replies, min_size=1, max_size=3), min_size=6, max_size=6))
    def test_any_answer_leaves_every_message_observed(
        self, several: list[list[Reply]], unobserved: Stack, conversations: tuple[Conversations, Observer]
    ) -> None:
        script, observer = conversations
        asyncio.run(answered(unobserved, script, several))
        said = [json.loads(line) for line in observer.said().splitlines()]
        broken = [one["exception"][0]["exc_type"] for one in said if one["event"] == "work_failed"]
        assert set(broken) <= USELESS
