"""Spaces, as clients see them against the whole of Craftlog."""

from functools import partial
from uuid import uuid4

import httpx
import pytest
from tests.gateway.clients import Api

from craftlog.contracts.events import CONFIRM
from craftlog.testing.waiting import until


@pytest.fixture(scope="module")
def api(http: httpx.Client) -> Api:
    return Api(http)


class TestCreating:
    def test_with_a_key_makes_one_however_often(self, api: Api) -> None:
        key, body = {"Idempotency-Key": str(uuid4())}, {"configs": {"a": 1}}
        first = api.post("/space", 201, body, **key)
        assert api.post("/space", 201, body, **key) == first
        refused = api.http.post("/api/v1/space", json={"configs": {"a": 2}}, headers=key)
        assert (refused.status_code, refused.json()["msg"][:15]) == (409, "Idempotency-Key")
        api.delete(f"/space/{first['id']}")
        api.post("/space", 404, body, **key)

    def test_needs_no_body(self, api: Api) -> None:
        assert api.post("/space", 201)["configs"] is None


class TestConfigs:
    def test_are_replaced_as_a_whole(self, api: Api) -> None:
        made = api.post("/space", 201, {"configs": {"a": 1, "b": None}})
        assert api.get(f"/space/{made['id']}/configs")["configs"] == {"a": 1, "b": None}
        api.put(f"/space/{made['id']}/configs", json={"configs": {"c": {"$d.e": [None]}, "": 2}})
        read = api.get(f"/space/{made['id']}/configs")
        assert read["configs"] == {"c": {"$d.e": [None]}, "": 2}
        assert (read["id"], read["created_at"]) == (made["id"], made["created_at"])
        assert read["updated_at"] > read["created_at"]
        api.put(f"/space/{made['id']}/configs", json={"configs": {}})
        assert api.get(f"/space/{made['id']}/configs")["configs"] == {}

    @pytest.mark.parametrize("body", [{}, {"configs": None}, {"configs": 7}, {"configs": {CONFIRM: "yes"}}])
    def test_that_are_none_are_refused(self, api: Api, body: dict[str, object]) -> None:
        space = api.make("space")
        api.put(f"/space/{space}/configs", 400, body)
        assert api.get(f"/space/{space}/configs")["configs"] == {}

    def test_of_no_space_are_missing(self, api: Api) -> None:
        api.get(f"/space/{uuid4()}/configs", expect=404)
        api.put(f"/space/{uuid4()}/configs", 404, {"configs": {}})


class TestStatus:
    def test_is_plain(self, api: Api) -> None:
        assert api.get("/space/status") is None


class TestDeletion:
    async def test_leaves_the_sessions_without_a_space(self, api: Api) -> None:
        space, other = api.make("space"), api.make("space")
        gone, kept = (api.post("/session", 201, {"space_id": one})["id"] for one in (space, other))
        api.post(f"/space/{space}/block", 201, {"type": "page", "title": "a"})
        api.delete(f"/space/{space}")

        def unconnected() -> list[str]:
            found = api.pages("/session", limit=200, not_connected=True)
            assert all(one["space_id"] is None for one in found)
            return [one["id"] for one in found]

        assert api.get(f"/session/{gone}/configs")["space_id"] is None
        assert gone in unconnected()
        assert kept not in unconnected()
        assert api.get("/session", space_id=space)["items"] == []
        assert [one["space_id"] for one in api.get("/session", space_id=other)["items"]] == [other]
        assert api.get(f"/session/{gone}/get_learning_status") == {
            "space_digested_count": 0,
            "not_space_digested_count": 0,
        }
        api.post(f"/session/{gone}/connect_to_space", json={"space_id": other})
        assert api.get(f"/session/{gone}/configs")["space_id"] == other

    def test_is_for_ever(self, api: Api) -> None:
        space = api.make("space")
        page = api.post(f"/space/{space}/block", 201, {"type": "page"})["id"]
        api.delete(f"/space/{space}")
        assert space not in [one["id"] for one in api.pages("/space", limit=200)]
        at, at_block = f"/space/{space}", f"/space/{space}/block/{page}"
        for ask in (
            partial(api.delete, at),
            partial(api.get, f"{at}/configs"),
            partial(api.put, f"{at}/configs", json={"configs": {}}),
            partial(api.get, f"{at}/block"),
            partial(api.post, f"{at}/block", json={"type": "page"}),
            partial(api.delete, at_block),
            partial(api.get, f"{at_block}/properties"),
            partial(api.put, f"{at_block}/properties", json={"title": "x"}),
            partial(api.put, f"{at_block}/move", json={}),
            partial(api.put, f"{at_block}/sort", json={}),
            partial(api.get, f"{at}/experience_search", query="x"),
            partial(api.get, f"{at}/experience_confirmations"),
            partial(api.put, f"{at}/experience_confirmations/{page}", json={"save": True}),
            partial(api.post, "/session", json={"space_id": space}),
        ):
            ask(expect=404)

    async def test_takes_its_tools_along(self, api: Api) -> None:
        space, tool = api.make("space"), f"tool {uuid4()}"
        page = api.post(f"/space/{space}/block", 201, {"type": "page"})["id"]
        props = {"tool_sops": [{"tool_name": tool, "action": "x"}]}
        api.post(f"/space/{space}/block", 201, {"type": "sop", "parent_id": page, "props": props})
        assert tool in [one["name"] for one in api.get("/tool/name")]
        api.delete(f"/space/{space}")

        async def gone() -> bool:
            return tool not in [one["name"] for one in api.get("/tool/name")]

        await until(gone)
