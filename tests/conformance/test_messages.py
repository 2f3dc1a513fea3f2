"""Messages: stored in every format that an SDK knows, read in every format."""

from typing import Any

import pytest
from tests.conformance.sdks import EVERY, Sdk, driven, pages
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


@driven("sessions.get_messages", by=[name for name in EVERY if name.partition("-")[0] not in {"0.0.8", "0.0.9"}])
def test_the_ids_of_the_messages_are_told(sdk: Sdk, session: str) -> None:
    stored = tell(sdk, session, CALLED)
    assert sdk("sessions.get_messages", session, time_desc=False)["ids"] == [one["id"] for one in stored]
