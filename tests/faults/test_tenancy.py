"""Another project's ids are unknown ids, on every route there is, and asking about them changes and shows nothing.

The routes are those of the code: one that somebody adds is tried by itself, with an empty JSON object for a body. Where
that would be refused for another reason its request belongs into REQUESTS; where its path names something new, that
belongs into ``Owner.begin``.
"""

import asyncio
import pkgutil
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from itertools import chain
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from tests.faults.world import World, behind

import craftlog.gateway
from craftlog.contracts.events import LessonProposed, MessageSkipped, SessionObserved
from craftlog.contracts.readmodels import BOARDS
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.dialects import DIALECTS
from craftlog.gateway.door import PREFIX
from craftlog.runtime.log import Draft, Position
from craftlog.testing.examples import example
from craftlog.testing.stack import Stack
from craftlog.testing.waiting import until

Route = tuple[str, str]
Json = dict[str, Any]

UNKNOWN: Final = 404
# What the SDKs know and nobody is offered is refused before anything is looked for.
NOT_OFFERED: Final = 501
REFUSED: Final = (UNKNOWN, NOT_OFFERED)
_NAME: Final = re.compile(r"{(\w+)(?::path)?}")


@dataclass
class Owner:
    """One project: a client with its key, the ids of what it has, and a word that stands in all of that."""

    http: httpx.Client
    word: str
    ids: dict[str, str] = field(default_factory=dict)

    def begin(self) -> "Owner":
        """Make one of everything that a path can name."""
        self.ids["space_id"] = self.made("/space", json={"configs": {"a": self.word}})
        self.ids["session_id"] = self.made("/session", json={"configs": {"a": self.word}})
        self.ids["disk_id"] = self.made("/disk")
        self.http.patch("/project/configs", json={"a": self.word}).raise_for_status()
        block = {"type": "page", "title": self.word}
        self.ids["block_id"] = self.made(f"/space/{self.ids['space_id']}/block", json=block)
        session, disk = (f"/{kind}/{self.ids[f'{kind}_id']}" for kind in ("session", "disk"))
        self.made(f"{session}/messages", json={"blob": {"role": "user", "content": f"Please write {self.word}."}})
        self.made(f"{session}/messages", json={"blob": {"role": "assistant", "content": f"I wrote {self.word}."}})
        self.http.post(f"{session}/flush").raise_for_status()
        self.ids["task_id"] = self.http.get(f"{session}/task").json()["data"]["items"][0]["id"]
        self.http.post(f"{disk}/artifact", files=upload(self)).raise_for_status()
        return self

    def made(self, path: str, **request: Any) -> str:
        """Return the id of something new."""
        answer = self.http.post(path, **request)
        assert answer.status_code == 201, answer.text
        made: str = answer.json()["data"]["id"]
        return made

    def ask(self, route: Route, ids: dict[str, str], **more: Any) -> httpx.Response:
        """Send a request that would do if these ids were ours."""
        method, path = route
        request = REQUESTS.get(route, lambda _: {} if method in {"GET", "DELETE"} else {"json": {}})(self)
        request["params"] = {**request.get("params", {}), **more}
        return self.http.request(method, filled(path, ids), **request)


def upload(asker: Owner) -> Json:
    return {"file": (f"{asker.word}.txt", asker.word.encode(), "text/plain")}


def message(asker: Owner) -> Json:
    return {"role": "user", "content": asker.word}


def at(asker: Owner) -> Json:
    return {"params": {"file_path": f"/{asker.word}.txt"}}


REQUESTS: Final[dict[Route, Callable[[Owner], Json]]] = {
    ("POST", "/session/{session_id}/connect_to_space"): lambda own: {"json": {"space_id": own.ids["space_id"]}},
    ("POST", "/session/{session_id}/messages"): lambda own: {"json": {"blob": message(own)}},
    ("POST", "/session/{session_id}/messages/batch"): lambda own: {"json": {"blobs": [message(own)]}},
    ("PUT", "/session/{session_id}/configs"): lambda own: {"json": {"configs": {"a": own.word}}},
    ("PATCH", "/session/{session_id}/configs"): lambda own: {"json": {"configs": {"a": own.word}}},
    ("PUT", "/space/{space_id}/configs"): lambda own: {"json": {"configs": {"a": own.word}}},
    ("POST", "/space/{space_id}/block"): lambda own: {"json": {"type": "page", "title": own.word}},
    ("PUT", "/space/{space_id}/experience_confirmations/{experience_id}"): lambda _: {"json": {"save": True}},
    ("PATCH", "/space/{space_id}/experience_confirmations/{experience_id}"): lambda _: {"json": {"save": True}},
    ("GET", "/space/{space_id}/experience_search"): lambda own: {"params": {"query": own.word}},
    ("POST", "/disk/{disk_id}/artifact"): lambda own: {"files": upload(own)},
    ("GET", "/disk/{disk_id}/artifact"): at,
    ("GET", "/disk/{disk_id}/artifact/download"): at,
    ("DELETE", "/disk/{disk_id}/artifact"): at,
    ("PUT", "/disk/{disk_id}/artifact"): lambda own: {"json": {**at(own)["params"], "meta": f'{{"a": "{own.word}"}}'}},
    ("GET", "/disk/{disk_id}/artifact/glob"): lambda _: {"params": {"query": "**"}},
    ("GET", "/disk/{disk_id}/artifact/grep"): lambda _: {"params": {"query": "."}},
}


def routers() -> Iterator[APIRouter]:
    for module in pkgutil.iter_modules(craftlog.gateway.__path__):
        if module.name.startswith("routes_"):
            values = vars(import_module(f"craftlog.gateway.{module.name}")).values()
            yield from (value for value in values if isinstance(value, APIRouter))


def discovered() -> list[Route]:
    """Return all routes of all ``routes_*`` modules but the admin's, those that no document shows as well."""
    routes = [route for route in chain.from_iterable(one.routes for one in routers()) if isinstance(route, APIRoute)]
    found = {(method, route.path) for route in routes for method in route.methods if route.methods}
    return sorted((method, path) for method, path in found if not path.startswith("/admin/"))


def named(path: str) -> list[str]:
    return _NAME.findall(path)


def filled(path: str, ids: dict[str, str]) -> str:
    """Return a path with these ids in it, and nobody's where there is none."""
    return _NAME.sub(lambda name: ids.get(name[1]) or str(uuid4()), path)


ROUTES: Final = discovered()
NAMING: Final = [route for route in ROUTES if named(route[1])]


def strangers(ours: Owner, theirs: Owner, path: str) -> Iterator[dict[str, str]]:
    """Yield ids that are not all ours: theirs, nobody's, and one of theirs among ours."""
    names = named(path)
    yield theirs.ids
    yield {}
    if len(names) > 1:
        yield from ({**ours.ids, name: theirs.ids[name]} for name in names)


def data_of(answer: httpx.Response) -> Any:
    return answer.json().get("data") if "json" in answer.headers["content-type"] else None


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("tenancy")) as stack:
        yield stack


@pytest.fixture(scope="module")
def make(stack: Stack) -> Iterator[Callable[[str], Owner]]:
    """Give a function that makes a project, a key to it, and what it has."""
    clients: list[httpx.Client] = []
    admin = httpx.Client(base_url=f"{stack.base_url}/admin/v1", headers=bearer(stack.admin_token))

    def made(word: str) -> Owner:
        project = admin.post("/project", json={"name": word}).json()["data"]["id"]
        key = admin.post(f"/project/{project}/key", json={"name": word}).json()["data"]["key"]
        clients.append(httpx.Client(base_url=f"{stack.base_url}{PREFIX}", headers=bearer(key), timeout=60))
        owner = Owner(clients[-1], word).begin()
        owner.ids["experience_id"] = asyncio.run(proposed(stack, project, owner))
        owner.ids["parked_id"] = asyncio.run(parked(stack, project, owner))
        return owner

    with admin:
        yield made
    for http in clients:
        http.close()


async def proposed(stack: Stack, project: str, owner: Owner) -> str:
    """Have a skill wait for the owner, as the learner would, and return what it is asked by."""
    waiting = example(LessonProposed, proposal_id=str(uuid4()), use_when=owner.word)
    tree = Address(Kind.TREE, project, owner.ids["space_id"])
    async with behind(stack) as world:
        last = await world.log.last(tree)
        at = Position(last.version, last.seq) if last else Position()
        await world.log.append(tree, at, [Draft(str(uuid4()), waiting, datetime.now(UTC))])
    return waiting.proposal_id


async def parked(stack: Stack, project: str, owner: Owner) -> str:
    """Have the owner's board go on without a message, as the observer would, and return what that is called."""
    session = owner.made("/session", json={"disable_task_tracking": True})
    owner.made(f"/session/{session}/messages", json={"blob": {"role": "user", "content": owner.word}})
    owner.http.post(f"/session/{session}/flush").raise_for_status()  # or the observer looks at it some time
    facts = MessageSkipped(position=1, reason=owner.word), SessionObserved(through_position=1, engine="rules")
    async with behind(stack) as world:
        drafts = [Draft(str(uuid4()), fact, datetime.now(UTC)) for fact in facts]
        await world.log.append(Address(Kind.BOARD, project, session), Position(), drafts)
        await until(lambda: world.database[BOARDS].find_one({"_id": session, "parked": True}))
    return f"{session}:1"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def first(make: Callable[[str], Owner]) -> Owner:
    return make("zebrafinch")


@pytest.fixture(scope="module")
def second(make: Callable[[str], Owner]) -> Owner:
    return make("nightjar")


@pytest.fixture
async def world(stack: Stack, first: Owner, second: Owner) -> AsyncIterator[World]:
    """Give what is behind the stack, once nothing moves there any more."""
    for owner in (first, second):
        owner.http.post(f"/session/{owner.ids['session_id']}/flush").raise_for_status()

    async def still() -> bool:
        services = (await http.get("/health")).json()["data"]["services"]
        return all(consumer["lag"] == 0 for service in services.values() for consumer in service["consumers"])

    async with behind(stack) as world, httpx.AsyncClient(base_url=stack.base_url, timeout=10) as http:
        await until(still)
        yield world


async def everything(world: World) -> tuple[int, list[str], list[str]]:
    """Return what would be different if anything had changed."""
    stored = await world.collections()
    return await world.last_seq(), sorted(repr(one) for found in stored.values() for one in found), world.object_keys()


class TestRoutes:
    def test_are_all_tried_here(self, stack: Stack) -> None:
        paths = httpx.get(f"{stack.base_url}/openapi.json").json()["paths"]
        described = {
            (method.upper(), path.removeprefix(PREFIX))
            for path, methods in paths.items()
            for method in methods
            if path.startswith(PREFIX)
        }
        assert described <= set(ROUTES)
        assert set(REQUESTS) <= set(NAMING)

    @pytest.mark.parametrize("route", NAMING, ids=" ".join)
    async def test_know_nothing_of_another_project(
        self, route: Route, first: Owner, second: Owner, world: World
    ) -> None:
        before = await everything(world)
        for ours, theirs in ((first, second), (second, first)):
            for ids in strangers(ours, theirs, route[1]):
                answer = ours.ask(route, ids)
                assert answer.status_code in REFUSED, f"{route}: {answer.text} (see this module's docstring)"
                assert theirs.word not in answer.text
        assert await everything(world) == before

    @pytest.mark.parametrize("route", ROUTES, ids=" ".join)
    def test_let_nobody_in_without_a_key(self, route: Route, stack: Stack) -> None:
        method, path = route
        if path in {"/live", "/health"}:
            return
        assert httpx.request(method, f"{stack.base_url}{PREFIX}{filled(path, {})}").status_code == 401


class TestReferences:
    async def test_to_what_another_project_has_are_refused(self, first: Owner, second: Owner, world: World) -> None:
        before = await everything(world)
        theirs, session = first.ids["space_id"], f"/session/{second.ids['session_id']}"
        assert second.http.post("/session", json={"space_id": theirs}).status_code == UNKNOWN
        assert second.http.post(f"{session}/connect_to_space", json={"space_id": theirs}).status_code == UNKNOWN
        blocks, below = f"/space/{second.ids['space_id']}/block", {"parent_id": first.ids["block_id"]}
        assert second.http.post(blocks, json={"type": "page", **below}).status_code == UNKNOWN
        assert second.http.put(f"{blocks}/{second.ids['block_id']}/move", json=below).status_code == UNKNOWN
        assert await everything(world) == before

    async def test_to_bytes_of_another_project_give_no_way_to_them(
        self, first: Owner, second: Owner, world: World
    ) -> None:
        [key] = [key for key in world.object_keys() if first.ids["disk_id"] in key]
        asset = {"bucket": "craftlog", "s3_key": key, "etag": "", "sha256": "", "mime": "text/plain", "size_b": 1}
        part = {"type": "file", "asset": asset, "filename": "a.txt"}
        session = f"/session/{second.made('/session')}/messages"
        sent = second.http.post(session, json={"format": "acontext", "blob": {"role": "user", "parts": [part]}})
        assert sent.status_code in {201, 400}
        for wanted in {*DIALECTS, "acontext"}:
            answer = second.http.get(session, params={"format": wanted})
            assert answer.status_code == 200
            assert "X-Amz-Signature" not in answer.text


class TestAnswers:
    """What each project is shown of itself has no word of the other."""

    def queries(self, stack: Stack, route: Route) -> list[str]:
        method, path = route
        described = httpx.get(f"{stack.base_url}/openapi.json").json()["paths"][PREFIX + path][method.lower()]
        return [one["name"] for one in described.get("parameters", ()) if one["in"] == "query"]

    def described(self, stack: Stack) -> Iterator[Route]:
        paths = httpx.get(f"{stack.base_url}/openapi.json").json()["paths"]
        for path, methods in paths.items():
            if path.startswith(PREFIX) and "get" in methods:
                yield "GET", path.removeprefix(PREFIX)

    def test_to_every_question_are_its_own(self, stack: Stack, first: Owner, second: Owner) -> None:
        shown = set()
        for ours, theirs in ((first, second), (second, first)):
            for route in self.described(stack):
                answer = ours.ask(route, ours.ids, limit=50)
                assert answer.status_code not in REFUSED, f"{route}: {answer.text}"
                assert theirs.word not in answer.text
                shown |= {route} if ours.word in answer.text else set()
        assert len(shown) >= 5

    def test_to_a_query_that_names_what_the_other_has_are_empty_or_refused(
        self, stack: Stack, first: Owner, second: Owner
    ) -> None:
        tried = 0
        for route in self.described(stack):
            for name in self.queries(stack, route):
                if name in first.ids or name == "parent_id":
                    tried += 1
                    answer = second.ask(route, second.ids, **{name: first.ids.get(name, first.ids["space_id"])})
                    data = data_of(answer)
                    assert answer.status_code in REFUSED or not (data["items"] if isinstance(data, dict) else data)
        assert tried

    def test_after_a_cursor_of_the_other_are_its_own(self, stack: Stack, first: Owner, second: Owner) -> None:
        for owner in (first, second):
            for path, request in (("/session", {}), ("/space", {}), ("/disk", {})):
                owner.made(path, **request)
        for route in self.described(stack):
            data = data_of(first.ask(route, first.ids, limit=1))
            if cursor := isinstance(data, dict) and data.get("next_cursor"):
                for backwards in (False, True):
                    answer = second.ask(route, second.ids, cursor=cursor, time_desc=backwards)
                    assert answer.status_code == 200
                    assert first.word not in answer.text


class TestRequests:
    """The requests above were refused for the ids in them and nothing else: with one's own ids each of them will do."""

    @pytest.mark.parametrize("route", NAMING, ids=" ".join)
    def test_do_with_ones_own_ids(self, route: Route, first: Owner, make: Callable[[str], Owner]) -> None:
        own = make("wren") if route[0] == "DELETE" or "parked_id" in route[1] else first
        answer = own.ask(route, own.ids)
        assert answer.status_code in {200, 201, NOT_OFFERED}, answer.text
