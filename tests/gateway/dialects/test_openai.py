"""What comes out of Craftlog equals what was sent."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftlog.contracts.events import MessageAppended
from craftlog.gateway.dialects.canonical import Canonical
from craftlog.gateway.dialects.openai import from_canonical, to_canonical
from craftlog.gateway.errors import InvalidError

texts = st.text(st.characters(codec="utf-8"), max_size=12)
names = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
values = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts | st.lists(texts, max_size=2)
extras = st.dictionaries(names.map("x_".__add__), values, max_size=2)


def joined(*parts):
    return st.tuples(*parts).map(lambda dicts: {key: value for one in dicts for key, value in one.items()})


def obj(**fields):
    return st.fixed_dictionaries(fields)


def maybe(**fields):
    return st.fixed_dictionaries({}, optional=fields)


text_part = joined(obj(type=st.just("text"), text=texts), extras)
refusal_part = joined(obj(type=st.just("refusal"), refusal=texts), extras)
media_part = st.one_of(
    obj(type=st.just("image_url"), image_url=joined(obj(url=texts), maybe(detail=texts | st.none()), extras)),
    obj(type=st.just("input_audio"), input_audio=joined(obj(data=texts, format=texts), extras)),
    obj(type=st.just("file"), file=joined(maybe(file_id=texts, file_data=texts, filename=texts), extras)),
)
call = joined(obj(name=names, arguments=texts), extras)
tool_call = st.one_of(
    joined(obj(id=texts, type=st.just("function"), function=call), extras),
    joined(obj(id=texts, type=st.just("custom"), custom=joined(obj(name=names, input=texts), extras)), extras),
)
user = joined(
    obj(role=st.just("user"), content=texts | st.lists(text_part | media_part, min_size=1, max_size=3)),
    maybe(name=names | st.none()),
    extras,
)
told = joined(
    obj(role=st.sampled_from(["system", "developer"]), content=texts | st.lists(text_part, min_size=1, max_size=3)),
    maybe(name=names),
    extras,
)
assistant = joined(
    obj(role=st.just("assistant")),
    maybe(
        content=texts | st.none() | st.lists(text_part | refusal_part, max_size=3),
        name=names | st.none(),
        refusal=texts | st.none(),
        audio=st.none() | obj(id=texts) | obj(id=texts, field=st.just("refusal")),
        function_call=st.none() | call,
        tool_calls=st.none() | st.lists(tool_call, max_size=3),
    ),
    extras,
).filter(lambda message: any(message.get(k) not in (None, []) for k in ("content", "refusal", "audio", "tool_calls")))
result = st.one_of(
    joined(
        obj(role=st.just("tool"), tool_call_id=texts),
        maybe(content=texts | st.none() | st.lists(text_part, max_size=3), name=names | st.none()),
        extras,
    ),
    joined(obj(role=st.just("function"), name=names), maybe(content=texts | st.none()), extras),
)


def stored_and_back(message):
    canonical = to_canonical(json.loads(json.dumps(message)), {})
    event = MessageAppended(message_id="m", position=1, role=canonical.role, parts=canonical.parts, meta=canonical.meta)
    read = MessageAppended.model_validate_json(event.model_dump_json(exclude_none=True))
    (written,) = from_canonical(Canonical(read.role, read.parts, read.meta), {})
    return written


class TestRoundTrip:
    @given(user | told | assistant | result)
    def test_every_message_comes_back_key_for_key(self, message):
        assert stored_and_back(message) == message

    def test_the_dump_of_an_sdk_message_comes_back(self):
        message = {
            "content": "Here you are.",
            "refusal": None,
            "role": "assistant",
            "annotations": [],
            "audio": None,
            "function_call": None,
            "tool_calls": None,
        }
        assert stored_and_back(message) == message

    def test_an_answer_in_another_providers_shape_keeps_its_extra_keys(self):
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": "Hello", "citations": None}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 3},
        }
        assert stored_and_back(message) == message

    @pytest.mark.shared
    def test_real_conversations_come_back_key_for_key(self):
        runs = Path(__file__).parents[3].parent / "shared" / "data" / "airline_runs.jsonl"
        if not runs.exists():
            pytest.skip("the sample data does not lie beside the project")
        for line in runs.read_text().splitlines():
            messages = json.loads(line)["messages"]
            assert [stored_and_back(message) for message in messages] == messages


class TestCanonical:
    def test_a_string_is_one_text(self):
        canonical = to_canonical({"role": "user", "content": "Plan a page", "name": "ann"}, {})
        assert canonical.role == "user"
        assert [part.model_dump(exclude_none=True) for part in canonical.parts] == [
            {"type": "text", "text": "Plan a page"}
        ]
        assert canonical.meta == {"source_format": "openai", "name": "ann"}

    def test_a_system_text_has_the_role_user_and_remembers_its_own(self):
        canonical = to_canonical({"role": "developer", "content": "Be brief."}, {})
        assert (canonical.role, canonical.meta["original_role"]) == ("user", "developer")

    def test_a_tool_result_is_one_part_with_its_texts_joined(self):
        content = [{"type": "text", "text": "fl"}, {"type": "text", "text": "ight"}]
        (part,) = to_canonical({"role": "tool", "tool_call_id": "c1", "name": "find", "content": content}, {}).parts
        assert (part.type, part.text, part.meta) == ("tool-result", "flight", {"tool_call_id": "c1", "name": "find"})

    def test_a_call_keeps_its_arguments_as_the_string_they_were(self):
        call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": 1.0}'}}
        (part,) = to_canonical({"role": "assistant", "content": None, "tool_calls": [call]}, {}).parts
        assert part.type == "tool-call"
        assert part.meta == {"id": "c1", "name": "find", "arguments": '{"q": 1.0}', "type": "function"}

    def test_a_legacy_call_has_no_id(self):
        (part,) = to_canonical({"role": "assistant", "function_call": {"name": "find", "arguments": "{}"}}, {}).parts
        assert part.meta == {"name": "find", "arguments": "{}", "type": "function"}

    def test_an_image_keeps_its_address_and_detail(self):
        element = {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}}
        (part,) = to_canonical({"role": "user", "content": [element]}, {}).parts
        assert (part.type, part.meta) == ("image", {"url": "https://example.org/a.png", "detail": "low"})

    def test_a_refusal_is_a_text_that_says_so(self):
        (part,) = to_canonical({"role": "assistant", "refusal": "I cannot."}, {}).parts
        assert part.text == "I cannot."
        assert part.meta is not None
        assert part.meta["is_refusal"] is True


class TestRefusals:
    @pytest.mark.parametrize(
        ("message", "field"),
        [
            (None, "blob"),
            ([], "blob"),
            ({}, "blob.role"),
            ({"role": "pirate", "content": "x"}, "blob.role"),
            ({"role": ["user"], "content": "x"}, "blob.role"),
            ({"role": "user"}, "blob.content"),
            ({"role": "user", "content": None}, "blob.content"),
            ({"role": "user", "content": 7}, "blob.content"),
            ({"role": "user", "content": []}, "blob.content"),
            ({"role": "user", "content": ["x"]}, "blob.content[0]"),
            ({"role": "user", "content": [{"type": "text"}]}, "blob.content[0].text"),
            ({"role": "user", "content": [{"type": "thinking", "thinking": "x"}]}, "blob.content[0].type"),
            ({"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}, "blob.content[0].image_url"),
            (
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": 1}}]},
                "blob.content[0].image_url.url",
            ),
            (
                {"role": "user", "content": [{"type": "file", "file": {"openai": 1}}]},
                "blob.content[0].file.openai",
            ),
            ({"role": "user", "content": "x", "name": 1}, "blob.name"),
            ({"role": "assistant"}, "blob.content"),
            ({"role": "assistant", "content": None, "tool_calls": []}, "blob.content"),
            ({"role": "assistant", "tool_calls": {}}, "blob.tool_calls"),
            ({"role": "assistant", "tool_calls": [{"id": "a"}]}, "blob.tool_calls[0].type"),
            (
                {"role": "assistant", "tool_calls": [{"id": "a", "type": "function"}]},
                "blob.tool_calls[0].function",
            ),
            (
                {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": ""}}]},
                "blob.tool_calls[0].id",
            ),
            (
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": {}}}],
                },
                "blob.tool_calls[0].function.arguments",
            ),
            ({"role": "assistant", "refusal": 1}, "blob.refusal"),
            ({"role": "assistant", "audio": "x"}, "blob.audio"),
            ({"role": "tool", "content": "x"}, "blob.tool_call_id"),
            ({"role": "tool", "tool_call_id": "a", "content": {}}, "blob.content"),
            (
                {"role": "tool", "tool_call_id": "a", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
                "blob.content[0].type",
            ),
            ({"role": "function", "content": "x"}, "blob.name"),
        ],
    )
    def test_what_cannot_be_given_back_is_refused_by_its_path(self, message, field):
        with pytest.raises(InvalidError) as refused:
            to_canonical(message, {})
        assert refused.value.field == field
