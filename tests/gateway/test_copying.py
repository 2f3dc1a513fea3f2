"""A copied session: equal in all but ids, of its own in all, and there as a whole or not at all."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.gateway.clients import Api

from craftlog.contracts.envelope import event_id
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.copying import abandon, copy_session
from craftlog.gateway.decider.refusals import ReusedKeyError
from craftlog.gateway.decider.session import Session
from craftlog.gateway.decider.session_commands import Command, CopyMessages
from craftlog.gateway.errors import MissingError
from craftlog.gateway.handlers import Gateway
from craftlog.runtime.desk import Decided, Desk
from craftlog.runtime.objects import prefix_of
from craftlog.testing.waiting import until

PICTURE = b"\x89PNG" + bytes(range(256)) * 50
LONG = "all of it " * 40_000
LATER = datetime.max.replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def api(http: httpx.Client) -> Api:
    return Api(http)


def filled(api: Api, texts: Sequence[str], **more: Any) -> str:
    session: str = api.post("/session", json=more, expect=201)["id"]
    blobs = [{"role": "user", "content": text} for text in texts]
    for start in range(0, len(blobs), 500):
        api.post(f"/session/{session}/messages/batch", json={"blobs": blobs[start : start + 500]}, expect=201)
    return session


def show(api: Api, session: str, name: str, data: bytes) -> None:
    """Append a message with a picture."""
    part = {"type": "image", "file_field": "f"}
    payload = {"format": "acontext", "blob": {"role": "user", "parts": [part, {"type": "text", "text": "this"}]}}
    form = {"payload": json.dumps(payload)}
    answer = api.http.post(f"/api/v1/session/{session}/messages", data=form, files={"f": (name, data, "image/png")})
    assert answer.status_code == 201, answer.text


def copied(api: Api, session: str, **headers: str) -> str:
    made = api.post(f"/session/{session}/copy", expect=201, **headers)
    assert made["old_session_id"] == session
    new: str = made["new_session_id"]
    return new


def said(api: Api, session: str) -> list[Any]:
    items: list[Any] = api.get(f"/session/{session}/messages")["items"]
    return items


class TestCopy:
    def test_has_the_same_messages_and_configs_under_ids_of_its_own(self, api: Api) -> None:
        session = filled(api, ["one", LONG, "three"], configs={"a": {"b": None}}, disable_task_tracking=True)
        show(api, session, "a.png", PICTURE)
        new = copied(api, session)
        assert said(api, new)[:3] == said(api, session)[:3]
        old, made = api.get(f"/session/{session}/configs"), api.get(f"/session/{new}/configs")
        assert (made["configs"], made["disable_task_tracking"]) == (old["configs"], True)
        assert made["created_at"] > old["created_at"]
        before, after = api.messages(session), api.messages(new)
        assert not {one["id"] for one in before} & {one["id"] for one in after}
        assert [one["parent_id"] for one in after] == [None, *(one["id"] for one in after[:-1])]
        assert new in [one["id"] for one in api.get("/session", limit=200, time_desc=True)["items"]]

    def test_keeps_its_files_when_the_original_is_gone(self, api: Api) -> None:
        session = filled(api, [LONG])
        show(api, session, "a.png", PICTURE)
        new = copied(api, session)
        api.delete(f"/session/{session}")
        page = api.get(f"/session/{new}/messages", format="acontext")
        assert page["items"][0]["parts"][0]["text"] == LONG
        asset = page["items"][1]["parts"][0]["asset"]
        assert f"/session/{new}/" in asset["s3_key"]
        assert httpx.get(page["public_urls"][asset["sha256"]]["url"]).content == PICTURE

    def test_goes_on_by_itself(self, api: Api) -> None:
        session = filled(api, ["Please book a flight."])
        new = copied(api, session)
        api.append(new, "To Rome.")
        api.post(f"/session/{new}/flush")
        assert len(said(api, session)) == 1
        assert api.get(f"/session/{new}/observing_status")["observed"] == 2

    def test_has_no_space_so_that_nothing_is_learned_twice(self, api: Api) -> None:
        session = filled(api, ["one"], space_id=api.make("space"))
        assert api.get(f"/session/{copied(api, session)}/configs")["space_id"] is None

    def test_of_an_empty_session_is_empty(self, api: Api) -> None:
        assert said(api, copied(api, api.make("session"))) == []

    def test_of_none_is_refused(self, api: Api) -> None:
        api.post(f"/session/{uuid4()}/copy", expect=404)

    def test_with_a_key_is_made_once(self, api: Api) -> None:
        session, key = filled(api, ["one"]), {"Idempotency-Key": "k"}
        new = copied(api, session, **key)
        api.append(session, "two")
        assert copied(api, session, **key) == new
        assert len(said(api, new)) == 1
        api.delete(f"/session/{new}")
        api.post(f"/session/{session}/copy", expect=409, **key)
        assert copied(api, session) != new


class KilledError(Exception):
    """The process ends here, as far as this coroutine is concerned."""


class Mortal:
    """A desk whose process dies when it is called once more than so often."""

    def __init__(self, desk: Desk[Session, Command], calls: int) -> None:
        self._desk = desk
        self._left = calls

    async def transact(self, address: Address, commands: Sequence[Command], *, cause: str) -> Decided[Session]:
        if self._left == 0:
            raise KilledError
        self._left -= 1
        return await self._desk.transact(address, commands, cause=cause)


@pytest.fixture(scope="module")
def rich(http: httpx.Client) -> str:
    """Give a session that takes three decisions to copy, each with something in the bucket."""
    api = Api(http)
    session = filled(api, [LONG, *map(str, range(300)), LONG + "again", *map(str, range(200))])
    show(api, session, "a.png", PICTURE)
    return session


class TestBrokenCopy:
    @pytest.fixture
    def source(self, api: Api, rich: str) -> Address:
        return Address(Kind.SESSION, api.get(f"/session/{rich}/configs")["project_id"], rich)

    async def killed(self, beside: Gateway, source: Address, decisions: int) -> tuple[Address, str]:
        """Begin a copy in a process that dies over it; return what was to be the copy, and its key."""
        key = str(uuid4())
        mortal = replace(beside, sessions=Mortal(beside.sessions, decisions))  # type: ignore[arg-type] # all that is used
        with pytest.raises(KilledError):
            await copy_session(mortal, source, key)
        return Address(Kind.SESSION, source.project, event_id(source.subject, "POST copy", key)), key

    @pytest.mark.parametrize("decisions", [0, 1, 2, 3])
    async def test_is_not_there_and_leaves_nothing_behind(
        self, api: Api, beside: Gateway, source: Address, decisions: int
    ) -> None:
        new, _ = await self.killed(beside, source, decisions)
        await asyncio.to_thread(expect_nothing_of, api, new.id)
        await abandon(beside, LATER)
        await asyncio.to_thread(expect_nothing_of, api, new.id)
        await until(lambda: is_erased(beside, new))
        assert new.id not in [one["_id"] for one in await beside.reads.copies(LATER)]

    @pytest.mark.parametrize("decisions", [0, 1, 2, 3])
    async def test_is_completed_by_the_next_request_with_its_key(
        self, api: Api, beside: Gateway, source: Address, decisions: int
    ) -> None:
        new, key = await self.killed(beside, source, decisions)
        made = await asyncio.to_thread(copied, api, source.id, **{"Idempotency-Key": key})
        assert made == new.id
        await abandon(beside, LATER)
        *texts, picture = await asyncio.to_thread(said, api, new.id)
        assert texts == (await asyncio.to_thread(said, api, source.id))[:-1]
        assert (await asyncio.to_thread(httpx.get, picture["content"][0]["image_url"]["url"])).content == PICTURE

    async def test_is_complete_though_a_second_request_with_its_key_cut_it_in_other_places(
        self, api: Api, beside: Gateway, source: Address
    ) -> None:
        class Shared(Mortal):
            async def transact(self, address: Address, commands: Sequence[Command], *, cause: str) -> Decided[Session]:
                match commands:
                    case [CopyMessages(after=0, messages=messages)]:
                        other = CopyMessages(0, messages[:1])
                        await super().transact(address, [other], cause="the second request")
                return await super().transact(address, commands, cause=cause)

        shared = replace(beside, sessions=Shared(beside.sessions, 99))  # type: ignore[arg-type] # all that is used
        new = await copy_session(shared, source, str(uuid4()))
        assert (await asyncio.to_thread(said, api, new))[:-1] == (await asyncio.to_thread(said, api, source.id))[:-1]

    async def test_is_given_up_only_after_a_while(self, beside: Gateway, source: Address) -> None:
        new, key = await self.killed(beside, source, 2)
        await abandon(beside, datetime.now(UTC) - timedelta(minutes=15))
        assert await copy_session(beside, source, key) == new.id

    async def test_whose_key_comes_again_after_that_is_refused(self, beside: Gateway, source: Address) -> None:
        _, key = await self.killed(beside, source, 2)
        await abandon(beside, LATER)
        with pytest.raises(ReusedKeyError):
            await copy_session(beside, source, key)

    async def test_that_goes_on_although_it_was_given_up_puts_nothing_more(
        self, beside: Gateway, source: Address
    ) -> None:
        key = str(uuid4())
        new = Address(Kind.SESSION, source.project, event_id(source.subject, "POST copy", key))

        class Undercut(Mortal):
            async def transact(self, address: Address, commands: Sequence[Command], *, cause: str) -> Decided[Session]:
                decided = await super().transact(address, commands, cause=cause)
                if decided.state.messages:
                    await until(lambda: beside.reads.copies(LATER))
                    await abandon(beside, LATER)
                    await until(lambda: is_erased(beside, new))
                return decided

        slow = replace(beside, sessions=Undercut(beside.sessions, 9))  # type: ignore[arg-type] # all that is used
        with pytest.raises(MissingError, match="the copy: "):
            await copy_session(slow, source, key)
        assert await is_erased(beside, new)


def expect_nothing_of(api: Api, session: str) -> None:
    for path in ("configs", "messages", "task", "lessons", "observing_status", "token_counts", "get_learning_status"):
        api.get(f"/session/{session}/{path}", expect=404)
    for path in ("flush", "copy"):
        api.post(f"/session/{session}/{path}", expect=404)
    api.append(session, "x", expect=404)
    api.put(f"/session/{session}/configs", json={"configs": {}}, expect=404)
    api.delete(f"/session/{session}", expect=404)
    assert session not in [one["id"] for one in api.get("/session", limit=200, time_desc=True)["items"]]


async def is_erased(gateway: Gateway, session: Address) -> bool:
    events = [recorded async for recorded in gateway.log.read(session)]
    bucket = gateway.objects
    objects = bucket._client.list_objects(bucket_name=bucket.bucket, prefix=prefix_of(session), recursive=True)
    return all(one.is_tombstone for one in events) and not list(objects)


class TestLargeCopy:
    @pytest.fixture(scope="class")
    @staticmethod
    def large(http: httpx.Client) -> str:
        """Give a session with as many messages as may be copied."""
        return filled(Api(http), [str(number) for number in range(5000)], disable_task_tracking=True)

    def test_is_equal_over_more_messages_than_one_decision_holds(self, api: Api, large: str) -> None:
        assert said(api, copied(api, large)) == said(api, large)

    def test_of_one_more_is_refused(self, api: Api, large: str) -> None:
        api.append(large, "one more")
        refused = api.http.post(f"/api/v1/session/{large}/copy")
        assert (refused.status_code, "5001 messages" in refused.json()["msg"]) == (413, True)
