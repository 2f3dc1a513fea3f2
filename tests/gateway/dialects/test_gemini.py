"""Gemini's contents: what they are here, what others' are there, and what is refused."""

from typing import Any

import pytest
from tests.gateway.dialects.conversations import Json, stored, there_and_back, written

from craftlog.gateway.dialects.gemini import to_canonical
from craftlog.gateway.errors import InvalidError

CALLS: list[Json] = [
    {
        "role": "model",
        "parts": [
            {"functionCall": {"name": "find", "args": {"q": 1}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"name": "find", "args": {"q": 2}}},
        ],
    },
    {
        "role": "user",
        "parts": [
            {"functionResponse": {"name": "find", "response": {"output": "one"}}},
            {"functionResponse": {"name": "find", "response": {"hits": [2]}}},
        ],
    },
]


def part_of(part: Json, role: str = "user") -> Json:
    (message,) = stored("gemini", [{"role": role, "parts": [part]}])
    return message.parts[0].model_dump(exclude_none=True)


class TestCanonical:
    @pytest.mark.parametrize(
        ("response", "text"),
        [
            ({"output": "one"}, "one"),
            ({"result": "one"}, "one"),
            ({"error": "no"}, "no"),
            ({"hits": [2]}, '{"hits":[2]}'),
            ({"output": {"n": 1}}, '{"output":{"n":1}}'),
        ],
    )
    def test_the_text_of_a_response_is_its_output_or_all_of_it(self, response: Json, text: str) -> None:
        part = part_of({"functionResponse": {"name": "find", "response": response}})
        assert part["text"] == text
        assert part["meta"].get("is_error", False) is ("error" in response)

    @pytest.mark.parametrize(
        ("mime", "kind"),
        [("image/png", "image"), ("audio/wav", "audio"), ("video/mp4", "video"), ("application/pdf", "file")],
    )
    def test_media_are_told_apart_by_their_type(self, mime: str, kind: str) -> None:
        assert part_of({"inlineData": {"mimeType": mime, "data": "aGk="}})["type"] == kind
        assert part_of({"fileData": {"mimeType": mime, "fileUri": "gs://b/a"}})["type"] == kind

    def test_thoughts_are_data(self) -> None:
        part = part_of({"text": "hm", "thought": True, "thoughtSignature": "c2ln"}, "model")
        assert part == {
            "type": "data",
            "text": "hm",
            "meta": {"data_type": "thinking", "gemini": {"thoughtSignature": "c2ln"}},
        }

    def test_the_dump_of_pythons_sdk_comes_back(self) -> None:
        part = {
            "video_metadata": None,
            "thought": None,
            "inline_data": None,
            "function_call": {"id": None, "args": {"q": 1}, "name": "find"},
            "text": None,
        }
        assert there_and_back("gemini", {"role": "model", "parts": [part]}) == {"role": "model", "parts": [part]}


class TestToOthers:
    def test_calls_without_ids_pair_with_their_results(self) -> None:
        call, *results = written("openai", stored("gemini", CALLS))
        assert [one["id"] for one in call["tool_calls"]] == ["call_1_0", "call_1_1"]
        assert [(one["tool_call_id"], one["content"]) for one in results] == [
            ("call_1_0", "one"),
            ("call_1_1", '{"hits":[2]}'),
        ]
        used, answered = written("anthropic", stored("gemini", CALLS))
        assert [block["id"] for block in used["content"]] == ["call_1_0", "call_1_1"]
        assert [block["tool_use_id"] for block in answered["content"]] == ["call_1_0", "call_1_1"]

    def test_no_id_comes_back_where_none_was_sent(self) -> None:
        assert written("gemini", stored("gemini", CALLS)) == CALLS

    def test_what_was_executed_is_a_call_and_its_result(self) -> None:
        code = [
            {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
            {"text": "It is 1."},
        ]
        called, answered, said = written("openai", stored("gemini", [{"role": "model", "parts": code}]))
        (call,) = called["tool_calls"]
        assert call["function"]["name"] == "code_execution"
        assert (answered["tool_call_id"], answered["content"]) == (call["id"], "1")
        assert said["content"] == "It is 1."

    def test_an_image_of_urlsafe_data_is_one_that_all_can_read(self) -> None:
        blob = {"inlineData": {"mimeType": "image/png", "data": "_-8"}}
        (item,) = written("openai", stored("gemini", [{"role": "user", "parts": [blob]}]))
        assert item["content"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,/+8="}}]


class TestFromOthers:
    def test_a_response_has_the_name_of_its_call(self) -> None:
        call = {"id": "a", "type": "function", "function": {"name": "find", "arguments": '{"q":1}'}}
        result = {"role": "tool", "tool_call_id": "a", "content": "one"}
        _, answered = written("gemini", stored("openai", [{"role": "assistant", "tool_calls": [call]}, result]))
        assert answered == {
            "role": "user",
            "parts": [{"functionResponse": {"id": "a", "name": "find", "response": {"output": "one"}}}],
        }


class TestRefusals:
    @pytest.mark.parametrize(
        ("message", "field"),
        [
            ([], "blob"),
            ({"role": "assistant", "parts": [{"text": "x"}]}, "blob.role"),
            ({"role": "user"}, "blob.parts"),
            ({"role": "user", "parts": []}, "blob.parts"),
            ({"role": "user", "parts": ["x"]}, "blob.parts[0]"),
            ({"role": "user", "parts": [{}]}, "blob.parts[0]"),
            ({"role": "user", "parts": [{"text": "x"}], "snake": True}, "blob.snake"),
            (
                {"role": "user", "parts": [{"functionResponse": {"name": "f", "parts": [{"new": 1}]}}]},
                "blob.parts[0].functionResponse.parts[0]",
            ),
            ({"role": "user", "parts": [{"text": "x", "inlineData": {}}]}, "blob.parts[0]"),
            ({"role": "user", "parts": [{"functionCall": {"name": "f"}}]}, "blob.parts[0].functionCall"),
            ({"role": "model", "parts": [{"functionResponse": {}}]}, "blob.parts[0].functionResponse"),
            ({"role": "model", "parts": [{"functionCall": {}}]}, "blob.parts[0].functionCall.name"),
            (
                {"role": "model", "parts": [{"functionCall": {"name": "f", "args": []}}]},
                "blob.parts[0].functionCall.args",
            ),
            ({"role": "user", "parts": [{"inlineData": {"data": ""}}]}, "blob.parts[0].inlineData.mimeType"),
            (
                {"role": "user", "parts": [{"inline_data": None, "fileData": {"fileUri": "gs://b/a"}}]},
                "blob.parts[0].fileData",
            ),
            (
                {"role": "user", "parts": [{"functionResponse": {"name": "f", "parts": [{"text": "x"}]}}]},
                "blob.parts[0].functionResponse.parts[0].text",
            ),
        ],
    )
    def test_what_cannot_be_given_back_is_refused_by_its_path(self, message: Any, field: str) -> None:
        with pytest.raises(InvalidError) as refused:
            to_canonical(message, {})
        assert refused.value.field == field
