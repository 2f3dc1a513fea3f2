"""Whatever the history and the strategies: a provider takes the result as it took the original."""

import json
from collections.abc import Sequence
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.editing.histories import broken, call, histories, history, pins, result, several, text
from tests.gateway.editing.strict import RULES

from craftlog.contracts.messages import Message
from craftlog.gateway import tokens
from craftlog.gateway.dialects import DIALECTS
from craftlog.gateway.dialects.pairing import call_id, paired
from craftlog.gateway.editing import Edited, Strategy, edit
from craftlog.gateway.editing.strategies import MiddleOut, RemoveCallParams, RemoveToolResults, Spared, TokenLimit
from craftlog.gateway.errors import InvalidError

anything = st.one_of(histories(), broken())


def written(messages: Sequence[Message], dialect: str) -> list[dict[str, Any]]:
    return [item for message in paired(messages) for item in DIALECTS[dialect].from_canonical(message, {})]


@pytest.mark.parametrize("dialect", DIALECTS.keys() & RULES.keys())
@given(data=st.data())
def test_a_provider_that_takes_a_history_takes_the_edited_one(dialect, data):
    messages = data.draw(anything)
    edited = edit(messages, data.draw(several), data.draw(pins(messages)))
    if messages and not RULES[dialect](written(messages, dialect)):
        assert RULES[dialect](written(edited.messages, dialect)) == []


@given(data=st.data())
def test_a_call_and_its_results_go_or_stay_together(data):
    messages = data.draw(anything)
    left = edit(messages, data.draw(several), data.draw(pins(messages))).messages
    pairs = _ids(messages, "tool-call") & _ids(messages, "tool-result")
    assert _ids(left, "tool-call") & pairs == _ids(left, "tool-result") & pairs


@given(data=st.data())
def test_no_page_takes_a_result_from_a_call_on_another(data):
    messages, wanted, size = data.draw(histories()), data.draw(several), data.draw(st.integers(1, 6))
    left: list[Message] = []
    for start in range(0, len(messages), size):
        left += edit(messages[start : start + size], wanted, None, messages[:start]).messages
    assert _ids(left, "tool-call") == _ids(left, "tool-result")


def _ids(messages: Sequence[Message], kind: str) -> set[str]:
    return {call_id(part) for message in messages for part in message.parts if part.type == kind}


@given(data=st.data())
def test_what_comes_after_the_pin_is_as_it_was_and_changes_nothing_before(data):
    messages = data.draw(anything.filter(bool))
    wanted = data.draw(several)
    end = data.draw(st.integers(1, len(messages)))
    pin = messages[end - 1].message_id
    pinned, alone = edit(messages, wanted, pin), edit(messages[:end], wanted, None)
    assert pinned.messages == [*alone.messages, *messages[end:]]
    assert pinned.edited_at == alone.edited_at == pin


@given(data=st.data())
def test_the_order_of_the_request_changes_nothing(data):
    messages, wanted = data.draw(anything), data.draw(several)
    by_kind = data.draw(st.permutations(wanted).filter(lambda mixed: _each_kind(mixed) == _each_kind(wanted)))
    assert edit(messages, by_kind, None) == edit(messages, wanted, None)


def _each_kind(wanted: Sequence[Strategy]) -> list[list[Strategy]]:
    """Return the strategies of each kind: between two of a kind the order of the request counts."""
    return [[one for one in wanted if isinstance(one, kind)] for kind in get_args(Strategy)]


@given(data=st.data())
def test_the_limit_is_reached_unless_only_what_always_stays_is_left(data):
    messages, limit = data.draw(anything), data.draw(st.integers(1, 600))
    for wanted in (TokenLimit(limit), MiddleOut(limit)):
        left = edit(messages, [wanted], None).messages
        assert tokens.count(left) <= limit or {message.message_id for message in left} <= _stays(messages)


def _stays(messages: Sequence[Message]) -> set[str]:
    """Return instructions, the newest question, and the last message after it with what belongs to the same calls."""
    said = [message for message in messages if message.meta.get("original_role") not in ("system", "developer")]
    about = [{call_id(part) for part in message.parts if part.type.startswith("tool-")} for message in said]
    ids, found = about[-1] if about else set(), said[-1:]
    for message, own in zip(said, about, strict=True):
        if own & ids:
            ids, found = ids | own, [*found, message]
    found += [message for message, own in zip(said, about, strict=True) if message.role == "user" and not own][-1:]
    return {message.message_id for message in [*found, *(one for one in messages if one not in said)]}


@given(data=st.data())
def test_shortening_leaves_messages_out_and_changes_none(data):
    messages, limit = data.draw(anything), data.draw(st.integers(1, 600))
    for wanted in (TokenLimit(limit), MiddleOut(limit)):
        left = edit(messages, [wanted], None).messages
        assert [message for message in messages if message in left] == left
        if tokens.count(messages) <= limit:
            assert left == messages


@given(data=st.data())
def test_emptying_changes_nothing_but_old_results_or_arguments_and_never_the_original(data):
    messages, wanted = data.draw(anything), data.draw(several)
    before = [message.model_dump() for message in messages]
    left = edit(messages, [one for one in wanted if isinstance(one, RemoveToolResults | RemoveCallParams)], None)
    assert [_frame(message) for message in left.messages] == [_frame(message) for message in messages]
    assert [message.model_dump() for message in messages] == before


def _frame(message: Message) -> tuple[Any, ...]:
    """Return a message without what tools answered and were called with."""
    parts = [
        (part.type, call_id(part)) if part.type.startswith("tool-") else (part.type, part) for part in message.parts
    ]
    return message.message_id, message.role, message.meta, parts


STALE = "what nobody needs any more"
AS_SENT: dict[str, list[dict[str, Any]]] = {
    "openai": [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": f'{{"q":"{STALE}"}}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": STALE}] * 2},
    ],
    "anthropic": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {"q": STALE}}]},
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "a",
                    "content": [
                        {"type": "text", "text": STALE},
                        {"type": "image", "source": {"type": "url", "url": f"https://example.com/{STALE}"}},
                    ],
                }
            ],
        },
    ],
    "gemini": [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"q": STALE}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"found": {"deep": STALE}}}}]},
    ],
}


@pytest.mark.parametrize("written_as", AS_SENT)
@pytest.mark.parametrize("sent_as", AS_SENT)
def test_what_is_emptied_is_in_no_format_any_more(sent_as, written_as):
    read = [DIALECTS[sent_as].to_canonical(item, {}) for item in AS_SENT[sent_as]]
    messages = history(*((one.role, list(one.parts), one.meta) for one in read))
    nothing = Spared(recent=0)
    edited = edit(messages, [RemoveToolResults(nothing), RemoveCallParams(nothing)], None)
    items = written(edited.messages, written_as)
    assert RULES[written_as](items) == []
    assert "Done" in json.dumps(items[-1])
    assert STALE not in json.dumps(items)
    assert STALE in json.dumps(written(messages, written_as))


class TestEdit:
    def test_nothing_is_edited_where_nothing_is_wanted(self):
        messages = history(("user", [text("hello")], {}))
        assert edit(messages, [], "m1") == Edited(messages, None)
        assert edit([], [TokenLimit(1)], None) == Edited([], None)

    @pytest.mark.parametrize("messages", [[], history(("user", [text("hello")], {}))])
    def test_a_pin_has_to_be_one_of_the_messages(self, messages):
        with pytest.raises(InvalidError, match=r"^pin_editing_strategies_at_message: "):
            edit(messages, [TokenLimit(1)], "m7")

    def test_results_are_replaced_before_the_limit_is_looked_at(self):
        messages = history(
            ("user", [text("find a flight")], {}),
            ("assistant", [call("a", "find")], {}),
            ("user", [result("a", "flight " * 100)], {}),
            ("assistant", [text("found")], {}),
        )
        wanted = [TokenLimit(20), RemoveToolResults(Spared(recent=0))]
        assert [message.message_id for message in edit(messages, wanted, None).messages] == ["m1", "m2", "m3", "m4"]
        assert [message.message_id for message in edit(messages, wanted[:1], None).messages] == ["m1", "m4"]
