"""A task as clients see it: with its own messages, page by page, in any format."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.gateway.clients import Api

# The rules find a task where the agent takes a request up.
SAID = (
    ("user", "Please write a page about tea."),
    ("assistant", "I wrote the page about tea."),
    ("user", "Now write another page about coffee."),
    ("assistant", "I wrote the page about coffee."),
    ("user", "Thank you, that's all."),
)


@pytest.fixture(scope="module")
def api(http: httpx.Client) -> Api:
    return Api(http)


@pytest.fixture(scope="module")
def session(api: Api) -> str:
    session = api.make("session")
    blobs = [{"role": role, "content": text} for role, text in SAID]
    api.post(f"/session/{session}/messages/batch", 201, {"blobs": blobs})
    assert api.post(f"/session/{session}/flush")["status"] == 200
    return session


def tasks(api: Api, session: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"/session/{session}/task")["items"]
    return found


class TestDetail:
    def test_is_the_task_as_it_is_listed_with_the_messages_that_say_they_are_its(self, api: Api, session: str) -> None:
        listed = tasks(api, session)
        assert len(listed) == 2
        all_messages = api.messages(session)
        for task in listed:
            detail = api.get(f"/session/{session}/task/{task['id']}", format="acontext")
            messages = detail.pop("messages")
            assert detail == task
            assert messages["items"] == [message for message in all_messages if message["task_id"] == task["id"]]
            assert messages["items"]
            assert messages["ids"] == [message["id"] for message in messages["items"]]
            assert messages["public_urls"] == {}

    def test_speaks_openai_unless_asked_otherwise(self, api: Api, session: str) -> None:
        task = tasks(api, session)[0]["id"]
        items = api.get(f"/session/{session}/task/{task}")["messages"]["items"]
        assert {"role": SAID[0][0], "content": SAID[0][1]} in items
        items = api.get(f"/session/{session}/task/{task}", format="anthropic")["messages"]["items"]
        assert items[0]["content"] == [{"type": "text", "text": SAID[0][1]}]

    @pytest.mark.parametrize("newest", [True, False])
    def test_has_its_messages_by_page(self, api: Api, session: str, *, newest: bool) -> None:
        task = tasks(api, session)[1]["id"]
        path = f"/session/{session}/task/{task}"
        whole = api.get(path)["messages"]["ids"]
        assert len(whole) > 1
        found: list[str] = []
        cursor: dict[str, str] = {}
        for _ in whole:
            page = api.get(path, limit=1, time_desc=newest, **cursor)["messages"]
            found += page["ids"]
            cursor = {"cursor": page["next_cursor"]}
        assert not page["has_more"]
        assert found == (whole[::-1] if newest else whole)

    def test_of_a_task_that_is_not_there_is_missing(self, api: Api, session: str) -> None:
        other = api.make("session")
        task = tasks(api, session)[0]["id"]
        for path in (f"/session/{session}/task/{uuid4()}", f"/session/{other}/task/{task}"):
            answer = api.http.get(f"/api/v1{path}")
            assert answer.status_code == 404
            assert "task_id" in answer.json()["msg"]
        assert api.http.get(f"/api/v1/session/{session}/task/none").status_code == 400
