"""Whatever format a conversation came in and whatever it is read in, nothing of what was said and done is lost."""

import json
from collections.abc import Iterable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import MessageParam
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter
from tests.gateway.dialects.conversations import gist, is_within, same, stored, there_and_back, written
from tests.gateway.dialects.sent import acontext, anthropic, gemini, openai

from craftlog.gateway.dialects.media import EMPTY

SENT = {
    "openai": openai.messages,
    "anthropic": anthropic.messages,
    "gemini": gemini.messages,
    "acontext": acontext.messages,
}
PROVIDERS = ("openai", "anthropic", "gemini")
# What the providers' own SDKs say of the messages that they send.
TYPES: dict[str, TypeAdapter[Any]] = {
    "openai": TypeAdapter(ChatCompletionMessageParam),
    "anthropic": TypeAdapter(MessageParam),
}
PAIRS = list(permutations(SENT, 2))
RUNS = Path(__file__).parents[3].parent / "shared" / "data" / "airline_runs.jsonl"
patient = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


def sendable(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return messages as a client may send them again: the reference's own format takes no empty text."""
    for item in items:
        for part in item["parts"] if "parts" in item and "meta" in item else ():
            if part["type"] == "text":
                part["text"] = part.get("text") or EMPTY
    return items


@pytest.mark.parametrize("dialect", SENT)
class TestOneFormat:
    @patient
    @given(data=st.data())
    def test_every_message_comes_back_key_for_key(self, dialect: str, data: st.DataObject) -> None:
        message = data.draw(SENT[dialect])
        assert same(there_and_back(dialect, message)) == same(message)

    @patient
    @given(data=st.data())
    def test_the_same_message_is_always_read_and_written_alike(self, dialect: str, data: st.DataObject) -> None:
        conversation = data.draw(st.lists(SENT[dialect], min_size=1, max_size=3))
        once, again = stored(dialect, conversation), stored(dialect, json.loads(json.dumps(conversation)))
        assert once == again
        for other in SENT:
            assert written(other, once) == written(other, again)


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=[" to ".join(pair) for pair in PAIRS])
class TestTwoFormats:
    @patient
    @given(data=st.data())
    def test_texts_calls_and_results_survive_and_still_belong_together(
        self, first: str, second: str, data: st.DataObject
    ) -> None:
        sent = stored(first, data.draw(st.lists(SENT[first], min_size=1, max_size=4)))
        # At other places, so that no id may be made up a second time.
        there = stored(second, sendable(written(second, sent)), start=101)
        back = stored(first, sendable(written(first, there)), start=201)
        for reached in (there, back):
            texts, calls, results = gist(reached)
            assert is_within(gist(sent)[0], texts)
            assert (calls, results) == gist(sent)[1:]


def exhausted(value: Any) -> None:
    """Look at all of a validated value: its lists are checked only when they are read."""
    if isinstance(value, dict):
        for item in value.values():
            exhausted(item)
    elif not isinstance(value, (str, bytes)) and isinstance(value, Iterable):
        for item in value:
            exhausted(item)


@pytest.mark.parametrize(("sent", "provider"), [(sent, one) for sent in PROVIDERS for one in TYPES if sent != one])
class TestProviders:
    @patient
    @given(data=st.data())
    def test_take_what_came_in_anothers_format(self, sent: str, provider: str, data: st.DataObject) -> None:
        conversation = data.draw(st.lists(SENT[sent], min_size=1, max_size=3))
        for item in written(provider, stored(sent, conversation)):
            exhausted(TYPES[provider].validate_python(item))


def runs() -> list[list[dict[str, Any]]]:
    if not RUNS.exists():
        pytest.skip("the sample data does not lie beside the project")
    return [json.loads(line)["messages"] for line in RUNS.read_text().splitlines()]


@pytest.mark.shared
class TestRealConversations:
    def test_come_back_message_by_message(self) -> None:
        for messages in runs():
            assert [there_and_back("openai", message) for message in messages] == messages

    @pytest.mark.parametrize("other", ["anthropic", "gemini", "acontext"])
    def test_keep_their_calls_and_results_in_another_format(self, other: str) -> None:
        for messages in runs():
            sent = stored("openai", messages)
            there = stored(other, written(other, sent))
            assert gist(there) == gist(sent)
            assert gist(stored("openai", written("openai", there))) == gist(sent)
            assert len(there) == len(messages)
