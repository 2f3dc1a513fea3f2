"""A flush under a thousand messages: it ends when all are read, or says how far it got; who hangs up leaves nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from tests.faults.conftest import token_of
from tests.faults.observers import granted, observing
from tests.faults.sessions import observed_once
from tests.faults.world import World

from craftlog.contracts.events import FlushRequested
from craftlog.contracts.readmodels import OBSERVER_DUE
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.app import GatewaySettings, build
from craftlog.gateway.errors import UnfinishedError
from craftlog.gateway.flushing import FLUSH_BUDGET, flush
from craftlog.gateway.handlers import Gateway
from craftlog.testing.scripted_model import Json, Reply, scripted_model
from craftlog.testing.stack import Stack
from craftlog.testing.waiting import until

PROJECT = "flushed"
MESSAGES = 1_000
BATCHES = 63
PAST_THE_BUDGET = 0.5  # seconds an answer: more than 25 for all of them
CLIENTS = 60


def slow(body: Json) -> Reply:
    return Reply(granted(body).content, after=PAST_THE_BUDGET)


def away(_: Json) -> Reply:
    return Reply("not now", status=503)


async def begun(world: World, messages: int) -> Address:
    """Return a session with so many messages."""
    made = await world.api.post("/session", {})
    said = [{"role": "user", "content": f"Please book flight {number}."} for number in range(messages)]
    for start in range(0, messages, 500):
        await world.api.post(f"/session/{made['id']}/messages/batch", {"blobs": said[start : start + 500]})
    return Address(Kind.SESSION, made["project_id"], made["id"])


@asynccontextmanager
async def gateway_beside(stack: Stack, project: str) -> AsyncIterator[tuple[Gateway, int]]:
    """Run a gateway in this process beside the stack's own; give what its routes work with, and its port."""
    named = {name.removeprefix("CRAFTLOG_").lower(): value for name, value in stack.env.items()}
    app = build(GatewaySettings.model_validate({**named, "tokens": {token_of(PROJECT): project}}))
    config = uvicorn.Config(app, port=0, http="craftlog.gateway.connections:Connection", log_level="warning")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())

    async def started() -> bool:
        return server.started

    await until(started)
    inner = app
    while not hasattr(inner, "state"):
        inner = inner._app
    try:
        yield inner.state.gateway, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


async def test_ends_when_all_is_read_and_says_before_how_far_it_got(world: World) -> None:
    # Before anybody observes: a batch that begins with half of them would be one more.
    session = await begun(world, MESSAGES)
    with scripted_model(slow) as model, observing(world.stack, model):
        path = f"{world.stack.base_url}/api/v1/session/{session.id}/flush"
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token_of(PROJECT)}"}, timeout=40) as http:
            late = await http.post(path)
            assert late.status_code == 503, late.text
            assert int(late.headers["Retry-After"]) >= 1
            [reached] = [int(word) for word in late.json()["msg"].split(" of ")[:1]]
            assert 0 < reached < MESSAGES
            done = await http.post(path)
        assert (done.status_code, done.json()["data"]) == (200, {"status": 200, "errmsg": ""})
        assert len(model.asked) == BATCHES
    await observed_once(world, [session.id])
    assert await requests_of(world, session) == 1


async def test_asks_once_while_nobody_observes_and_once_more_where_it_was_heard_in_vain(world: World) -> None:
    session = await begun(world, 5)
    async with gateway_beside(world.stack, session.project) as (gateway, _):

        async def goes_on_waiting(after: int) -> bool:
            """Flush in vain; tell whether so many requests are in the log then."""
            with pytest.raises(UnfinishedError):
                await flush(gateway, session, nobody_hangs_up, budget=0.2)
            return await requests_of(world, session) == after

        for _ in range(3):
            assert await goes_on_waiting(after=1)
        with scripted_model(away) as model, observing(world.stack, model):

            async def noted() -> bool:
                return bool((await gateway.reads.observing_due(session.id)).get("error"))

            await until(noted)
        await world.database[OBSERVER_DUE].delete_one({"_id": session.id})
        await until(lambda: goes_on_waiting(after=2))
        assert await goes_on_waiting(after=2)
        with scripted_model(granted) as model, observing(world.stack, model):
            assert await flush(gateway, session, nobody_hangs_up, budget=60) == (200, "")
    assert await requests_of(world, session) == 2


async def requests_of(world: World, session: Address) -> int:
    """Return how often a flush of a session was requested."""
    return len([past async for past in world.log.read(session) if isinstance(past.event, FlushRequested)])


async def test_says_why_it_waits_and_goes_on_when_the_model_is_back(world: World) -> None:
    session = await begun(world, 5)
    async with gateway_beside(world.stack, session.project) as (gateway, _):
        with scripted_model(away) as model, observing(world.stack, model):

            async def says_why() -> bool:
                with pytest.raises(UnfinishedError) as unfinished:
                    await flush(gateway, session, nobody_hangs_up, budget=0.5)
                assert str(unfinished.value).startswith("0 of 5 messages are observed")
                return "waiting because of: the model does not answer; next attempt at" in str(unfinished.value)

            await until(says_why)
            model.script = granted
            assert await flush(gateway, session, nobody_hangs_up, budget=60) == (200, "")


async def nobody_hangs_up() -> Json:
    return await asyncio.get_running_loop().create_future()


async def test_leaves_nothing_behind_of_clients_that_hang_up(world: World) -> None:
    session = await begun(world, 5)
    async with gateway_beside(world.stack, session.project) as (gateway, port):
        before = asyncio.all_tasks()

        async def idle() -> bool:
            return asyncio.all_tasks() == before and gateway.heads._waiting == {}

        async def all_wait() -> bool:
            return sum(len(waiting) for waiting in gateway.heads._waiting.values()) == CLIENTS

        clients = [await asking(port, f"/api/v1/session/{session.id}/flush") for _ in range(CLIENTS)]
        try:
            await until(all_wait)
        finally:
            for client in clients:
                client.close()
                await client.wait_closed()
        await until(idle, FLUSH_BUDGET / 2)  # by itself the waiting ends later


async def asking(port: int, path: str) -> asyncio.StreamWriter:
    """Send a request, and wait for no answer."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = [
        f"POST {path} HTTP/1.1",
        "Host: craftlog",
        f"Authorization: Bearer {token_of(PROJECT)}",
        "Content-Length: 0",
    ]
    writer.write("\r\n".join([*head, "", ""]).encode())
    await writer.drain()
    return writer
