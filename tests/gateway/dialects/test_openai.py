"""OpenAI's chat messages: what they are here, what others' are there, and what is refused."""

import json

import pytest
from tests.gateway.dialects.conversations import there_and_back

from craftlog.gateway.dialects import DIALECTS
from craftlog.gateway.dialects.openai import to_canonical
from craftlog.gateway.errors import InvalidError


class TestRoundTrip:
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
        assert there_and_back("openai", message) == message

    def test_an_answer_in_another_providers_shape_keeps_its_extra_keys(self):
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": "Hello", "citations": None}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 3},
        }
        assert there_and_back("openai", message) == message


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
            ({"role": "user", "content": [{"type": "file", "file": {"file_id": 1}}]}, "blob.content[0].file.file_id"),
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
            ({"role": "assistant", "audio": {}}, "blob.audio.id"),
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


class TestClaims:
    @pytest.mark.parametrize(
        ("part", "shown"),
        [
            ({"type": "image", "meta": {"url": None}}, "[image]"),
            ({"type": "image", "meta": {"url": "https://a.b/c.png", "detail": 5}}, "https://a.b/c.png"),
            ({"type": "file", "meta": {"file_id": 5}}, "[file]"),
            ({"type": "audio", "meta": {"data": 5, "format": "wav"}}, "[audio]"),
        ],
    )
    def test_of_a_clients_own_meta_to_be_openais_are_not_believed(self, part, shown):
        message = {"role": "user", "parts": [part], "meta": {"source_format": "openai"}}
        [item] = DIALECTS["openai"].from_canonical(DIALECTS["acontext"].to_canonical(message, {}), {})
        assert shown in json.dumps(item)
        DIALECTS["openai"].to_canonical(item, {})
