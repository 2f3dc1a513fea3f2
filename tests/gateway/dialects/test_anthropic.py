"""Anthropic's messages: what they are here, what others' are there, and what is refused."""

from typing import Any

import pytest
from tests.gateway.dialects.conversations import Json, stored, there_and_back, written

from craftlog.contracts.messages import Asset, Message, Part
from craftlog.gateway.dialects.anthropic import to_canonical
from craftlog.gateway.dialects.media import place_of
from craftlog.gateway.errors import InvalidError

IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}


def parts_of(*blocks: Json, role: str = "user") -> list[Json]:
    (message,) = stored("anthropic", [{"role": role, "content": list(blocks)}])
    return [part.model_dump(exclude_none=True) for part in message.parts]


def read_as_anthropic(dialect: str, *blobs: Any) -> list[Json]:
    return written("anthropic", stored(dialect, blobs))


def from_parts(*parts: Part, urls: dict[str, str] | None = None) -> Any:
    message = Message(message_id="m", position=1, role="user", parts=parts, meta={"source_format": "acontext"})
    (item,) = written("anthropic", [message], urls)
    return item["content"]


class TestCanonical:
    def test_arguments_are_a_json_string_in_which_integers_stay_integers(self) -> None:
        use = {"type": "tool_use", "id": "a", "name": "pay", "input": {"cents": 9007199254740993, "<": 1.0}}
        (part,) = parts_of(use, role="assistant")
        assert part["meta"] == {
            "id": "a",
            "name": "pay",
            "arguments": '{"cents":9007199254740993,"<":1.0}',
            "type": "tool_use",
        }

    def test_what_a_result_shows_follows_it(self) -> None:
        texts = [{"type": "text", "text": "one "}, IMAGE, {"type": "text", "text": "two"}]
        result, image = parts_of({"type": "tool_result", "tool_use_id": "a", "content": texts, "is_error": True})
        assert (result["type"], result["text"]) == ("tool-result", "one two")
        assert (result["meta"]["tool_call_id"], result["meta"]["is_error"]) == ("a", True)
        assert image["meta"] == {"type": "base64", "media_type": "image/png", "data": "aGk=", "of_result": True}

    def test_a_cache_control_is_kept_with_its_time(self) -> None:
        cached = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
        assert parts_of(cached)[0]["meta"] == {"cache_control": {"type": "ephemeral", "ttl": "1h"}}

    def test_a_document_keeps_its_title_and_its_text(self) -> None:
        source = {"type": "text", "media_type": "text/plain", "data": "Dear all"}
        (part,) = parts_of({"type": "document", "source": source, "title": "letter.txt"})
        assert (part["type"], part["text"], part["meta"]["filename"]) == ("file", "Dear all", "letter.txt")

    def test_thoughts_are_data_with_their_signature(self) -> None:
        (part,) = parts_of({"type": "thinking", "thinking": "hm", "signature": "s"}, role="assistant")
        assert part == {
            "type": "data",
            "text": "hm",
            "meta": {"data_type": "thinking", "anthropic": {"signature": "s"}},
        }

    def test_a_web_search_is_a_call_with_its_result_in_the_agents_message(self) -> None:
        found = [{"type": "web_search_result", "url": "https://example.org", "title": "T", "encrypted_content": "x"}]
        message = {
            "role": "assistant",
            "content": [
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "T"}},
                {"type": "web_search_tool_result", "tool_use_id": "s", "content": found},
                {"type": "text", "text": "I found T.", "citations": None},
            ],
        }
        assert [part["type"] for part in parts_of(*message["content"], role="assistant")] == [
            "tool-call",
            "tool-result",
            "text",
        ]
        assert there_and_back("anthropic", message) == message
        called, answered, said = written("openai", stored("anthropic", [message]))
        assert (called["role"], called["tool_calls"][0]["id"]) == ("assistant", "s")
        assert (answered["role"], answered["tool_call_id"]) == ("tool", "s")
        assert said == {"role": "assistant", "content": "I found T."}


class TestFromOthers:
    def test_a_result_stands_before_what_is_said_with_it(self) -> None:
        said = {"type": "text", "text": "Look:"}
        result = {"type": "tool-result", "text": "42", "meta": {"tool_call_id": "a"}}
        (item,) = read_as_anthropic("acontext", {"role": "user", "parts": [said, result]})
        assert item["content"] == [
            {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "42"}]},
            {"type": "text", "text": "Look:"},
        ]

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [('{"n": 1}', {"n": 1}), ("", {}), ("[1]", {"input": [1]}), ("no JSON", {"input": "no JSON"})],
    )
    def test_arguments_are_an_object_whatever_they_were(self, arguments: str, expected: Json) -> None:
        call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}
        (item,) = read_as_anthropic("openai", {"role": "assistant", "tool_calls": [call]})
        assert item["content"] == [{"type": "tool_use", "id": "a", "name": "f", "input": expected}]

    def test_a_system_speaks_as_the_user(self) -> None:
        (item,) = read_as_anthropic("openai", {"role": "system", "content": "Be brief."})
        assert item == {"role": "user", "content": [{"type": "text", "text": "Be brief."}]}

    def test_a_message_without_words_says_so(self) -> None:
        (item,) = read_as_anthropic("openai", {"role": "user", "content": " "})
        assert item["content"] == [{"type": "text", "text": "[empty]"}]

    def test_an_image_is_told_by_its_public_address_or_its_own_or_its_data(self) -> None:
        asset = Asset(bucket="b", s3_key="k", etag="e", sha256="abc", mime="image/png", size_b=1)
        uploaded = Part(type="image", asset=asset, filename="a.png", meta={"url": "https://example.org/old.png"})
        urls = {place_of(asset): "https://s3.example.org/abc"}
        assert from_parts(uploaded, urls=urls)[0]["source"] == {"type": "url", "url": urls[place_of(asset)]}
        assert from_parts(uploaded)[0]["source"] == {"type": "url", "url": "https://example.org/old.png"}
        data = Part(type="image", meta={"url": "data:image/gif;base64,aGk="})
        assert from_parts(data)[0]["source"] == {"type": "base64", "media_type": "image/gif", "data": "aGk="}

    def test_what_has_no_form_is_told_in_words(self) -> None:
        video = Part(type="video", meta={"url": "https://example.org/v.mp4", "media_type": "video/mp4"})
        weather = Part(type="data", meta={"data_type": "weather", "wind": 3})
        assert [block["text"] for block in from_parts(video, weather)] == [
            "[video, video/mp4, https://example.org/v.mp4]",
            '[weather]\n{"wind":3}',
        ]

    def test_an_edited_result_has_the_new_text_in_place_of_its_blocks(self) -> None:
        texts = [{"type": "text", "text": "long"}, {"type": "text", "text": "er"}]
        answer = {"type": "tool_result", "tool_use_id": "a", "content": texts}
        (message,) = stored("anthropic", [{"role": "user", "content": [answer]}])
        edited = message.model_copy(update={"parts": (message.parts[0].model_copy(update={"text": "Done"}),)})
        (item,) = written("anthropic", [edited])
        assert item["content"][0]["content"] == [{"type": "text", "text": "Done"}]


class TestRefusals:
    @pytest.mark.parametrize(
        ("message", "field"),
        [
            (None, "blob"),
            ({"role": "tool", "content": "x"}, "blob.role"),
            ({"role": ["user"], "content": "x"}, "blob.role"),
            ({"role": "user"}, "blob.content"),
            ({"role": "user", "content": []}, "blob.content"),
            ({"role": "user", "content": ["x"]}, "blob.content[0]"),
            ({"role": "user", "content": [{"type": "hologram"}]}, "blob.content[0].type"),
            ({"role": "user", "content": [{"type": "tool_use", "id": "a"}]}, "blob.content[0].type"),
            ({"role": "assistant", "content": [{"type": "tool_result"}]}, "blob.content[0].type"),
            ({"role": "user", "content": [{"type": "text", "text": 1}]}, "blob.content[0].text"),
            (
                {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": 1}]},
                "blob.content[0].cache_control",
            ),
            ({"role": "user", "content": [{"type": "image", "source": {"type": "url"}}]}, "blob.content[0].source.url"),
            ({"role": "user", "content": [{"type": "image", "source": {}}]}, "blob.content[0].source.type"),
            (
                {"role": "user", "content": [{"type": "document", "source": {"type": "content", "content": [1]}}]},
                "blob.content[0].source.content[0]",
            ),
            (
                {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": "{}"}]},
                "blob.content[0].input",
            ),
            (
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "tool_use"}]}],
                },
                "blob.content[0].content[0].type",
            ),
            (
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "is_error": "no"}]},
                "blob.content[0].is_error",
            ),
        ],
    )
    def test_what_cannot_be_given_back_is_refused_by_its_path(self, message: Any, field: str) -> None:
        with pytest.raises(InvalidError) as refused:
            to_canonical(message, {})
        assert refused.value.field == field


def test_only_texts_come_back_as_a_system_s_whatever_a_sender_says_of_its_message() -> None:
    meta = {"source_format": "anthropic", "original_role": "system"}
    result = {"type": "tool-result", "text": "found", "meta": {"tool_call_id": "a"}}
    (item,) = read_as_anthropic("acontext", {"role": "user", "parts": [result], "meta": meta})
    assert item["role"] == "user"
