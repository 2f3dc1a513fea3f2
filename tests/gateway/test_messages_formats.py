"""Messages in every format, in and out, against the whole of Craftlog."""

from typing import Any

import httpx
import pytest
from tests.gateway.clients import Api
from tests.gateway.dialects.test_gemini import CALLS

FORMATS = ("openai", "anthropic", "gemini", "acontext")
SAID = {
    "openai": {"role": "user", "content": "Hi", "name": None},
    "anthropic": {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]},
    "gemini": {"role": "user", "parts": [{"text": "Hi", "thought_signature": None}]},
    "acontext": {"role": "user", "parts": [{"type": "text", "text": "Hi"}]},
}


@pytest.fixture(scope="module")
def api(http: httpx.Client) -> Api:
    return Api(http)


class TestFormats:
    @pytest.mark.parametrize("sent", FORMATS)
    def test_any_message_is_read_in_any_format_and_unchanged_in_its_own(self, api: Api, sent: str) -> None:
        session = api.make("session")
        api.post(f"/session/{session}/messages", 201, {"format": sent, "blob": SAID[sent]})
        for wanted in FORMATS:
            (item,) = api.get(f"/session/{session}/messages", format=wanted)["items"]
            assert "Hi" in str(item)
            if wanted == sent != "acontext":
                assert item == SAID[sent]
            elif wanted == "acontext":
                assert item["parts"][0]["text"] == "Hi"

    @pytest.mark.parametrize("sent", ["openai", "anthropic", "gemini"])
    def test_what_nests_as_deep_as_a_body_may_comes_back(self, api: Api, sent: str) -> None:
        session = api.make("session")
        deep: Any = "end"
        for _ in range(58):
            deep = [deep]
        blob: Any = {"role": "user"}
        if sent == "gemini":
            blob["parts"] = [{"functionResponse": {"name": "f", "response": {"deep": deep}}, "x": deep}]
        else:
            blob["content"] = [{"type": "text", "text": "Hi", "x": deep}]
        api.post(f"/session/{session}/messages", 201, {"format": sent, "blob": blob})
        for wanted in FORMATS:
            (item,) = api.get(f"/session/{session}/messages", format=wanted)["items"]
            assert wanted != sent or item == blob

    @pytest.mark.parametrize("wanted", FORMATS)
    def test_results_find_their_calls_on_any_page(self, api: Api, wanted: str) -> None:
        session = api.make("session")
        api.post(f"/session/{session}/messages/batch", 201, {"format": "gemini", "blobs": CALLS})
        whole = api.get(f"/session/{session}/messages", format=wanted)
        pages = api.pages(f"/session/{session}/messages", format=wanted, limit=1)
        assert pages == whole["items"]
        assert len(whole["ids"]) == len(whole["items"]) == (3 if wanted == "openai" else 2)
        if wanted != "gemini":
            assert "call_1_0" in str(pages[1])
