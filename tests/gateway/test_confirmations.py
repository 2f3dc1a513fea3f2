"""Skills that wait for a person, as clients see them against the whole of Craftlog."""

from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.e2e.conversations import PHONE_TO_THE_END
from tests.gateway.clients import Api

from craftlog.contracts.events import CONFIRM
from craftlog.testing.waiting import until

DEADLINE = 60.0


@pytest.fixture(scope="module")
def api(http: httpx.Client) -> Api:
    return Api(http)


async def asked(api: Api) -> tuple[str, list[str], list[Any]]:
    """A space that wants to be asked, the sessions that taught it, and the two skills that wait."""
    space = api.post("/space", 201, {"configs": {CONFIRM: True}})["id"]
    sessions = [api.post("/session", 201, {"space_id": space})["id"] for _ in range(2)]
    for session in sessions:
        for message in PHONE_TO_THE_END:
            api.post(f"/session/{session}/messages", 201, {"blob": message})
        api.post(f"/session/{session}/flush")

    async def digested() -> bool:
        found = [api.get(f"/session/{session}/get_learning_status") for session in sessions]
        return all(one["space_digested_count"] and not one["not_space_digested_count"] for one in found)

    await until(digested, DEADLINE)
    found = waiting(api, space)
    assert len(found) == 2
    return space, sessions, found


def waiting(api: Api, space: str) -> list[Any]:
    return api.pages(f"/space/{space}/experience_confirmations", limit=1)


def states(api: Api, sessions: list[str]) -> dict[str, str]:
    lessons = [one for session in sessions for one in api.get(f"/session/{session}/lessons")["items"]]
    return {one["task_id"]: one["state"] for one in lessons}


class TestConfirming:
    async def test_files_what_is_kept_and_drops_what_is_not(self, api: Api) -> None:
        space, sessions, [kept, dropped] = await asked(api)
        assert kept.keys() == {"id", "space_id", "task_id", "experience_data", "created_at", "updated_at"}
        assert kept["experience_data"]["type"] == "sop"
        assert kept["experience_data"]["data"].keys() == {"use_when", "preferences", "tool_sops"}
        assert {states(api, sessions)[one["task_id"]] for one in (kept, dropped)} == {"waiting for a person"}
        assert api.get(f"/space/{space}/block") == []

        at = f"/space/{space}/experience_confirmations"
        for _ in range(2):
            assert api.put(f"{at}/{kept['id']}", json={"save": True}) | {"updated_at": 0} == kept | {"updated_at": 0}
            assert api.put(f"{at}/{dropped['id']}", json={"save": False}) is None
        assert waiting(api, space) == []
        assert states(api, sessions)[kept["task_id"]] == "learned"
        assert states(api, sessions)[dropped["task_id"]] == "skipped"
        [page] = api.get(f"/space/{space}/block")
        [sop] = api.get(f"/space/{space}/block", parent_id=page["id"])
        assert sop["title"] == kept["experience_data"]["data"]["use_when"]
        [cited] = api.get(f"/space/{space}/experience_search", query=sop["title"])["cited_blocks"]
        assert cited["block_id"] == sop["id"]

        api.put(f"{at}/{dropped['id']}", 404, {"save": True})
        api.put(f"{at}/{kept['id']}", 404, {"save": False})

        for session in sessions:
            api.delete(f"/session/{session}")
        await until(partial(is_empty, api, space), DEADLINE)

    async def test_is_also_understood_as_older_clients_say_it(self, api: Api) -> None:
        space, _, found = await asked(api)
        at = f"/api/v1/space/{space}/experience_confirmations/{found[0]['id']}"
        assert api.http.patch(at, json={"save": False}).json() == {"code": 0, "data": None, "msg": ""}
        assert waiting(api, space) == found[1:]

    def test_of_what_nobody_proposed_is_missing(self, api: Api) -> None:
        space = api.make("space")
        for save in (True, False):
            api.put(f"/space/{space}/experience_confirmations/{uuid4()}", 404, {"save": save})
        assert waiting(api, space) == []

    @pytest.mark.parametrize("body", [{}, {"save": None}, {"save": 1}, {"save": "true"}])
    def test_without_a_yes_or_no_is_refused(self, api: Api, body: dict[str, Any]) -> None:
        api.put(f"/space/{api.make('space')}/experience_confirmations/{uuid4()}", 400, body)


async def is_empty(api: Api, space: str) -> bool:
    return not api.get(f"/space/{space}/block")
