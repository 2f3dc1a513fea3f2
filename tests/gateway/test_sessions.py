"""Sessions as clients see them: their configs, who lists them, how far they are observed; on the whole of Craftlog."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.gateway.clients import Api

from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.handlers import Gateway

ODD = {"a": {"$b.c": [None, 1, 1.5, True]}, "": 2, "nul": None, "é": "\0"}


@pytest.fixture(scope="module")
def api(http: httpx.Client) -> Api:
    return Api(http)


def configured(api: Api, configs: Any = None, **more: Any) -> str:
    made: str = api.post("/session", json={"configs": configs, **more}, expect=201)["id"]
    return made


class TestConfigs:
    def test_are_replaced_as_a_whole(self, api: Api) -> None:
        session = configured(api, {"a": 1, "b": {"c": 2}})
        assert api.put(f"/session/{session}/configs", json={"configs": ODD}) is None
        assert api.get(f"/session/{session}/configs")["configs"] == ODD

    @pytest.mark.parametrize("body", [{}, {"configs": None}, None])
    def test_stay_where_none_are_sent(self, api: Api, body: Any) -> None:
        session = configured(api, {"a": 1})
        api.put(f"/session/{session}/configs", json=body)
        assert api.get(f"/session/{session}/configs")["configs"] == {"a": 1}

    def test_are_changed_name_by_name(self, api: Api) -> None:
        session = configured(api, {"a": {"x": 1}, "b": 2, "c": None})
        merged = api.patch(f"/session/{session}/configs", json={"configs": {"a": {"y": 1}, "b": None, "d": [None]}})
        assert merged == {"configs": {"a": {"y": 1}, "c": None, "d": [None]}}
        assert api.get(f"/session/{session}/configs")["configs"] == merged["configs"]

    def test_grow_only_up_to_a_limit(self, api: Api) -> None:
        session = configured(api, {"a": "x" * 40_000})
        assert "configs: " in refusal(api, "PATCH", session, {"configs": {"b": "x" * 40_000}}, 413)
        assert len(api.get(f"/session/{session}/configs")["configs"]) == 1

    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    def test_of_no_session_cannot_be_changed(self, api: Api, method: str) -> None:
        assert "no such session" in refusal(api, method, str(uuid4()), {"configs": {}}, 404)

    def test_must_be_an_object(self, api: Api) -> None:
        session = configured(api)
        assert "configs: " in refusal(api, "PUT", session, {"configs": []}, 400)
        assert "configs: " in refusal(api, "PATCH", session, {"configs": 1}, 400)
        assert "configs: " in refusal(api, "PATCH", session, {}, 400)

    async def test_said_again_are_no_event(self, api: Api, beside: Gateway) -> None:
        created = api.post("/session", json={"configs": ODD}, expect=201)
        for _ in range(2):
            api.put(f"/session/{created['id']}/configs", json={"configs": ODD})
            api.patch(f"/session/{created['id']}/configs", json={"configs": {"": 2, "gone": None}})
        last = await beside.log.last(Address(Kind.SESSION, created["project_id"], created["id"]))
        assert last is not None
        assert last.version == 1


def refusal(api: Api, method: str, session: str, body: Any, status: int) -> str:
    refused = api.http.request(method, f"/api/v1/session/{session}/configs", json=body)
    assert refused.status_code == status
    reason: str = refused.json()["msg"]
    return reason


@pytest.fixture(scope="module")
def mine(api: Api) -> list[str]:
    """Give sessions with a mark, of which every third is blue; some names are hard on a MongoDB."""
    return [
        configured(api, {"mark": "m7", "of": {"a.b": [n % 3, {"n": n}], "colour": ["red", "green", "blue"][n % 3]}})
        for n in range(12)
    ]


class TestCreate:
    @pytest.mark.parametrize("wanted", ["use_uuid", "user"])
    def test_says_what_it_cannot_keep(self, api: Api, wanted: str) -> None:
        refused = api.http.post("/api/v1/session", json={wanted: str(uuid4())})
        assert refused.status_code == 501
        assert refused.json()["msg"].startswith(f"{wanted}: ")
        assert api.post("/session", json={wanted: None}, expect=201)

    @pytest.mark.parametrize("kind", ["session", "disk", "space"])
    def test_and_lists_of_one_user_are_not_offered(self, api: Api, kind: str) -> None:
        for refused in (
            api.http.post(f"/api/v1/{kind}", json={"user": "ada"}),
            api.http.get(f"/api/v1/{kind}", params={"user": "ada"}),
        ):
            assert refused.status_code == 501
            assert refused.json()["msg"].startswith("user: ")
        assert api.post(f"/{kind}", json={"user": None}, expect=201)
        assert api.get(f"/{kind}", user="")["items"]


class TestList:
    @pytest.mark.parametrize("order", ["oldest first", "newest first"])
    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 200])
    def test_has_those_whose_configs_contain_it_page_by_page(
        self, api: Api, mine: list[str], limit: int, order: str
    ) -> None:
        wanted = json.dumps({"mark": "m7", "of": {"colour": "blue"}})
        newest = order == "newest first"
        found = api.pages("/session", filter_by_configs=wanted, limit=limit, time_desc=newest)
        assert [one["id"] for one in found] == (mine[2::3][::-1] if newest else mine[2::3])

    def test_looks_into_arrays_and_odd_names(self, api: Api, mine: list[str]) -> None:
        found = api.pages("/session", filter_by_configs=json.dumps({"of": {"a.b": [{"n": 5}]}}))
        assert [one["id"] for one in found] == [mine[5]]

    def test_filters_add_up(self, api: Api, mine: list[str]) -> None:
        space = api.make("space")
        api.post(f"/session/{mine[2]}/connect_to_space", json={"space_id": space})
        blue = json.dumps({"mark": "m7", "of": {"colour": "blue"}})
        assert [one["id"] for one in api.pages("/session", filter_by_configs=blue, space_id=space)] == [mine[2]]
        unconnected = api.pages("/session", filter_by_configs=blue, not_connected=True)
        assert [one["id"] for one in unconnected] == mine[5::3]
        assert mine[2] not in [one["id"] for one in api.pages("/session", not_connected=True, space_id=space)]

    @pytest.mark.parametrize("wrong", ["{", "[]", "1", "null", '{"a": NaN}'])
    def test_must_be_asked_with_an_object(self, api: Api, wrong: str) -> None:
        refused = api.http.get("/api/v1/session", params={"filter_by_configs": wrong})
        assert refused.status_code == 400
        assert "filter_by_configs" in refused.json()["msg"]


class TestObservingStatus:
    def test_counts_what_the_board_has_read(self, api: Api) -> None:
        session = configured(api)
        assert counts(api, session) == (0, 0, 0)
        for text in ("Please book a flight.", "To Rome."):
            api.append(session, text)
        api.post(f"/session/{session}/flush")
        assert counts(api, session) == (2, 0, 0)

    def test_messages_of_a_session_without_tasks_stay_pending(self, api: Api) -> None:
        session = configured(api, disable_task_tracking=True)
        api.append(session, "Please book a flight.")
        api.post(f"/session/{session}/flush")
        assert counts(api, session) == (0, 0, 1)

    def test_is_missing_where_there_is_no_session(self, api: Api) -> None:
        api.get(f"/session/{uuid4()}/observing_status", expect=404)


def counts(api: Api, session: str) -> tuple[int, int, int]:
    status = api.get(f"/session/{session}/observing_status")
    assert status["updated_at"].endswith("Z")
    return status["observed"], status["in_process"], status["pending"]


class TestLearningStatus:
    def test_of_a_session_without_a_space_is_nothing(self, api: Api) -> None:
        session = configured(api)
        nothing = {"space_digested_count": 0, "not_space_digested_count": 0}
        assert api.get(f"/session/{session}/get_learning_status") == nothing
