"""Another project's ids are unknown ids, on every route, and asking about them changes nothing."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.faults.world import World, behind

from craftlog.gateway.app import PREFIX
from craftlog.testing.stack import Stack

SECOND_PROJECT = "00000000-0000-4000-8000-000000000002"
SECOND_TOKEN = "sk-ac-second"  # noqa: S105 - of a stack that lives for a minute
FILE = {"files": {"file": ("a.txt", b"text", "text/plain")}}
# Every route that names something, with a request that would do if the thing were ours.
ROUTES: dict[tuple[str, str], dict[str, Any]] = {
    ("GET", "/session/{session_id}/configs"): {},
    ("DELETE", "/session/{session_id}"): {},
    ("POST", "/session/{session_id}/connect_to_space"): {},  # with a space of the one who asks
    ("POST", "/session/{session_id}/flush"): {},
    ("POST", "/session/{session_id}/messages"): {"json": {"blob": {"role": "user", "content": "Hello"}}},
    ("GET", "/session/{session_id}/messages"): {},
    ("GET", "/session/{session_id}/task"): {},
    ("GET", "/session/{session_id}/get_learning_status"): {},
    ("GET", "/session/{session_id}/lessons"): {},
    ("GET", "/space/{space_id}/experience_search"): {"params": {"query": "say hello"}},
    ("GET", "/space/{space_id}/block"): {},
    ("DELETE", "/disk/{disk_id}"): {},
    ("POST", "/disk/{disk_id}/artifact"): FILE,
    ("GET", "/disk/{disk_id}/artifact"): {"params": {"file_path": "/a.txt"}},
    ("DELETE", "/disk/{disk_id}/artifact"): {"params": {"file_path": "/a.txt"}},
    ("GET", "/disk/{disk_id}/artifact/ls"): {},
}


@dataclass(frozen=True)
class Owner:
    """One project: its client, and the ids of what it has."""

    http: httpx.AsyncClient
    ids: dict[str, str]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    tokens = json.dumps({SECOND_TOKEN: SECOND_PROJECT})
    parts = ("nats", "mongo", "s3", "ingest", "gateway")
    with Stack(tmp_path_factory.mktemp("tenancy"), only=parts, env={"CRAFTLOG_TOKENS": tokens}) as stack:
        yield stack


@pytest.fixture
async def world(stack: Stack) -> AsyncIterator[World]:
    async with behind(stack) as world:
        yield world


@pytest.fixture
async def first(stack: Stack) -> AsyncIterator[Owner]:
    async with httpx.AsyncClient(base_url=f"{stack.base_url}{PREFIX}", headers=bearer(stack.token)) as http:
        yield await owner(http)


@pytest.fixture
async def second(stack: Stack) -> AsyncIterator[Owner]:
    async with httpx.AsyncClient(base_url=f"{stack.base_url}{PREFIX}", headers=bearer(SECOND_TOKEN)) as http:
        yield await owner(http)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def owner(http: httpx.AsyncClient) -> Owner:
    """Return a project with a session, a space and a disk of which nothing is missing."""
    ids = {f"{what}_id": (await http.post(f"/{what}")).json()["data"]["id"] for what in ("session", "space", "disk")}
    message = {"blob": {"role": "user", "content": "Hello"}}
    assert (await http.post(f"/session/{ids['session_id']}/messages", json=message)).status_code == 201
    assert (await http.post(f"/disk/{ids['disk_id']}/artifact", files=FILE["files"])).status_code == 201
    return Owner(http, ids)


async def ask(asker: Owner, method: str, path: str, ids: dict[str, str]) -> httpx.Response:
    request = dict(ROUTES[method, path])
    if path.endswith("/connect_to_space"):
        request["json"] = {"space_id": asker.ids["space_id"]}
    return await asker.http.request(method, path.format(**ids), **request)


async def everything(world: World) -> tuple[int, list[str], list[str]]:
    """Return what would be different if anything had changed."""
    stored = await world.collections()
    return await world.last_seq(), sorted(repr(one) for found in stored.values() for one in found), world.object_keys()


class TestRoutes:
    def test_are_all_tried_here(self, stack: Stack) -> None:
        described = httpx.get(f"{stack.base_url}/openapi.json").json()["paths"]
        naming = {path.removeprefix(PREFIX): methods for path, methods in described.items() if "{" in path}
        assert {(method.upper(), path) for path, methods in naming.items() for method in methods} <= set(ROUTES)

    @pytest.mark.parametrize(("method", "path"), list(ROUTES))
    async def test_know_nothing_of_another_project(
        self, method: str, path: str, first: Owner, second: Owner, world: World
    ) -> None:
        before = await everything(world)
        assert (await ask(second, method, path, first.ids)).status_code == 404
        assert (await ask(first, method, path, second.ids)).status_code == 404
        assert (await ask(first, method, path, {name: str(uuid4()) for name in first.ids})).status_code == 404
        assert await everything(world) == before


class TestReferences:
    async def test_to_a_space_of_another_project_are_refused(self, first: Owner, second: Owner, world: World) -> None:
        before = await everything(world)
        foreign = {"space_id": first.ids["space_id"]}
        connect = f"/session/{second.ids['session_id']}/connect_to_space"
        assert (await second.http.post("/session", json=foreign)).status_code == 404
        assert (await second.http.post(connect, json=foreign)).status_code == 404
        assert await everything(world) == before

    async def test_in_a_filter_find_nothing(self, first: Owner, second: Owner) -> None:
        connect = f"/session/{first.ids['session_id']}/connect_to_space"
        assert (await first.http.post(connect, json={"space_id": first.ids["space_id"]})).status_code == 200
        found = await second.http.get("/session", params={"space_id": first.ids["space_id"]})
        assert found.json()["data"]["items"] == []


class TestLists:
    @pytest.mark.parametrize("what", ["session", "space", "disk"])
    async def test_show_what_is_ours_and_nothing_else(self, what: str, first: Owner, second: Owner) -> None:
        for own, foreign in ((first, second), (second, first)):
            listed = (await own.http.get(f"/{what}", params={"limit": 200})).json()["data"]["items"]
            ids = [one["id"] for one in listed]
            assert own.ids[f"{what}_id"] in ids
            assert foreign.ids[f"{what}_id"] not in ids
            assert len({one["project_id"] for one in listed}) == 1
