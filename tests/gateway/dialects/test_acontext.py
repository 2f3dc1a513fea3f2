"""The reference's own messages: files by name, nulls that are absent, and what is refused."""

import json
from typing import Any

import pytest
from tests.gateway.dialects.conversations import stored, written

from craftlog.contracts.messages import Asset
from craftlog.gateway.dialects import files_named
from craftlog.gateway.dialects.acontext import to_canonical
from craftlog.gateway.dialects.canonical import Attached
from craftlog.gateway.dialects.media import place_of
from craftlog.gateway.errors import InvalidError

ASSET = Asset(bucket="b", s3_key="k", etag="e", sha256="abc", mime="application/pdf", size_b=2)
PICTURE = ASSET.model_copy(update={"mime": "image/png"})
FILES = {"report": Attached(ASSET, "report.pdf")}
WITH_FILE = {"role": "user", "parts": [{"type": "file", "file_field": "report"}]}


def part(**fields: Any) -> dict[str, Any]:
    return {"role": "user", "parts": [fields]}


class TestCanonical:
    def test_nulls_are_absent(self) -> None:
        said = {"type": "text", "text": "Hi", "meta": None, "file_field": None}
        message = to_canonical({"role": "user", "parts": [said], "meta": None}, {})
        assert [one.model_dump(exclude_none=True) for one in message.parts] == [{"type": "text", "text": "Hi"}]
        assert message.meta == {"source_format": "acontext"}

    def test_a_format_that_the_sender_names_stays(self) -> None:
        meta = {"source_format": "langchain", "x": [1]}
        assert to_canonical({**part(type="image"), "meta": meta}, {}).meta == meta

    def test_a_part_has_the_file_that_it_names(self) -> None:
        (read,) = to_canonical(WITH_FILE, FILES).parts
        assert (read.asset, read.filename, read.meta) == (ASSET, "report.pdf", None)
        assert files_named("acontext", WITH_FILE) == {"report"}
        assert files_named("openai", WITH_FILE) == frozenset()

    @pytest.mark.parametrize("arguments", [{"a": 1}, [1], None, 7, "text"])
    def test_arguments_of_any_shape_are_a_string_here_and_as_they_were_there(self, arguments: Any) -> None:
        blob = part(type="tool-call", meta={"name": "f", "arguments": arguments})
        (message,) = stored("acontext", [blob])
        assert isinstance((message.parts[0].meta or {})["arguments"], str)
        assert written("acontext", [message])[0]["parts"] == blob["parts"]


class TestToOthers:
    def test_a_file_is_told_by_its_public_address(self) -> None:
        messages = stored("acontext", [WITH_FILE], files=FILES)
        urls = {place_of(ASSET): "https://s3.example.org/abc"}
        assert written("anthropic", messages, urls)[0]["content"] == [
            {"type": "document", "source": {"type": "url", "url": urls[place_of(ASSET)]}, "title": "report.pdf"}
        ]
        assert written("gemini", messages, urls)[0]["parts"] == [
            {"fileData": {"fileUri": urls[place_of(ASSET)], "mimeType": "application/pdf"}}
        ]
        # OpenAI takes no file by its address.
        told = f"[file report.pdf, application/pdf, {urls[place_of(ASSET)]}]"
        assert written("openai", messages, urls)[0]["content"] == told

    @pytest.mark.parametrize(
        "carrier",
        [
            {"type": "text", "text": "Look"},
            {"type": "tool-call", "text": "Look", "meta": {"id": "c", "name": "f", "arguments": {}}},
            {"type": "tool-result", "text": "Look", "meta": {"tool_call_id": "c"}},
            {"type": "data", "text": "Look", "meta": {"data_type": "x"}},
            {"type": "image", "text": "Look"},
            {"type": "file", "text": "Look"},
        ],
        ids=lambda carrier: carrier["type"],
    )
    @pytest.mark.parametrize("dialect", ["openai", "anthropic", "gemini"])
    def test_words_and_a_file_on_one_part_are_both_told(self, dialect: str, carrier: dict[str, Any]) -> None:
        urls = {place_of(PICTURE): "https://s3.example.org/abc"}
        messages = stored("acontext", [part(**carrier, file_field="shot")], files={"shot": Attached(PICTURE, "a.png")})
        told = json.dumps(written(dialect, messages, urls))
        assert "Look" in told
        assert urls[place_of(PICTURE)] in told

    def test_a_picture_on_a_result_stands_in_it_where_a_provider_has_that(self) -> None:
        result = part(type="tool-result", text="Done", meta={"tool_call_id": "c"}, file_field="shot")
        messages = stored("acontext", [result], files={"shot": Attached(PICTURE, "a.png")})
        (block,) = written("anthropic", messages, {place_of(PICTURE): "https://s3.example.org/abc"})[0]["content"]
        assert [piece["type"] for piece in block["content"]] == ["text", "image"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("message", "field", "reason"),
        [
            (None, "blob", "must be an object"),
            ({"role": "system", "parts": []}, "blob.role", "must be one of"),
            ({"role": "user", "parts": []}, "blob.parts", "at least one"),
            ({"role": "user", "parts": [1]}, "blob.parts[0]", "must be an object"),
            ({**part(type="image"), "id": "m"}, "blob.id", "is none of role, parts, meta"),
            (part(), "blob.parts[0].type", "must be one of text, image"),
            (part(type="hologram"), "blob.parts[0].type", "must be one of text, image"),
            (part(type="text", text=""), "blob.parts[0].text", "must not be empty"),
            (part(type="text", text=7), "blob.parts[0].text", "must be a string"),
            (part(type="image", asset={}), "blob.parts[0].asset", "is none of type, text, meta, file_field"),
            (part(type="image", meta=[]), "blob.parts[0].meta", "must be an object"),
            (part(type="image", meta={"paired": 1}), "blob.parts[0].meta.paired", "keep for ourselves"),
            (part(type="image", file_field="other"), "blob.parts[0].file_field", "missing file other"),
            (part(type="tool-call", meta={"name": "f"}), "blob.parts[0].meta.arguments", "is missing"),
            (part(type="tool-call", meta={"arguments": 1}), "blob.parts[0].meta.name", "must be a string"),
            (part(type="tool-result", text="x"), "blob.parts[0].meta.tool_call_id", "must be a string"),
            (part(type="data", meta={}), "blob.parts[0].meta.data_type", "is missing"),
        ],
    )
    def test_what_is_wrong_is_refused_by_its_path(self, message: Any, field: str, reason: str) -> None:
        with pytest.raises(InvalidError, match=reason) as refused:
            to_canonical(message, FILES)
        assert refused.value.field == field
