"""Sessions, and what becomes of them: tasks, counts, states."""

from typing import Any

import httpx
import pytest
from tests.conformance.sdks import EVERY, NEW, NPM, OLD, Sdk, SdkError, driven, pages
from tests.e2e.conversations import PHONE, user

ASYNC_OF_OLD = [name for name in OLD if name.endswith("-async")]


@pytest.fixture
def session(sdk: Sdk) -> str:
    made: dict[str, str] = sdk("sessions.create")
    return made["id"]


def tell(sdk: Sdk, session: str, messages: list[dict[str, Any]]) -> None:
    for message in messages:
        sdk("sessions.store_message", session, blob=message)


@driven("sessions.create", "sessions.get_configs", "sessions.update_configs")
def test_a_session_is_as_it_was_created_until_its_configs_are_replaced(sdk: Sdk) -> None:
    created = sdk("sessions.create", configs={"mode": "chat", "deep": {"a": [1, None]}})
    assert created["configs"] == {"mode": "chat", "deep": {"a": [1, None]}}
    assert (created["disable_task_tracking"], created["space_id"]) == (False, None)
    assert sdk("sessions.get_configs", created["id"]) == created
    assert sdk("sessions.update_configs", created["id"], configs={"mode": "voice"}) is None
    updated = sdk("sessions.get_configs", created["id"])
    assert updated["configs"] == {"mode": "voice"}
    assert updated["created_at"] == created["created_at"] < updated["updated_at"]


@driven("sessions.create", by=[name for name in EVERY if name not in ASYNC_OF_OLD])
def test_a_session_can_do_without_tasks(sdk: Sdk) -> None:
    created = sdk("sessions.create", disable_task_tracking=True)
    assert created["disable_task_tracking"] is True
    assert sdk("sessions.get_configs", created["id"])["disable_task_tracking"] is True


@driven("sessions.list", "sessions.connect_to_space")
def test_sessions_are_listed_by_their_space_page_by_page(sdk: Sdk) -> None:
    space = sdk("spaces.create")["id"]
    made = [sdk("sessions.create", space_id=space)["id"] for _ in range(2)]
    alone = sdk("sessions.create")["id"]
    assert alone in [one["id"] for one in pages(sdk, "sessions.list", not_connected=True, limit=2)]
    assert sdk("sessions.connect_to_space", alone, space_id=space) is None
    assert alone not in [one["id"] for one in pages(sdk, "sessions.list", not_connected=True, limit=200)]
    assert [one["id"] for one in pages(sdk, "sessions.list", space_id=space, limit=2)] == [*made, alone]
    newest = sdk("sessions.list", space_id=space, limit=2, time_desc=True)
    assert [one["id"] for one in newest["items"]] == [alone, made[1]]
    assert newest["has_more"] is True
    assert all(one["space_id"] == space for one in newest["items"])


@driven("sessions.delete")
def test_a_deleted_session_is_gone(sdk: Sdk, session: str) -> None:
    tell(sdk, session, [user("hello")])
    assert sdk("sessions.delete", session) is None
    with pytest.raises(SdkError) as refused:
        sdk("sessions.get_messages", session)
    assert (refused.value.type, refused.value.status, refused.value.code) == ("APIError", 404, 404)
    assert session not in [one["id"] for one in pages(sdk, "sessions.list", limit=200)]


@driven("sessions.flush", "sessions.get_tasks")
def test_a_flushed_session_has_its_tasks_in_their_order(sdk: Sdk, session: str) -> None:
    tell(sdk, session, PHONE)
    assert sdk("sessions.flush", session) == {"status": 200, "errmsg": ""}
    tasks = pages(sdk, "sessions.get_tasks", session, limit=2)
    assert [task["order"] for task in tasks] == [1, 2, 3]
    assert [task["status"] for task in tasks] == ["running", "pending", "pending"]
    assert all(task["session_id"] == session for task in tasks)
    assert "news" in tasks[0]["data"]["task_description"]
    assert "report" in tasks[0]["data"]["user_preferences"][0]
    assert [task["is_planning"] for task in tasks] == [False] * 3
    newest = sdk("sessions.get_tasks", session, limit=1, time_desc=True)
    assert [task["order"] for task in newest["items"]] == [3]


@driven("sessions.get_session_summary", by=NEW)
def test_the_summary_of_a_session_has_its_tasks(sdk: Sdk, session: str) -> None:
    assert not sdk("sessions.get_session_summary", session)
    tell(sdk, session, PHONE)
    sdk("sessions.flush", session)
    summary = sdk("sessions.get_session_summary", session, limit=2)
    assert summary.count("<task id=") == 2
    assert "<progress>" in summary
    assert "<user_preference>" in summary


@driven("sessions.messages_observing_status", by=[*NEW, NPM])
def test_observed_messages_are_counted_apart_from_those_that_wait(sdk: Sdk, session: str) -> None:
    assert counts(sdk, session) == (0, 0, 0)
    tell(sdk, session, PHONE)
    assert sum(counts(sdk, session)) == len(PHONE)
    sdk("sessions.flush", session)
    assert counts(sdk, session) == (len(PHONE), 0, 0)


@driven("sessions.get_token_counts")
def test_tokens_are_counted_as_in_what_is_read(sdk: Sdk, session: str, http: httpx.Client) -> None:
    assert sdk("sessions.get_token_counts", session) == {"total_tokens": 0}
    tell(sdk, session, PHONE)
    read = http.get(f"/session/{session}/messages").json()["data"]
    assert sdk("sessions.get_token_counts", session) == {"total_tokens": read["this_time_tokens"]}
    assert read["this_time_tokens"] > 100


@driven("sessions.get_learning_status")
def test_a_session_without_a_space_has_nothing_to_learn(sdk: Sdk, session: str) -> None:
    assert sdk("sessions.get_learning_status", session) == {"space_digested_count": 0, "not_space_digested_count": 0}


def counts(sdk: Sdk, session: str) -> tuple[int, int, int]:
    status = sdk("sessions.messages_observing_status", session)
    assert status["updated_at"].endswith("Z")
    return status["observed"], status["in_process"], status["pending"]
