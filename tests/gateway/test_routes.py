"""What clients see, against the whole of Craftlog."""

from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.gateway.clients import Api

from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.auth import DEFAULT_PROJECT
from craftlog.runtime.objects import Objects, prefix_of
from craftlog.runtime.settings import Settings
from craftlog.testing.stack import Stack


@pytest.fixture(scope="module")
def api(http: httpx.Client) -> Api:
    return Api(http)


class TestSession:
    def test_answers_with_what_was_sent_and_then_with_what_is_stored(self, api: Api) -> None:
        created = api.post("/session", json={"configs": None}, expect=201)
        assert created["configs"] is None
        assert api.get(f"/session/{created['id']}/configs")["configs"] == {}
        created = api.post("/session", json={"configs": {"a": {"$b.c": [None, 1]}, "": 2}}, expect=201)
        assert api.get(f"/session/{created['id']}/configs")["configs"] == created["configs"]
        assert created["disable_task_tracking"] is False
        assert created["space_id"] is None

    def test_needs_no_body(self, api: Api) -> None:
        assert api.post("/session", expect=201)["configs"] is None

    def test_is_listed_by_its_space_once_it_is_connected(self, api: Api) -> None:
        space, session = api.make("space"), api.make("session")
        unconnected = api.get("/session", not_connected=True, limit=200, time_desc=True)["items"]
        assert session in [one["id"] for one in unconnected]
        api.post(f"/session/{session}/connect_to_space", json={"space_id": space})
        assert [one["id"] for one in api.get("/session", space_id=space)["items"]] == [session]
        unconnected = api.get("/session", not_connected=True, limit=200, time_desc=True)["items"]
        assert session not in [one["id"] for one in unconnected]

    def test_ids_are_understood_in_every_spelling_of_a_uuid(self, api: Api) -> None:
        session = api.make("session")
        for spelling in (session.upper(), f"{{{session}}}", f"urn:uuid:{session}", session.replace("-", "")):
            assert api.get(f"/session/{spelling}/configs")["id"] == session

    @pytest.mark.parametrize("order", ["oldest first", "newest first"])
    def test_pages_of_a_list_have_each_once_in_order(self, api: Api, order: str) -> None:
        space, newest_first = api.make("space"), order == "newest first"
        made = [api.post("/session", json={"space_id": space}, expect=201)["id"] for _ in range(7)]
        found = api.pages("/session", limit=3, space_id=space, time_desc=newest_first)
        assert [one["id"] for one in found] == (made[::-1] if newest_first else made)


class TestDeletion:
    def test_of_a_session_is_for_ever(self, api: Api) -> None:
        session = api.make("session")
        api.append(session, "hello")
        api.delete(f"/session/{session}")
        for ask in (
            lambda: api.get(f"/session/{session}/configs", expect=404),
            lambda: api.get(f"/session/{session}/messages", expect=404),
            lambda: api.get(f"/session/{session}/task", expect=404),
            lambda: api.get(f"/session/{session}/lessons", expect=404),
            lambda: api.get(f"/session/{session}/get_learning_status", expect=404),
            lambda: api.post(f"/session/{session}/flush", expect=404),
            lambda: api.post(f"/session/{session}/messages", json=said("x"), expect=404),
            lambda: api.delete(f"/session/{session}", expect=404),
        ):
            ask()

    def test_of_a_disk_takes_its_files_along(self, api: Api) -> None:
        disk = api.make("disk")
        api.upload(disk, "a.txt", b"hello")
        api.delete(f"/disk/{disk}")
        assert disk not in [one["id"] for one in api.get("/disk", limit=200)["items"]]
        api.get(f"/disk/{disk}/artifact", file_path="/a.txt", expect=404)
        api.get(f"/disk/{disk}/artifact/ls", expect=404)
        api.delete(f"/disk/{disk}", expect=404)


class TestMessages:
    def test_stand_each_below_the_one_before(self, api: Api) -> None:
        session = api.make("session")
        for number in range(5):
            api.append(session, str(number))
        items = api.get(f"/session/{session}/messages", format="acontext")["items"]
        assert [item["parts"] for item in items] == [[{"type": "text", "text": str(number)}] for number in range(5)]
        assert items[0]["parent_id"] is None
        assert all(after["parent_id"] == before["id"] for before, after in pairwise(items))

    @pytest.mark.parametrize("order", ["oldest first", "newest first"])
    @pytest.mark.parametrize("limit", [1, 3, 7, 200])
    def test_pages_put_together_are_the_conversation(self, api: Api, limit: int, order: str) -> None:
        session, newest_first = api.make("session"), order == "newest first"
        sent = [str(number) for number in range(7)]
        for text in sent:
            api.append(session, text)
        read: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = api.get(f"/session/{session}/messages", limit=limit, time_desc=newest_first, **cursor)
            texts = [item["content"] for item in page["items"]]
            assert len(page["ids"]) == len(texts) <= limit
            read = texts + read if newest_first else read + texts
            assert len(read) <= len(sent)
            if not page["has_more"]:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert read == sent

    def test_too_large_for_an_event_come_back_as_they_were_sent(self, api: Api) -> None:
        session = api.make("session")
        message = {"role": "user", "content": [{"type": "text", "text": "é\0" * 200_000}, {"type": "text", "text": ""}]}
        api.post(f"/session/{session}/messages", json={"blob": message}, expect=201)
        assert api.get(f"/session/{session}/messages")["items"] == [message]
        (item,) = api.get(f"/session/{session}/messages", format="acontext")["items"]
        assert item["parts"][0]["text"] == "é\0" * 200_000

    def test_hold_whatever_was_accepted(self, api: Api) -> None:
        session = api.make("session")
        deep: Any = "end"
        for _ in range(60):
            deep = [deep]
        strange = {"$set": 1, "a.b": 2, "": 3, "_id": 4, "__proto__": 5, "$": {"$": []}}
        numbers = [2**63 - 1, -(2**63), 1e308, 5e-324, 0.1, -0.0]
        message = {"role": "user", "content": "\0 \x1f \u2028 😀", "deep": deep, "strange": strange, "numbers": numbers}
        api.post(f"/session/{session}/messages", json={"blob": message}, expect=201)
        assert api.get(f"/session/{session}/messages")["items"] == [message]

    async def test_too_large_for_an_event_leave_nothing_where_there_is_no_session(self, api: Api, stack: Stack) -> None:
        nowhere = str(uuid4())
        api.post(f"/session/{nowhere}/messages", json=said("x" * 300_000), expect=404)
        objects = Objects(settings_of(stack))
        assert await objects.delete_prefix(prefix_of(Address(Kind.SESSION, DEFAULT_PROJECT, nowhere))) == 0

    def test_tell_the_task_they_belong_to_once_it_is_known(self, api: Api) -> None:
        session = api.make("session")
        call = {"id": "c", "type": "function", "function": {"name": "book_table", "arguments": '{"people": 2}'}}
        for blob in (
            {"role": "user", "content": "Please book a table for two people at Luigi's tonight."},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": '{"status": "booked"}'},
            {"role": "assistant", "content": "Your table for two is booked."},
        ):
            api.post(f"/session/{session}/messages", json={"blob": blob}, expect=201)
        api.post(f"/session/{session}/flush")
        tasks = {task["id"] for task in api.get(f"/session/{session}/task")["items"]}
        messages = api.messages(session)
        assert tasks
        assert {message["task_id"] for message in messages} & tasks
        assert {message["session_task_process_status"] for message in messages} == {"success"}


class TestFlush:
    def test_has_nothing_to_wait_for_in_an_empty_or_untracked_session(self, api: Api) -> None:
        assert api.post(f"/session/{api.make('session')}/flush") == {"status": 200, "errmsg": ""}
        untracked = api.post("/session", json={"disable_task_tracking": True}, expect=201)["id"]
        api.append(untracked, "hello")
        assert api.post(f"/session/{untracked}/flush") == {"status": 200, "errmsg": ""}
        assert api.get(f"/session/{untracked}/task") == {"items": [], "has_more": False}


class TestLessons:
    def test_are_none_without_a_space(self, api: Api) -> None:
        session = api.make("session")
        assert api.get(f"/session/{session}/lessons") == {"items": []}
        status = {"space_digested_count": 0, "not_space_digested_count": 0}
        assert api.get(f"/session/{session}/get_learning_status") == status


class TestArtifact:
    def test_is_replaced_by_the_next_at_its_place(self, api: Api) -> None:
        disk = api.make("disk")
        api.upload(disk, "a.txt", b"one", file_path="/x/", meta='{"k": 1}')
        api.upload(disk, "a.txt", b"two", file_path="/x/whatever")
        found = api.get(f"/disk/{disk}/artifact", file_path="x/a.txt")
        assert found["content"] == {"type": "text", "raw": "two"}
        info = {"path": "/x/", "filename": "a.txt", "mime": "text/plain", "size": 3}
        assert found["artifact"]["meta"] == {"__artifact_info__": info}
        assert len(api.get(f"/disk/{disk}/artifact/ls", path="/x/")["artifacts"]) == 1

    def test_is_downloaded_from_its_url_byte_by_byte(self, api: Api) -> None:
        disk, data = api.make("disk"), bytes(range(256)) * 8000
        api.upload(disk, "a.bin", data)
        found = api.get(f"/disk/{disk}/artifact", file_path="/a.bin", expire=60)
        assert "content" not in found
        assert httpx.get(found["public_url"]).content == data

    def test_can_be_asked_for_without_url_and_content(self, api: Api) -> None:
        disk = api.make("disk")
        api.upload(disk, "a.txt", b"one")
        where = {"file_path": "/a.txt", "with_public_url": "false", "with_content": "false"}
        assert api.get(f"/disk/{disk}/artifact", **where).keys() == {"artifact"}

    def test_is_gone_once_it_was_removed(self, api: Api) -> None:
        disk = api.make("disk")
        api.upload(disk, "a.txt", b"one")
        api.delete(f"/disk/{disk}/artifact", file_path="/a.txt")
        api.get(f"/disk/{disk}/artifact", file_path="/a.txt", expect=404)
        api.delete(f"/disk/{disk}/artifact", file_path="/a.txt", expect=404)

    def test_may_have_any_name_that_a_form_can_carry(self, api: Api) -> None:
        disk = api.make("disk")
        api.upload(disk, "Überblick 😀.md", "# é".encode(), file_path="/ä ö/$x/.y/")
        found = api.get(f"/disk/{disk}/artifact", file_path="/ä ö/$x/.y/Überblick 😀.md")
        assert found["content"]["raw"] == "# é"
        assert api.get(f"/disk/{disk}/artifact/ls", path="/ä ö/")["directories"] == ["$x"]


class TestHealth:
    def test_names_every_service_and_consumer(self, http: httpx.Client) -> None:
        said = http.get("/health").json()
        assert said["code"] == 0
        assert said["data"]["services"].keys() == {"gateway", "ingest", "observer", "learner", "search"}
        assert {consumer["name"] for consumer in said["data"]["services"]["ingest"]["consumers"]} == {
            "ingest-project",
            "ingest-session",
            "ingest-disk",
            "ingest-space",
        }


def said(text: str) -> dict[str, Any]:
    return {"blob": {"role": "user", "content": text}}


def settings_of(stack: Stack) -> Settings:
    return Settings(**{name.removeprefix("CRAFTLOG_").lower(): value for name, value in stack.env.items()})
