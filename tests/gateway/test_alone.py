"""A gateway with nothing but the log: what was said can still be written, and it says what it cannot do."""

import time
from pathlib import Path

from tests.gateway.clients import Api
from tests.gateway.conftest import NOWHERE, PATIENCE, Serve

from craftlog.gateway.auth import DEFAULT_TOKEN
from craftlog.testing.servers import nats_server


class TestWithoutReadModels:
    def test_sessions_are_created_and_messages_appended_all_the_same(self, serve: Serve, nats_url: str) -> None:
        api = Api(serve(DEFAULT_TOKEN, nats_url=nats_url, mongo_url=NOWHERE, s3_endpoint="127.0.0.1:9"))
        session = api.make("session")
        first = api.append(session, "hello", **{"Idempotency-Key": "one"})
        assert api.append(session, "there")["parent_id"] == first["id"]
        beside = Api(serve(DEFAULT_TOKEN, nats_url=nats_url, mongo_url=NOWHERE, s3_endpoint="127.0.0.1:9"))
        assert beside.append(session, "again")["parent_id"] is not None

    def test_reads_and_large_bodies_say_when_to_ask_again(self, serve: Serve, nats_url: str) -> None:
        api = Api(serve(DEFAULT_TOKEN, nats_url=nats_url, mongo_url=NOWHERE, s3_endpoint="127.0.0.1:9"))
        session = api.make("session")
        answers = [
            api.http.get(f"/api/v1/session/{session}/messages"),
            api.http.get("/api/v1/session"),
            api.http.get(f"/api/v1/space/{api.make('space')}/experience_search?query=x"),
            api.http.post(
                f"/api/v1/session/{session}/messages", json={"blob": {"role": "user", "content": "x" * 300_000}}
            ),
        ]
        assert [answer.status_code for answer in answers] == [503] * 4
        assert all(answer.headers["retry-after"] for answer in answers)

    def test_edits_say_at_once_that_nobody_makes_them(self, serve: Serve, nats_url: str) -> None:
        api = Api(serve(DEFAULT_TOKEN, nats_url=nats_url, mongo_url=NOWHERE, s3_endpoint="127.0.0.1:9"))
        renames = {"rename": [{"old_name": "a", "new_name": "b"}]}
        for answer in (
            api.http.post(f"/api/v1/space/{api.make('space')}/block", json={"type": "page"}),
            api.http.put("/api/v1/tool/name", json=renames),
        ):
            assert (answer.status_code, answer.json()["msg"]) == (503, "the learner service is not running")
            assert answer.headers["retry-after"]

    def test_health_names_what_is_missing(self, serve: Serve, nats_url: str) -> None:
        http = serve(DEFAULT_TOKEN, nats_url=nats_url, mongo_url=NOWHERE, s3_endpoint="127.0.0.1:9")
        answer = http.get("/health")
        assert answer.status_code == 503
        for name in ("gateway: mongo", "gateway: s3", "service ingest", "service search"):
            assert name in answer.json()["msg"]


class TestWithoutTheLog:
    def test_writes_are_refused_until_it_is_back(self, serve: Serve, tmp_path: Path) -> None:
        with nats_server(tmp_path) as server:
            api = Api(serve(DEFAULT_TOKEN, nats_url=server.url, mongo_url=NOWHERE, s3_endpoint="127.0.0.1:9"))
            session = api.make("session")
            server.kill()
            answer = api.http.post(
                f"/api/v1/session/{session}/messages", json={"blob": {"role": "user", "content": "lost?"}}
            )
            assert answer.status_code == 503
            assert "log" in answer.json()["msg"]
            server.start()
            deadline = time.monotonic() + PATIENCE
            while api.http.get("/health").json()["data"]["services"]["gateway"]["dependencies"]["nats"]:
                assert time.monotonic() < deadline, "it does not find the log again"
            api.append(session, "hello")
