"""Messages: stored in every format that an SDK knows, read in every format."""

from hashlib import sha256
from typing import Any

import httpx
import pytest
from tests.conformance.sdks import EVERY, NEW, NPM, Sdk, driven, pages, upload
from tests.e2e.conversations import agent, call, result, user

IMAGE = b"\x89PNG\r\n\x1a\n and so on"
CALLED = [
    user("What is on?"),
    agent("I look.", call("call_1", "look", where="here"), call("call_2", "look", where="there")),
    result("call_1", "a lamp"),
    result("call_2", "a chair"),
    agent("A lamp and a chair."),
]


@pytest.fixture
def session(sdk: Sdk) -> str:
    made: dict[str, str] = sdk("sessions.create")
    return made["id"]


def tell(sdk: Sdk, session: str, messages: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    return [sdk("sessions.store_message", session, blob=message, **options) for message in messages]


def read(sdk: Sdk, session: str, **options: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = sdk("sessions.get_messages", session, time_desc=False, **options)["items"]
    return items


@driven("sessions.store_message", "sessions.get_messages")
def test_openai_messages_come_back_as_they_were_stored(sdk: Sdk, session: str) -> None:
    first, second = tell(sdk, session, CALLED[:2])
    assert first["parts"] == [{**dict.fromkeys(first["parts"][0]), "type": "text", "text": "What is on?"}]
    assert (first["session_id"], first["role"], first["parent_id"]) == (session, "user", None)
    assert first["session_task_process_status"] == "pending"
    assert (second["role"], second["parent_id"]) == ("assistant", first["id"])
    assert [part["type"] for part in second["parts"]] == ["text", "tool-call", "tool-call"]
    tell(sdk, session, CALLED[2:], format="openai")
    assert read(sdk, session) == CALLED
    assert read(sdk, session, format="openai") == CALLED


@driven("sessions.store_message", "sessions.get_messages")
def test_anthropic_messages_come_back_as_they_were_stored(sdk: Sdk, session: str) -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "What is on?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"where": "here"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "a lamp"}]}
            ],
        },
    ]
    stored = tell(sdk, session, messages, format="anthropic")
    assert [part["type"] for one in stored for part in one["parts"]] == ["text", "text", "tool-call", "tool-result"]
    assert read(sdk, session, format="anthropic") == messages
    assert read(sdk, session, format="openai")[2] == {"role": "tool", "tool_call_id": "toolu_1", "content": "a lamp"}


@driven("sessions.store_message", "sessions.get_messages")
def test_acontext_messages_come_back_as_they_were_stored(sdk: Sdk, session: str) -> None:
    parts = [
        "Look:",
        {"type": "data", "meta": {"data_type": "table", "rows": [1]}},
        {"type": "tool-call", "meta": {"id": "c1", "name": "look", "arguments": {"where": "here"}}},
    ]
    built = {"$message": {"role": "assistant", "parts": parts, "meta": {"mood": "good"}}}
    [stored] = tell(sdk, session, [built], format="acontext")
    assert stored["meta"]["mood"] == "good"
    assert [part["type"] for part in stored["parts"]] == ["text", "data", "tool-call"]
    [item] = read(sdk, session, format="acontext")
    assert item["id"] == stored["id"]
    assert [part.get("meta") for part in item["parts"]] == [None, parts[1]["meta"], parts[2]["meta"]]
    assert item["parts"][0]["text"] == "Look:"


@driven("sessions.store_message", "sessions.get_messages", by=[*NEW, NPM])
def test_gemini_messages_come_back_as_they_were_stored(sdk: Sdk, session: str) -> None:
    messages = [
        {"role": "user", "parts": [{"text": "What is on?"}]},
        {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "look", "args": {"where": "here"}}}]},
        {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "look", "response": {"seen": "lamp"}}}]},
    ]
    tell(sdk, session, messages, format="gemini")
    assert read(sdk, session, format="gemini") == messages
    [_, called, answered] = read(sdk, session, format="openai")
    assert called["tool_calls"][0]["id"] == answered["tool_call_id"] == "c1"


@driven("sessions.store_message", "sessions.get_messages")
def test_a_file_is_kept_with_its_message_and_has_a_url(sdk: Sdk, session: str) -> None:
    built = {"$message": {"role": "user", "parts": ["Look:", {"type": "image", "file_field": "picture"}]}}
    picture = {"file_field": "picture", "file": upload("a.png", IMAGE, "image/png")}
    [stored] = tell(sdk, session, [built], format="acontext", **picture)
    asset = stored["parts"][1]["asset"]
    assert (asset["sha256"], asset["mime"], asset["size_b"]) == (sha256(IMAGE).hexdigest(), "image/png", len(IMAGE))
    assert stored["parts"][1]["filename"] == "a.png"
    got = sdk("sessions.get_messages", session, format="acontext", with_asset_public_url=True)
    url = got["public_urls"][asset["sha256"]]
    assert httpx.get(url["url"]).content == IMAGE
    assert url["expire_at"].endswith("Z")
    assert not sdk("sessions.get_messages", session, format="acontext", with_asset_public_url=False)["public_urls"]
    [seen] = read(sdk, session, format="openai")
    assert httpx.get(seen["content"][1]["image_url"]["url"]).content == IMAGE


@driven("sessions.get_messages")
@pytest.mark.parametrize("newest_first", [False, True], ids=["from the oldest", "from the newest"])
def test_pages_have_every_message_once(sdk: Sdk, session: str, *, newest_first: bool) -> None:
    messages = [user(f"number {number}") for number in range(5)]
    tell(sdk, session, messages)
    got = pages(sdk, "sessions.get_messages", session, limit=2, time_desc=newest_first)
    if newest_first:
        assert got == [messages[3], messages[4], messages[1], messages[2], messages[0]]
    else:
        assert got == messages


@driven("sessions.get_messages")
def test_edit_strategies_shorten_what_is_read_and_nothing_else(sdk: Sdk, session: str) -> None:
    tell(sdk, session, CALLED)
    results = {"keep_recent_n_tool_results": 1, "tool_result_placeholder": "gone"}
    edited = read(sdk, session, edit_strategies=[{"type": "remove_tool_result", "params": results}])
    assert [one["content"] for one in edited if one["role"] == "tool"] == ["gone", "a chair"]
    calls = {"keep_recent_n_tool_calls": 1}
    edited = read(sdk, session, edit_strategies=[{"type": "remove_tool_call_params", "params": calls}])
    assert [one["function"]["arguments"] for one in edited[1]["tool_calls"]] == ["{}", '{"where": "there"}']
    shortest = [{"type": "token_limit", "params": {"limit_tokens": 8}}]
    assert read(sdk, session, edit_strategies=shortest) == [CALLED[0], CALLED[4]]
    assert read(sdk, session) == CALLED


@driven("sessions.get_messages", by=NEW)
def test_edit_strategies_can_cut_the_middle_and_be_pinned(sdk: Sdk, session: str) -> None:
    stored = tell(sdk, session, CALLED)
    all_ids = [one["id"] for one in stored]
    cut = {"type": "middle_out", "params": {"token_reduce_to": 12}}
    got = sdk("sessions.get_messages", session, edit_strategies=[cut])
    assert got["items"] == [CALLED[0], CALLED[4]]
    assert got["ids"] == [all_ids[0], all_ids[4]]
    assert got["edit_at_message_id"] == all_ids[4]
    none = {"type": "remove_tool_result", "params": {"keep_recent_n_tool_results": 0}}
    pinned = {"edit_strategies": [none], "pin_editing_strategies_at_message": all_ids[2]}
    got = sdk("sessions.get_messages", session, **pinned)
    assert [one["content"] for one in got["items"] if one["role"] == "tool"] == ["Done", "a chair"]
    assert got["edit_at_message_id"] == all_ids[2]


@driven("sessions.get_messages", by=[name for name in EVERY if name.partition("-")[0] not in {"0.0.8", "0.0.9"}])
def test_the_ids_of_the_messages_are_told(sdk: Sdk, session: str) -> None:
    stored = tell(sdk, session, CALLED)
    assert sdk("sessions.get_messages", session, time_desc=False)["ids"] == [one["id"] for one in stored]
