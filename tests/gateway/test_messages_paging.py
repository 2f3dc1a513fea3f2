"""Pages of messages while a session grows: every message once, in order, in both directions."""

import json
from itertools import pairwise

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.clients import Api


@pytest.fixture(scope="module")
def api(http: httpx.Client) -> Api:
    return Api(http)


def texts(page: dict) -> list[int]:
    return [int(item["content"]) for item in page["items"]]


def append(api: Api, session: str, start: int, count: int) -> None:
    if count:
        blobs = [{"role": "user", "content": str(number)} for number in range(start, start + count)]
        api.post(f"/session/{session}/messages/batch", 201, {"blobs": blobs})


class TestPages:
    @settings(max_examples=25)
    @given(
        start=st.integers(0, 12),
        growth=st.lists(st.integers(0, 3), min_size=1, max_size=6),
        limits=st.lists(st.integers(1, 5), min_size=1, max_size=5),
        newest_first=st.booleans(),
    )
    def test_have_each_message_once_while_others_append(
        self, api: Api, start: int, growth: list[int], limits: list[int], *, newest_first: bool
    ) -> None:
        session, length, turn = api.make("session"), start, 0
        append(api, session, 0, start)
        read: list[int] = []
        cursor: dict[str, str] = {}
        while True:
            limit = limits[turn % len(limits)]
            page = api.get(f"/session/{session}/messages", limit=limit, time_desc=newest_first, **cursor)
            found = texts(page)
            assert len(page["ids"]) == len(found) <= limit
            read = found + read if newest_first else read + found
            assert len(read) <= start + sum(growth)
            assert page["has_more"] == (page["next_cursor"] is not None)
            if not page["has_more"]:
                break
            cursor = {"cursor": page["next_cursor"]}
            append(api, session, length, growth[turn] if turn < len(growth) else 0)
            length += growth[turn] if turn < len(growth) else 0
            turn += 1
        # From the newest on there is nothing after the first page's end; from the oldest on there is all.
        assert read == list(range(start if newest_first else length))
        assert texts(api.get(f"/session/{session}/messages")) == list(range(length))

    def test_of_thousands_are_read_at_once_and_counted(self, api: Api) -> None:
        session = api.make("session")
        for start in range(0, 2500, 500):
            append(api, session, start, 500)
        page = api.get(f"/session/{session}/messages")
        assert texts(page) == list(range(2500))
        assert page["this_time_tokens"] == api.get(f"/session/{session}/token_counts")["total_tokens"] > 2500
        items = api.get(f"/session/{session}/messages", format="acontext")["items"]
        assert all(after["parent_id"] == before["id"] for before, after in pairwise(items))
        page = api.get(f"/session/{session}/messages", limit=2, time_desc=True)
        assert texts(page) == [2498, 2499]

    def test_that_are_too_large_to_be_read_at_once_are_refused_and_can_be_read_in_smaller_ones(self, api: Api) -> None:
        session = api.make("session")
        for _ in range(6):
            api.append(session, "x" * 12_000_000)
        refused = api.http.get(f"/api/v1/session/{session}/messages")
        assert refused.status_code == 400
        assert refused.json()["msg"].startswith("limit: ")
        pages = api.pages(f"/session/{session}/messages", limit=3)
        assert [len(item["content"]) for item in pages] == [12_000_000] * 6
        assert api.get(f"/session/{session}/token_counts")["total_tokens"] >= 6 * 12_000_000 / 1000


class TestTokenCounts:
    def test_follow_what_is_appended(self, api: Api) -> None:
        session, counts = api.make("session"), []
        for text in ("one two three", "four five", "six " * 100_000, "seven"):
            api.append(session, text)
            counts += [api.get(f"/session/{session}/token_counts")["total_tokens"] for _ in range(2)]
        assert counts[::2] == counts[1::2] == sorted(set(counts))
        assert counts[-1] == api.get(f"/session/{session}/messages")["this_time_tokens"]
        api.delete(f"/session/{session}")
        api.get(f"/session/{session}/token_counts", expect=404)


class TestAnswer:
    def test_has_every_key_always(self, api: Api) -> None:
        session = api.make("session")
        keys = {"items", "ids", "metas", "this_time_tokens", "has_more", "next_cursor", "edit_at_message_id"}
        empty = api.get(f"/session/{session}/messages")
        assert empty.keys() == {*keys, "public_urls"}
        assert (empty["items"], empty["ids"], empty["metas"], empty["this_time_tokens"]) == ([], [], [], 0)
        assert empty["next_cursor"] is empty["edit_at_message_id"] is empty["public_urls"] is None
        assert api.get(f"/session/{session}/messages", format="acontext")["public_urls"] == {}
        assert api.get(f"/session/{session}/token_counts") == {"total_tokens": 0}

    def test_gives_a_message_the_meta_that_came_with_it(self, api: Api) -> None:
        session = api.make("session")
        blob, meta = {"role": "user", "content": "hello"}, {"shown": True, "": {"$a.b": 1}}
        sent = api.post(f"/session/{session}/messages", 201, {"blob": blob, "meta": meta})
        assert sent["meta"] == {"source_format": "openai", "user_meta": meta}
        api.append(session, "without")
        page = api.get(f"/session/{session}/messages")
        assert page["metas"] == [meta, {}]
        assert page["items"][0] == blob

    def test_each_message_has_a_meta_that_is_an_object_whatever_its_sender_kept_there(self, api: Api) -> None:
        session = api.make("session")
        said = {"role": "user", "parts": [{"type": "text", "text": "Hi"}], "meta": {"user_meta": 5}}
        sent = {"format": "acontext", "blob": said}
        api.post(f"/session/{session}/messages", 201, sent)
        page = api.get(f"/session/{session}/messages", format="acontext")
        assert page["metas"] == [{}]
        assert page["items"][0]["meta"]["user_meta"] == 5
        api.post(f"/session/{session}/messages", 400, {**sent, "meta": {"a": 1}})

    def test_edits_what_is_read_and_nothing_that_is_stored(self, api: Api) -> None:
        session = api.make("session")
        call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        blobs = [
            {"role": "user", "content": "look"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "a long story " * 100},
            {"role": "assistant", "content": "done"},
        ]
        ids = [one["id"] for one in api.post(f"/session/{session}/messages/batch", 201, {"blobs": blobs})["items"]]
        wanted = [{"type": "remove_tool_result", "params": {"keep_recent_n_tool_results": 0}}]
        path, whole = f"/session/{session}/messages", api.get(f"/session/{session}/messages")
        for format_ in ("openai", "acontext"):
            page = api.get(path, edit_strategies=json.dumps(wanted), format=format_)
            assert page["ids"] == ids
            assert page["edit_at_message_id"] == ids[-1]
            assert page["this_time_tokens"] < whole["this_time_tokens"] / 2
        assert page["items"][2]["parts"][0]["text"] == "Done"
        pinned = api.get(path, edit_strategies=json.dumps(wanted), pin_editing_strategies_at_message=ids[1])
        assert (pinned["items"], pinned["edit_at_message_id"]) == (whole["items"], ids[1])
        assert api.get(path)["items"] == blobs
