"""A session that is deleted leaves nothing behind, whoever sleeps, dies or is at work on it just then."""

import json
import random
import signal
import string
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.e2e.conversations import PHONE_TO_THE_END, agent, call, result, user
from tests.faults.world import Document, World, behind, nothing_of

from craftlog.contracts.events import BoardDeleted, SessionDeleted, SessionForgotten, SessionObserved, Used, wire_name
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.auth import DEFAULT_PROJECT
from craftlog.testing.stack import Stack
from craftlog.testing.waiting import until

DEADLINE = 60.0
HUGE = 300_000  # characters; more than an event holds, so that it goes to the bucket
WORTH = "gather facts on a gadget and report them before programming a promotional site"
TOMBSTONE = {"_id", "project", "version", "seq", "deleted"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("erasure")) as stack:
        yield stack


@pytest.fixture
async def world(stack: Stack) -> AsyncIterator[World]:
    async with behind(stack) as world:
        yield world


@pytest.fixture
def secret() -> str:
    """Give a word that nobody else says. It has no digits, so that it is no mere number of a case."""
    return "".join(random.choices(string.ascii_lowercase, k=16))  # noqa: S311 - no secret of anybody


@contextmanager
def asleep(stack: Stack, name: str) -> Iterator[None]:
    """Let a service stand still for the block, its connections open."""
    stack.kill(name, signal.SIGSTOP)
    try:
        yield
    finally:
        stack.kill(name, signal.SIGCONT)


def told(secret: str) -> list[Document]:
    """Return a conversation that says the secret everywhere, also in a message too large for an event."""
    messages: list[Document] = json.loads(json.dumps(PHONE_TO_THE_END).replace("iPhone 15 Pro Max", f"{secret} phone"))
    huge = result("call_7", {"found": f"{secret} " * (HUGE // len(secret))})
    return [*messages[:-2], agent(f"I archive {secret}.", call("call_7", "archive", what=secret)), huge, *messages[-2:]]


async def talk(world: World, messages: list[Document], space_id: str, **configs: Any) -> str:
    body = {"space_id": space_id, "configs": configs}
    session_id = str((await world.api.post("/session", body))["id"])
    for message in messages:
        await world.api.post(f"/session/{session_id}/messages", {"blob": message})
    return session_id


async def taught(world: World, messages: list[Document], space_id: str, **configs: Any) -> str:
    """Return a session whose skills can be found."""
    session_id = await talk(world, messages, space_id, **configs)
    await world.api.post(f"/session/{session_id}/flush")

    async def is_indexed() -> bool:
        status = await world.api.get(f"/session/{session_id}/get_learning_status")
        return not status["not_space_digested_count"] and any(
            point.get("session_id") == session_id for point in await world.points()
        )

    await until(is_indexed, DEADLINE)
    return session_id


async def delete(world: World, session_id: str) -> None:
    """Delete a session, and see that from then on nobody knows it."""
    async with client(world) as http:
        assert (await http.delete(f"/session/{session_id}")).status_code == 200
    await assert_unknown(world, session_id)


async def assert_unknown(world: World, session_id: str) -> None:
    space_id = (await world.api.post("/space", {}))["id"]
    path = f"/session/{session_id}"
    async with client(world) as http:
        answers = [
            *[
                await http.get(path + of)
                for of in ("/configs", "/messages", "/task", "/get_learning_status", "/lessons")
            ],
            await http.post(f"{path}/messages", json={"blob": user("Is anybody there?")}),
            await http.post(f"{path}/messages", json={"blob": user("Hello?")}, headers={"Idempotency-Key": "hello"}),
            await http.post(f"{path}/connect_to_space", json={"space_id": space_id}),
            await http.post(f"{path}/flush"),
            await http.delete(path),
        ]
    assert [answer.status_code for answer in answers] == [404] * len(answers)


def client(world: World) -> httpx.AsyncClient:
    """Return a client that takes the first answer for an answer."""
    headers = {"Authorization": f"Bearer {world.stack.token}"}
    return httpx.AsyncClient(base_url=f"{world.stack.base_url}/api/v1", headers=headers, timeout=30)


async def traces(world: World, session_id: str, secret: str) -> list[str]:
    """Return what is left of a session, beside the mark that its id was used."""
    stored = await world.collections()
    documents = [(name, document) for name, documents in stored.items() for document in documents]
    return [
        *(f"file {path.name}" for path in world.log_files_hold(secret)),
        *(f"log {path.name}" for path in (world.stack.data / "logs").iterdir() if secret in path.read_text()),
        *await events_left(world, session_id),
        *(f"{name}: {one}" for name, one in documents if secret in repr(one)),
        *(f"{name}: {one}" for name, one in documents if session_id in repr(one) and not is_mark(one, session_id)),
        *(key for key in world.object_keys() if session_id in key),
        *(f"point {point}" for point in await world.points() if session_id in repr(point) or secret in repr(point)),
    ]


async def events_left(world: World, session_id: str) -> list[str]:
    """Return what the log says of a session, except that it is gone."""
    allowed = {wire_name(event) for event in (SessionDeleted, BoardDeleted, SessionForgotten)}
    return [
        f"{recorded.type} at version {recorded.version} of a {recorded.address.kind}"
        for recorded in await world.events()
        if (session_id in recorded.address.subject or session_id in repr(recorded.event))
        and recorded.type not in allowed
    ]


def is_mark(document: Document, session_id: str) -> bool:
    """Tell whether a document only says that this session was deleted, forgotten, swept, or what it cost on a day."""
    if document["_id"] == f"{session_id}/{document.get('day')}":
        return document.keys() == {"_id", "project", "session_id", "day", *Used.model_fields}
    if document["_id"] == f"session/{session_id}":
        return document.keys() == {"_id", "project", "erased_at"}
    if document["_id"] == session_id:
        return document.get("deleted") is True and document.keys() <= TOMBSTONE
    return document.keys() == {"_id", "project", "space_id", "session_id"}  # among the forgotten


async def gone(world: World, session_id: str, secret: str, *, but: str = "\0") -> None:
    """Wait until nothing is left of a session, but for traces that begin so."""

    async def left() -> list[str]:
        return [trace for trace in await traces(world, session_id, secret) if not trace.startswith(but)]

    await nothing_of(left, DEADLINE)
    listed = (await world.api.get("/session", limit=200, time_desc="true"))["items"]
    assert session_id not in [one["id"] for one in listed]
    for kind, tombstone in ((Kind.SESSION, SessionDeleted), (Kind.BOARD, BoardDeleted)):
        last = await world.log.last(Address(kind, DEFAULT_PROJECT, session_id))
        assert last is not None
        assert isinstance(last.event, tombstone)


class TestDeletedSession:
    async def test_was_everywhere_before(self, world: World, secret: str) -> None:
        space_id = (await world.api.post("/space", {}))["id"]
        session_id = await taught(world, told(secret), space_id, said=secret)
        stored = await world.collections()
        places = {name for name, documents in stored.items() if secret in repr(documents)}
        assert {"sessions", "messages", "boards"} <= places
        assert len(world.events_in_files_with(secret)) > 5
        assert [key for key in world.object_keys() if session_id in key]
        assert [point for point in await world.points() if session_id in repr(point)]

    @pytest.mark.parametrize("sleeper", ["ingest", "observer", "learner", "search"])
    async def test_is_gone_at_once_and_leaves_nothing_though_somebody_slept(
        self, sleeper: str, world: World, secret: str
    ) -> None:
        space_id = (await world.api.post("/space", {}))["id"]
        session_id = await taught(world, told(secret), space_id, said=secret)
        with asleep(world.stack, sleeper):
            await delete(world, session_id)
        await gone(world, session_id, secret)
        await assert_unknown(world, session_id)

    @pytest.mark.parametrize("victim", ["ingest", "search", "mongo", "s3", "qdrant"])
    async def test_leaves_nothing_though_somebody_is_killed_over_it(
        self, victim: str, world: World, secret: str
    ) -> None:
        space_id = (await world.api.post("/space", {}))["id"]
        session_id = await taught(world, told(secret), space_id, said=secret)
        async with client(world) as http:
            assert (await http.delete(f"/session/{session_id}")).status_code == 200
        world.stack.kill_and_await_restart(victim)
        await gone(world, session_id, secret)

    async def test_can_be_read_nowhere_though_the_log_itself_is_killed_over_it(self, world: World, secret: str) -> None:
        """The one event that nats-server was overwriting at that instant stays in its file, out of reach (ADR 3)."""
        space_id = (await world.api.post("/space", {}))["id"]
        session_id = await taught(world, told(secret), space_id, said=secret)
        async with client(world) as http:
            assert (await http.delete(f"/session/{session_id}")).status_code == 200
        world.stack.kill_and_await_restart("nats")
        await gone(world, session_id, secret, but="file ")
        assert len(world.events_in_files_with(secret)) <= 1

    @pytest.mark.parametrize("observed", [0, 16, 64])
    async def test_leaves_nothing_where_it_was_just_being_observed(
        self, observed: int, world: World, secret: str
    ) -> None:
        space_id = (await world.api.post("/space", {}))["id"]
        messages = told(secret) * 6
        in_the_middle = False
        while not in_the_middle:
            with asleep(world.stack, "observer"):
                session_id = await talk(world, messages, space_id, said=secret)
                in_the_middle = observed == 0
                if in_the_middle:
                    await delete(world, session_id)
            if not in_the_middle:
                await until(lambda of=session_id: has_observed(world, of, observed), DEADLINE)  # type: ignore[misc] # bound at once
                with asleep(world.stack, "observer"):
                    in_the_middle = not await has_observed(world, session_id, len(messages))
                    await delete(world, session_id)
            await gone(world, session_id, secret)

    async def test_takes_nothing_of_others_along(self, world: World, secret: str) -> None:
        space_id = (await world.api.post("/space", {}))["id"]
        other = await taught(world, PHONE_TO_THE_END, space_id)
        session_id = await taught(world, told(secret), space_id, said=secret)
        before = [await world.api.get(f"/session/{other}/{what}") for what in ("messages", "task", "lessons")]
        assert len(await found(world, space_id)) > 1
        await delete(world, session_id)
        await gone(world, session_id, secret)
        assert [await world.api.get(f"/session/{other}/{what}") for what in ("messages", "task", "lessons")] == before
        assert len(await found(world, space_id)) == 1

    async def test_is_not_made_again_by_the_key_that_made_it(self, world: World) -> None:
        key = {"Idempotency-Key": str(uuid4())}
        async with client(world) as http:
            session_id = (await http.post("/session", json={}, headers=key)).json()["data"]["id"]
            assert (await http.delete(f"/session/{session_id}")).status_code == 200
            assert (await http.post("/session", json={}, headers=key)).status_code == 404
        await assert_unknown(world, session_id)

    async def test_is_still_gone_after_a_restart_of_everything(self, stack: Stack, secret: str) -> None:
        async with behind(stack) as world:
            space_id = (await world.api.post("/space", {}))["id"]
            session_id = await taught(world, told(secret), space_id, said=secret)
            stack.kill("ingest", signal.SIGSTOP)
            await delete(world, session_id)
            stack.kill("ingest")
            stack.stop()
        stack.start()
        async with behind(stack) as world:
            await assert_unknown(world, session_id)
            await gone(world, session_id, secret)


async def found(world: World, space_id: str) -> list[Document]:
    blocks: list[Document] = (await world.api.get(f"/space/{space_id}/experience_search", query=WORTH))["cited_blocks"]
    return blocks


async def has_observed(world: World, session_id: str, through: int) -> bool:
    """Tell whether the log says that the board has read that far."""
    board = Address(Kind.BOARD, DEFAULT_PROJECT, session_id)
    return any(
        [
            isinstance(recorded.event, SessionObserved) and recorded.event.through_position >= through
            async for recorded in world.log.read(board)
        ]
    )
