"""The tools that skills speak of, as clients see and rename them against the whole of Craftlog."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.gateway.clients import Api


@pytest.fixture(scope="module")
def api(http: httpx.Client) -> Api:
    return Api(http)


@pytest.fixture
def name() -> str:
    """Give the beginning of a tool's name that no other test has."""
    return f"t{uuid4().hex}"


def file(api: Api, *tools: str) -> tuple[str, str]:
    """Put a skill with these tools into a space of its own; return the space and the block."""
    space = api.make("space")
    page = api.post(f"/space/{space}/block", 201, {"type": "page"})["id"]
    props = {"tool_sops": [{"tool_name": tool, "action": "use it"} for tool in tools]}
    body = {"type": "sop", "parent_id": page, "title": "somebody asks", "props": props}
    return space, api.post(f"/space/{space}/block", 201, body)["id"]


def counted(api: Api, name: str) -> dict[str, int]:
    found = api.get("/tool/name")
    assert [one["name"] for one in found] == sorted(one["name"] for one in found)
    return {one["name"].removeprefix(name): one["sop_count"] for one in found if one["name"].startswith(name)}


def used(api: Api, space: str, block: str) -> list[str]:
    steps: list[Any] = api.get(f"/space/{space}/block/{block}/properties")["props"]["tool_sops"]
    return [step["tool_name"] for step in steps]


class TestNames:
    def test_count_the_steps_of_all_spaces(self, api: Api, name: str) -> None:
        file(api, f"{name}a", f"{name}b", f"{name}a")
        space, block = file(api, f"{name}a")
        assert counted(api, name) == {"a": 3, "b": 1}
        api.put(f"/space/{space}/block/{block}/properties", json={"props": {"preferences": "none"}})
        assert counted(api, name) == {"a": 2, "b": 1}


class TestRenaming:
    def test_goes_through_all_spaces_and_merges_what_has_one_name_then(self, api: Api, name: str) -> None:
        first, second = file(api, f"{name}a", f"{name}b", f"{name}a"), file(api, f"{name}a")
        renames = [{"old_name": f" {name}a ", "new_name": f"{name}C"}, {"old_name": "nobody", "new_name": "x"}]
        assert api.put("/tool/name", json={"rename": renames}) == {"status": 200, "errmsg": ""}
        assert counted(api, name) == {"C": 3, "b": 1}
        assert used(api, *first) == [f"{name}C", f"{name}b", f"{name}C"]
        api.put("/tool/name", json={"rename": [{"oldName": f"{name}b", "newName": f"{name}C"}]})
        assert counted(api, name) == {"C": 4}
        assert used(api, *second) == [f"{name}C"]
        [found] = api.get(f"/space/{second[0]}/experience_search", query="somebody asks")["cited_blocks"]
        assert found["props"]["tool_sops"] == [{"order": 0, "tool_name": f"{name}C", "action": "use it"}]

    def test_again_is_the_same(self, api: Api, name: str) -> None:
        space, block = file(api, f"{name}a")
        for _ in range(2):
            api.put("/tool/name", json={"rename": [{"old_name": f"{name}a", "new_name": f"{name}b"}]})
        assert used(api, space, block) == [f"{name}b"]

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({}, "rename: must be a list"),
            ({"rename": []}, "rename: must be a list"),
            ({"rename": [1]}, "rename[0]: must be an object"),
            ({"rename": [{"old_name": "a", "new_name": "b"}, {"old_name": "c"}]}, "rename[1].new_name: must be a"),
            ({"rename": [{"new_name": "b"}]}, "rename[0].old_name: must be a"),
            ({"rename": [{"old_name": "a", "new_name": " "}]}, "rename[0].new_name: must not be empty"),
            (
                {"rename": [{"old_name": "a", "new_name": "b"}, {"old_name": "b", "new_name": "a"}]},
                "rename[0].new_name: is renamed by the same request",
            ),
        ],
    )
    def test_that_is_none_is_refused(self, api: Api, body: dict[str, Any], words: str) -> None:
        refused = api.http.put("/api/v1/tool/name", json=body)
        assert (refused.status_code, refused.json()["msg"][: len(words)]) == (400, words)
