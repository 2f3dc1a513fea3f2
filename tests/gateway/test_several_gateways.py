"""Gateways beside each other on one log: none of them knows what the others have in memory."""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from uuid import uuid4

import httpx
import nats
import pytest
from tests.gateway.clients import Api
from tests.gateway.conftest import Serve, client

from craftlog.contracts.events import MessageAppended
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.auth import DEFAULT_PROJECT
from craftlog.runtime.log import Log
from craftlog.testing.stack import Stack

OTHER_PROJECT = "00000000-0000-4000-8000-000000000002"


def settings(stack: Stack, more: Mapping[str, str] | None = None) -> dict[str, str]:
    named = {**stack.env, **(more or {})}
    return {name.removeprefix("CRAFTLOG_").lower(): value for name, value in named.items()}


@pytest.fixture
def api(http: httpx.Client) -> Api:
    return Api(http)


@pytest.fixture
def beside(serve: Serve, stack: Stack) -> Api:
    """Give a second gateway of the same project."""
    return Api(serve(stack.token, **settings(stack)))


class TestIdempotencyKey:
    def test_makes_one_session_however_often_it_is_sent(self, api: Api, beside: Api) -> None:
        key = {"Idempotency-Key": str(uuid4())}
        first = api.post("/session", json={"configs": {"a": 1, "b": 2}}, expect=201, **key)
        assert api.post("/session", json={"configs": {"b": 2, "a": 1}}, expect=201, **key)["id"] == first["id"]
        again = beside.post("/session", json={"configs": {"a": 1, "b": 2}}, expect=201, **key)
        assert again["id"] == first["id"]
        for gateway in (api, beside):
            gateway.post("/session", json={"configs": {"a": 3}}, expect=409, **key)

    def test_appends_one_message_however_often_it_is_sent(self, api: Api, beside: Api) -> None:
        session, key = api.make("session"), {"Idempotency-Key": "one"}
        api.append(session, "zero")
        first = api.append(session, "hello", **key)
        for gateway in (api, beside, beside, api):
            assert gateway.append(session, "hello", **key) == first
            gateway.append(session, "something else", expect=409, **key)
        assert [message["id"] for message in beside.messages(session)][1:] == [first["id"]]

    def test_belongs_to_one_session(self, api: Api) -> None:
        ids = {api.append(api.make("session"), "hello", **{"Idempotency-Key": "one"})["id"] for _ in range(2)}
        assert len(ids) == 2

    def test_holds_when_the_same_is_sent_many_times_at_once(self, api: Api, beside: Api) -> None:
        session = api.make("session")
        with ThreadPoolExecutor(16) as threads:
            sent = [
                threads.submit(gateway.append, session, "hello", **{"Idempotency-Key": f"key-{number}"})
                for number in range(4)
                for gateway in (api, beside) * 4
            ]
            ids = {one.result()["id"] for one in sent}
        assert {message["id"] for message in api.messages(session)} == ids
        assert len(api.messages(session)) == 4


class TestOneSession:
    def test_written_by_two_gateways_at_once_loses_and_doubles_nothing(self, api: Api, beside: Api) -> None:
        session = api.make("session")
        with ThreadPoolExecutor(16) as threads:
            sent = [
                threads.submit(gateway.append, session, str(number))
                for number in range(40)
                for gateway in (api, beside)
            ]
            ids = {one.result()["id"] for one in sent}
        stored = api.messages(session)
        assert len(stored) == len(ids) == 80
        assert {message["id"] for message in stored} == ids
        assert all(after["parent_id"] == before["id"] for before, after in pairwise(stored))

    def test_deleted_by_another_gateway_is_gone_here_too(self, api: Api, beside: Api) -> None:
        session = api.make("session")
        api.append(session, "hello")
        beside.delete(f"/session/{session}")
        api.append(session, "hello", expect=404)


class TestKey:
    def test_issued_by_one_opens_the_other_at_once_and_is_refused_there_within_a_second_of_its_end(
        self, serve: Serve, stack: Stack
    ) -> None:
        beside = serve(stack.token, **settings(stack, stack.gateway_env))
        urls = [stack.base_url, str(beside.base_url)]
        for issuer, other in (urls, urls[::-1]):
            with client(issuer, stack.admin_token) as http:
                admin = Api(http, "/admin/v1/project")
                project = admin.post("", 201, {"name": "research"})["id"]
                issued = [admin.post(f"/{project}/key", 201, {"name": "crawler"}) for _ in range(2)]
                holders = [Api(client(url, key["key"])) for key in issued for url in (other, issuer)]
                for holder in holders:
                    holder.append(holder.make("session"), "hello")
                admin.delete(f"/{project}/key/{issued[0]['id']}")
                elsewhere, here, *kept = holders
                here.get("/ping", expect=401)
                await_refusal(elsewhere)
                for holder in kept:
                    holder.get("/ping")
                for holder in holders:
                    holder.http.close()


def await_refusal(holder: Api) -> None:
    deadline = time.monotonic() + 1
    while holder.http.get("/api/v1/ping").status_code != 401:
        assert time.monotonic() < deadline, "the key still opens"


class TestOtherProject:
    def test_sees_and_changes_nothing_of_this_one(self, api: Api, serve: Serve, stack: Stack) -> None:
        tokens = f'{{"sk-ac-other": "{OTHER_PROJECT}"}}'
        other = Api(serve("sk-ac-other", tokens=tokens, **settings(stack)))
        session, space, disk = api.make("session"), api.make("space"), api.make("disk")
        api.append(session, "hello")
        api.upload(disk, "a.txt", b"hello")
        for path in (
            f"/session/{session}/configs",
            f"/session/{session}/messages",
            f"/session/{session}/task",
            f"/session/{session}/lessons",
            f"/session/{session}/get_learning_status",
            f"/space/{space}/block",
            f"/space/{space}/experience_search?query=x",
            f"/disk/{disk}/artifact/ls",
            f"/disk/{disk}/artifact?file_path=/a.txt",
        ):
            other.get(path, expect=404)
        other.append(session, "x", expect=404)
        other.post(f"/session/{session}/flush", expect=404)
        other.post(f"/session/{session}/connect_to_space", json={"space_id": space}, expect=404)
        other.post("/session", json={"space_id": space}, expect=404)
        for path in (f"/session/{session}", f"/disk/{disk}", f"/disk/{disk}/artifact?file_path=/a.txt"):
            other.delete(path, expect=404)
        for kind in ("session", "space", "disk"):
            assert other.get(f"/{kind}") == {"items": [], "has_more": False}
        assert len(api.messages(session)) == 1
        assert api.get(f"/session/{session}/configs")["space_id"] is None
        assert len(api.get(f"/disk/{disk}/artifact/ls")["artifacts"]) == 1


class TestHealth:
    def test_names_a_service_that_does_not_answer(self, serve: Serve, stack: Stack) -> None:
        http = serve(stack.token, **settings(stack), expected_services="ingest,ghost")
        answer = http.get("/health")
        assert answer.status_code == 503
        assert answer.json()["msg"] == "service ghost does not answer"


class TestTrace:
    async def test_of_a_request_is_that_of_the_event_it_causes(self, http: httpx.Client, stack: Stack) -> None:
        trace = "0af7651916cd43dd8448eb211c80319c"
        session = Api(http).make("session")
        answer = await asyncio.to_thread(
            http.post,
            f"/api/v1/session/{session}/messages",
            json={"blob": {"role": "user", "content": "hello"}},
            headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"},
        )
        assert answer.headers["x-trace-id"] == trace
        client = await nats.connect(stack.env["CRAFTLOG_NATS_URL"])
        recorded = [one async for one in Log(client).read(Address(Kind.SESSION, DEFAULT_PROJECT, session))]
        await client.close()
        assert isinstance(recorded[-1].event, MessageAppended)
        assert recorded[-1].traceparent is not None
        assert recorded[-1].traceparent.split("-")[1] == trace
