"""The official Python SDK, as it is published, against the whole of Craftlog: what its users do works."""

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx
import pytest
from acontext import AcontextAsyncClient, AcontextClient, FileUpload
from acontext.errors import APIError
from acontext.types.session import LearningStatus, Task
from tests.e2e.conversations import COFFEE, GYM, PHONE, PHONE_TO_THE_END, Message, call

from craftlog.testing.stack import Stack

T = TypeVar("T")

DEADLINE = 30.0
# None of these words is in the conversation but "report".
IN_OTHER_WORDS = "gather facts on a gadget and report them before programming a promotional site"


@pytest.fixture
def client(stack: Stack) -> Iterator[AcontextClient]:
    with AcontextClient(api_key=stack.token, base_url=f"{stack.base_url}/api/v1") as client:
        yield client


def until(ask: Callable[[], T], good: Callable[[T], bool]) -> T:
    """Ask until the answer is good."""
    deadline = time.monotonic() + DEADLINE
    while not good(answer := ask()):
        assert time.monotonic() < deadline, f"the last answer was {answer!r}"
        time.sleep(0.05)
    return answer


def talk(client: AcontextClient, messages: list[Message], space_id: str | None = None) -> str:
    session = client.sessions.create(space_id=space_id)
    for message in messages:
        client.sessions.send_message(session.id, blob=message, format="openai")
    return session.id


def bearer(stack: Stack) -> dict[str, str]:
    return {"Authorization": f"Bearer {stack.token}"}


def learned(client: AcontextClient, session_id: str) -> LearningStatus:
    return until(
        lambda: client.sessions.get_learning_status(session_id),
        lambda status: status.space_digested_count > 0 and status.not_space_digested_count == 0,
    )


def assert_is_planned(tasks: list[Task], messages: list[Message]) -> None:
    """Assert that the three steps are there, the first in work, with what the user wants."""
    [plan] = [text for message in messages if (text := message["content"] or "").count("\n") > 1]
    assert [task.order for task in tasks] == [1, 2, 3]
    assert all(task.data.task_description in plan for task in tasks)
    assert [task.status for task in tasks] == ["running", "pending", "pending"]
    assert any("search_news" in progress for progress in tasks[0].data.progresses or [])
    wishes = [wish for task in tasks for wish in task.data.user_preferences or []]
    assert len(wishes) == 1
    assert "report" in wishes[0]
    assert "before" in wishes[0]


class TestSession:
    @pytest.mark.parametrize("messages", [PHONE, COFFEE, GYM], ids=["phone", "coffee", "gym"])
    def test_a_plan_that_was_agreed_to_becomes_tasks(self, client: AcontextClient, messages: list[Message]) -> None:
        session_id = talk(client, messages)
        assert client.sessions.get_messages(session_id, format="openai").items == messages
        assert client.sessions.flush(session_id) == {"status": 200, "errmsg": ""}
        assert_is_planned(client.sessions.get_tasks(session_id).items, messages)

    def test_every_message_can_be_read_right_after_it_was_sent(self, client: AcontextClient) -> None:
        session = client.sessions.create(configs={"agent": "builder"})
        for count, message in enumerate(PHONE_TO_THE_END, start=1):
            sent = client.sessions.send_message(session.id, blob=message)
            page = client.sessions.get_messages(session.id, limit=1, time_desc=True, format="acontext")
            assert page.items[0]["id"] == sent.id
            assert len(client.sessions.get_messages(session.id).items) == count
        assert client.sessions.get_messages(session.id).items == PHONE_TO_THE_END
        assert client.sessions.get_configs(session.id).configs == {"agent": "builder"}

    def test_pages_put_together_are_the_conversation(self, client: AcontextClient) -> None:
        session_id = talk(client, PHONE_TO_THE_END)
        read: list[Message] = []
        cursor = None
        while True:
            page = client.sessions.get_messages(session_id, limit=5, cursor=cursor)
            read += page.items
            if not page.has_more:
                break
            cursor = page.next_cursor
        assert read == PHONE_TO_THE_END

    def test_every_form_of_content_comes_back_as_it_was_sent(self, client: AcontextClient) -> None:
        messages: list[Message] = [
            {"role": "developer", "content": "Answer briefly."},
            {
                "role": "user",
                "name": "kim",
                "content": [
                    {"type": "text", "text": "What is on this picture? 寿司 🍣"},
                    {"type": "image_url", "image_url": {"url": "https://images.example/1.png", "detail": "low"}},
                ],
            },
            {"role": "assistant", "content": "", "tool_calls": [call("a", "look", at=1), call("b", "look", at=2)]},
            {"role": "tool", "tool_call_id": "b", "content": "second"},
            {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "first"}]},
            {"role": "assistant", "content": "x" * 400_000},
        ]
        assert client.sessions.get_messages(talk(client, messages)).items == messages

    def test_a_new_session_is_listed_until_it_is_deleted(self, client: AcontextClient) -> None:
        space = client.spaces.create()
        session_id = talk(client, PHONE[:1], space.id)
        assert [one.id for one in client.sessions.list(space_id=space.id).items] == [session_id]
        client.sessions.delete(session_id)
        assert client.sessions.list(space_id=space.id).items == []
        with pytest.raises(APIError) as refused:
            client.sessions.get_messages(session_id)
        assert refused.value.status_code == 404


class TestSpace:
    def test_a_finished_task_becomes_a_skill_that_is_found_by_other_words(self, client: AcontextClient) -> None:
        space = client.spaces.create(configs={"for": "phones"})
        session_id = talk(client, PHONE_TO_THE_END, space.id)
        client.sessions.flush(session_id)
        tasks = client.sessions.get_tasks(session_id).items
        assert [task.status for task in tasks] == ["success"] * 3
        assert learned(client, session_id).space_digested_count == 3
        assert all(task.space_digested for task in client.sessions.get_tasks(session_id).items)
        found = client.spaces.experience_search(space.id, query=IN_OTHER_WORDS, mode="fast").cited_blocks[0]
        assert found.type == "sop"
        assert found.distance is not None
        assert 0 <= found.distance < 1
        assert {"search_news", "fetch_article"} <= {step["tool_name"] for step in found.props["tool_sops"]}
        assert "report to me before any coding" in found.props["preferences"]

    def test_a_skill_lies_on_a_page_of_the_space(self, client: AcontextClient) -> None:
        space = client.spaces.create()
        session_id = talk(client, PHONE_TO_THE_END, space.id)
        client.sessions.flush(session_id)
        learned(client, session_id)
        pages = client.blocks.list(space.id)
        assert {page.type for page in pages} == {"page"}
        skills = [skill for page in pages for skill in client.blocks.list(space.id, parent_id=page.id)]
        assert skills
        assert {skill.type for skill in skills} == {"sop"}
        assert space.id in [one.id for one in client.spaces.list(time_desc=True).items]

    def test_everything_that_an_engine_made_says_which(self, client: AcontextClient, stack: Stack) -> None:
        space = client.spaces.create()
        session_id = talk(client, PHONE_TO_THE_END, space.id)
        client.sessions.flush(session_id)
        learned(client, session_id)

        def said(path: str, **params: str) -> Any:
            """Ask past the SDK, which leaves out what it does not know."""
            answer = httpx.get(f"{stack.base_url}/api/v1{path}", params=params, headers=bearer(stack))
            return answer.raise_for_status().json()["data"]

        [page, *_] = said(f"/space/{space.id}/block")
        made = [
            *said(f"/session/{session_id}/task")["items"],
            *said(f"/session/{session_id}/lessons")["items"],
            *said(f"/space/{space.id}/block", parent_id=page["id"]),
            *said(f"/space/{space.id}/experience_search", query=IN_OTHER_WORDS)["cited_blocks"],
        ]
        assert page["engine"] is None
        assert {one["engine"] for one in made} == {"rules"}

    def test_a_session_that_is_connected_later_teaches_what_it_had_finished(self, client: AcontextClient) -> None:
        space = client.spaces.create()
        session_id = talk(client, PHONE_TO_THE_END)
        client.sessions.flush(session_id)
        status = client.sessions.get_learning_status(session_id)
        assert (status.space_digested_count, status.not_space_digested_count) == (0, 0)
        client.sessions.connect_to_space(session_id, space_id=space.id)
        assert client.sessions.get_configs(session_id).space_id == space.id
        assert learned(client, session_id).space_digested_count == 3
        assert client.spaces.experience_search(space.id, query=IN_OTHER_WORDS).cited_blocks

    def test_a_space_that_has_learned_nothing_finds_nothing(self, client: AcontextClient) -> None:
        assert client.spaces.experience_search(client.spaces.create().id, query=IN_OTHER_WORDS).cited_blocks == []


class TestDisk:
    def test_a_file_is_listed_read_and_downloaded(self, client: AcontextClient) -> None:
        disk = client.disks.create()
        assert disk.id in [one.id for one in client.disks.list(time_desc=True).items]
        text = "# Report\n\nTitanium, says 新聞.\n"
        client.disks.artifacts.upsert(
            disk.id,
            file=FileUpload(filename="report.md", content=text.encode(), content_type="text/markdown"),
            file_path="/reports/phones/",
            meta={"by": "builder"},
        )
        listed = client.disks.artifacts.list(disk.id, path="/reports/phones/")
        assert [(file.path, file.filename) for file in listed.artifacts] == [("/reports/phones/", "report.md")]
        assert client.disks.artifacts.list(disk.id, path="/").directories == ["reports"]
        got = client.disks.artifacts.get(
            disk.id, file_path="/reports/phones/", filename="report.md", with_content=True, with_public_url=True
        )
        assert got.artifact.meta["by"] == "builder"
        assert got.content is not None
        assert (got.content.type, got.content.raw) == ("text", text)
        assert got.public_url is not None
        download = httpx.get(got.public_url)
        assert download.content == text.encode()
        assert download.headers["content-type"] == "text/markdown"

    def test_what_was_replaced_or_deleted_is_gone(self, client: AcontextClient) -> None:
        disk, artifacts = client.disks.create(), client.disks.artifacts
        for text in (b"first", b"second"):
            artifacts.upsert(disk.id, file=("note.txt", text), file_path="/")
        got = artifacts.get(disk.id, file_path="/", filename="note.txt")
        assert got.content is not None
        assert got.content.raw == "second"
        assert len(artifacts.list(disk.id, path="/").artifacts) == 1
        artifacts.delete(disk.id, file_path="/", filename="note.txt")
        assert artifacts.list(disk.id, path="/").artifacts == []
        with pytest.raises(APIError) as refused:
            artifacts.get(disk.id, file_path="/", filename="note.txt")
        assert refused.value.status_code == 404
        client.disks.delete(disk.id)
        assert disk.id not in [one.id for one in client.disks.list(limit=200).items]


class TestAccess:
    def test_a_known_key_gets_a_pong_and_another_is_unauthorized(self, client: AcontextClient, stack: Stack) -> None:
        assert client.ping() == "pong"
        with (
            AcontextClient(api_key="sk-ac-nobody", base_url=f"{stack.base_url}/api/v1") as stranger,
            pytest.raises(APIError) as refused,
        ):
            stranger.sessions.list()
        assert refused.value.status_code == 401


class TestAsyncClient:
    async def test_the_way_from_a_conversation_to_a_hit_is_the_same(self, stack: Stack) -> None:
        async with AcontextAsyncClient(api_key=stack.token, base_url=f"{stack.base_url}/api/v1") as client:
            space = await client.spaces.create()
            session = await client.sessions.create(space_id=space.id)
            for message in PHONE:
                await client.sessions.send_message(session.id, blob=message, format="openai")
            assert (await client.sessions.get_messages(session.id, format="openai")).items == PHONE
            await client.sessions.flush(session.id)
            assert_is_planned((await client.sessions.get_tasks(session.id)).items, PHONE)
            for message in PHONE_TO_THE_END[len(PHONE) :]:
                await client.sessions.send_message(session.id, blob=message, format="openai")
            await client.sessions.flush(session.id)
            deadline = time.monotonic() + DEADLINE
            while (await client.sessions.get_learning_status(session.id)).not_space_digested_count:
                assert time.monotonic() < deadline
            found = await client.spaces.experience_search(space.id, query=IN_OTHER_WORDS)
            assert found.cited_blocks
            disk = await client.disks.create()
            await client.disks.artifacts.upsert(disk.id, file=("a.txt", b"text"), file_path="/")
            got = await client.disks.artifacts.get(disk.id, file_path="/", filename="a.txt")
            assert got.content is not None
            assert got.content.raw == "text"
