"""Who reads canonical messages makes the same of a conversation, whatever format it came in."""

import json
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.dialects.conversations import Json, stored, written

from craftlog.contracts.messages import Message
from craftlog.learner.calls import read as understand
from craftlog.observer.decider import INITIAL, State, decide, evolve
from craftlog.observer.hearing import hear
from craftlog.observer.rules import read as observe
from craftlog.testing.examples import SESSION_ID

RUNS = Path(__file__).parents[3].parent / "shared" / "data" / "airline_runs.jsonl"
OTHERS = ("anthropic", "gemini", "acontext", "gemini without ids")


def call(name: str, call_id: str, **arguments: Any) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


CONVERSATION: list[Json] = [
    {"role": "user", "content": "Please book a flight from Rome to Oslo on Monday, window seat preferred."},
    {
        "role": "assistant",
        "content": "Let me look.",
        "tool_calls": [call("find_flight", "a", to="Oslo"), call("find_flight", "b", to="Bergen", day=1)],
    },
    {"role": "tool", "tool_call_id": "a", "name": "find_flight", "content": '{"flights": ["SK1"]}'},
    {"role": "tool", "tool_call_id": "b", "name": "find_flight", "content": "Error: no such day"},
    {"role": "assistant", "content": None, "tool_calls": [call("book_flight", "c", flight="SK1", price=99.5)]},
    {"role": "tool", "tool_call_id": "c", "name": "book_flight", "content": '{"booked": true}'},
    {"role": "assistant", "content": "Your flight SK1 to Oslo is booked."},
    {"role": "user", "content": "Perfect, thank you!"},
]


def arrived(dialect: str, conversation: Sequence[Json]) -> list[Message]:
    """Return an OpenAI conversation as it is stored when it comes in another format."""
    items = written(dialect.split(maxsplit=1)[0], stored("openai", conversation))
    if dialect == "gemini without ids":
        for part in (part for item in items for part in item["parts"]):
            for kind in ("functionCall", "functionResponse"):
                part.get(kind, {}).pop("id", None)
    return stored(dialect.split(maxsplit=1)[0], items)


def board(messages: Sequence[Message]) -> State:
    commands = observe(INITIAL, SESSION_ID, messages)
    return reduce(lambda state, command: reduce(evolve, decide(state, command), state), commands, INITIAL)


def tasks(messages: Sequence[Message]) -> list[Any]:
    return [
        (task.description, task.status, task.notes, task.preferences, task.positions)
        for task in board(messages).tasks.values()
    ]


def calls(messages: Sequence[Message]) -> list[Any]:
    return [(one.tool, one.arguments, one.result, one.failed) for one in understand(messages).calls]


@pytest.mark.parametrize("dialect", OTHERS)
class TestReaders:
    def test_find_the_same_tasks(self, dialect: str) -> None:
        assert tasks(stored("openai", CONVERSATION))
        assert tasks(arrived(dialect, CONVERSATION)) == tasks(stored("openai", CONVERSATION))

    def test_find_each_call_with_its_own_result(self, dialect: str) -> None:
        found = calls(arrived(dialect, CONVERSATION))
        assert found == calls(stored("openai", CONVERSATION))
        assert [(arguments.get("to"), failed) for _, arguments, _, failed in found[:2]] == [
            ("Oslo", False),
            ("Bergen", True),
        ]

    @pytest.mark.shared
    def test_learn_and_observe_the_same_of_real_conversations(self, dialect: str) -> None:
        if not RUNS.exists():
            pytest.skip("the sample data does not lie beside the project")
        for line in RUNS.read_text().splitlines()[::10]:
            messages = json.loads(line)["messages"]
            sent, other = stored("openai", messages), arrived(dialect, messages)
            assert calls(other) == calls(sent)
            assert tasks(other) == tasks(sent)


class TestObserver:
    @pytest.mark.parametrize("shown", ["thinking", "redacted_thinking"])
    def test_takes_thoughts_for_nothing_that_the_agent_said(self, shown: str) -> None:
        thought = {"type": "thinking", "thinking": "1. Call. 2. Write.", "signature": "s"}
        block = thought if shown == "thinking" else {"type": "redacted_thinking", "data": "x"}
        (message,) = stored("anthropic", [{"role": "assistant", "content": [block]}])
        assert hear(message).text == ""

    def test_takes_pictures_that_a_tool_gave_back_for_nothing_that_the_user_showed(self) -> None:
        image = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
        answer = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "SK1"}, image]}
        (answered,) = stored("anthropic", [{"role": "user", "content": [answer]}])
        (asked,) = stored("anthropic", [{"role": "user", "content": [image]}])
        assert (hear(answered).text, [result.text for result in hear(answered).results]) == ("", ["SK1"])
        assert hear(asked).text == "[image]"

    def test_hears_what_a_providers_own_tools_answered_after_their_call(self) -> None:
        code = [
            {"executableCode": {"language": "PYTHON", "code": "1/0"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_FAILED", "output": "ZeroDivisionError"}},
        ]
        messages = stored(
            "gemini", [{"role": "user", "parts": [{"text": "Compute 1/0."}]}, {"role": "model", "parts": code}]
        )
        ((_, status, notes, _, positions),) = tasks(messages)
        assert status == "running"
        assert "code_execution failed: ZeroDivisionError" in notes[-1]
        assert positions == (1, 2)
