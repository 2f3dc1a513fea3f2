import json

import pytest

from craftlog.contracts.envelope import UndecodableError
from craftlog.gateway.answers import answer, answer_to
from craftlog.gateway.decider.refusals import AbsentError, ReusedKeyError
from craftlog.gateway.errors import InvalidError, TooLargeError, UnauthorizedError
from craftlog.runtime.errors import UnavailableError


class TestAnswer:
    def test_has_data_only_where_there_is_some(self):
        assert json.loads(answer().body) == {"code": 0, "msg": ""}
        assert json.loads(answer(None).body) == {"code": 0, "data": None, "msg": ""}

    def test_says_where_a_read_model_stands_still(self):
        assert answer([], stalled=3).headers["craftlog-stalled"] == "3"
        assert "craftlog-stalled" not in answer([]).headers


class TestAnswerTo:
    @pytest.mark.parametrize(
        ("error", "status", "msg", "name"),
        [
            (InvalidError("blob.role", "is odd"), 400, "blob.role: is odd", "bad_request"),
            (UnauthorizedError("who?"), 401, "who?", "unauthorized"),
            (AbsentError("there is none"), 404, "there is none", "not_found"),
            (ReusedKeyError("used before"), 409, "Idempotency-Key: used before", "conflict"),
            (TooLargeError("body: too much"), 413, "body: too much", None),
            (UnavailableError("not now"), 503, "not now", "service_unavailable"),
            (UndecodableError("a broken event"), 503, "a broken event", "service_unavailable"),
            (KeyError("our mistake"), 500, "something broke here; our log says what", "internal_server_error"),
        ],
    )
    def test_gives_every_error_its_status_and_name(self, error, status, msg, name):
        response = answer_to(error)
        said = json.loads(response.body)
        assert (response.status_code, said["code"], said["msg"]) == (status, status, msg)
        assert said["error"] == name or name is None

    def test_says_when_to_ask_again(self):
        assert answer_to(UnavailableError("not now")).headers["retry-after"] == "1"
