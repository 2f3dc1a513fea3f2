import asyncio
import json
from collections.abc import AsyncGenerator

import pytest
import structlog
from starlette.types import Message

from craftlog.contracts.envelope import UndecodableError
from craftlog.gateway.answers import Streamed, answer, answer_to
from craftlog.gateway.decider.refusals import AbsentError, ReusedKeyError, TooManyKeysError
from craftlog.gateway.errors import InvalidError, SilentError, TooLargeError, TooManyRequestsError, UnauthorizedError
from craftlog.runtime.errors import RefusedError, UnavailableError

POINTER = "our log says more under trace"


class TestAnswer:
    def test_has_data_only_where_there_is_some(self):
        assert json.loads(answer().body) == {"code": 0, "msg": ""}
        assert json.loads(answer(None).body) == {"code": 0, "data": None, "msg": ""}

    def test_says_where_a_read_model_stands_still(self):
        assert answer([], stalled=3).headers["craftlog-stalled"] == "3"
        assert "craftlog-stalled" not in answer([]).headers


class TestStreamed:
    @pytest.mark.parametrize("taken", [1, 3])
    async def test_closes_what_it_comes_from_when_the_client_hangs_up(self, taken: int):
        async def endless() -> AsyncGenerator[bytes, None]:
            try:
                while True:
                    yield b"piece"
            finally:
                closed.set()

        async def receive() -> Message:
            await hung_up.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)
            if len(sent) >= taken:
                hung_up.set()
                await asyncio.Event().wait()

        closed, hung_up, sent = asyncio.Event(), asyncio.Event(), list[Message]()
        pieces = endless()
        await anext(pieces)
        await Streamed(pieces, {})({"type": "http"}, receive, send)
        assert closed.is_set()


class TestAnswerTo:
    @pytest.mark.parametrize(
        ("error", "status", "msg", "name"),
        [
            (InvalidError("blob.role", "is odd"), 400, "blob.role: is odd", "bad_request"),
            (UnauthorizedError(), 401, "Unauthorized", "unauthorized"),
            (AbsentError("there is none"), 404, "there is none", "not_found"),
            (ReusedKeyError("used before"), 409, "Idempotency-Key: used before", "conflict"),
            (TooManyKeysError("revoke one"), 409, "revoke one", "conflict"),
            (
                TooManyRequestsError(0.2),
                429,
                "this key has sent too many requests; the next one is",
                "too_many_requests",
            ),
            (SilentError(30), 408, "body: nothing came for 30 s before its end; send", "request_timeout"),
            (TooLargeError("body: too much"), 413, "body: too much", None),
            (UnavailableError("not now"), 503, "not now", "service_unavailable"),
            (RefusedError("MongoDB refuses", "secret"), 503, f"MongoDB refuses ({POINTER}", "service_unavailable"),
            (UndecodableError("secret"), 503, f"what the log holds of this cannot be read ({POINTER}", None),
            (KeyError("secret"), 500, f"something broke here ({POINTER}", "internal_server_error"),
        ],
    )
    def test_gives_every_error_its_status_and_name(self, error, status, msg, name):
        response = answer_to(error)
        said = json.loads(response.body)
        assert (response.status_code, said["code"]) == (status, status)
        assert said["msg"].startswith(msg)
        assert "secret" not in response.body.decode()
        assert said["error"] == name or name is None

    def test_says_when_to_ask_again(self):
        assert answer_to(UnavailableError("not now")).headers["retry-after"] == "1"
        assert [answer_to(TooManyRequestsError(wait)).headers["retry-after"] for wait in (1e-9, 1, 1.1)] == [
            "1",
            "1",
            "2",
        ]

    def test_keeps_the_words_of_a_store_for_our_log_under_the_trace_that_the_client_is_told(self):
        with structlog.testing.capture_logs() as logged:
            said = json.loads(answer_to(UnavailableError("S3 cannot be reached", OSError("10.1.2.3"))).body)["msg"]
        [line] = logged
        assert line["reason"] == "S3 cannot be reached: 10.1.2.3"
        assert said == f"S3 cannot be reached ({POINTER} {line['trace_id']})"
