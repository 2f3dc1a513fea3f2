"""A gateway of one's own beside the running stack or beside single servers, and a client of a gateway."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import httpx
import nats
import pytest
from tests.gateway.described import assert_described

from craftlog.gateway.app import GatewaySettings, assemble
from craftlog.gateway.handlers import Gateway
from craftlog.runtime.mongo import Database, connect
from craftlog.runtime.settings import Settings
from craftlog.testing.stack import Stack

Serve = Callable[..., httpx.Client]
NOWHERE = "mongodb://127.0.0.1:9/?directConnection=true&retryWrites=false"
PATIENCE = 30.0


@pytest.fixture(scope="session")
def http(stack: Stack) -> Iterator[httpx.Client]:
    """Give a client of the whole of Craftlog, with the key of its first project."""
    with client(stack.base_url, stack.token) as made:
        yield made


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Give a function that starts a gateway with these settings and returns a client of it."""
    with ExitStack() as stack:

        def start(token: str, **settings: str) -> httpx.Client:
            port = free_port()
            log = stack.enter_context((tmp_path / f"{port}.log").open("w"))
            environment = {f"CRAFTLOG_{name.upper()}": value for name, value in settings.items()}
            process = subprocess.Popen(
                [sys.executable, "-m", "craftlog.gateway"],
                env={**os.environ, **environment, "CRAFTLOG_PORT": str(port)},
                stderr=log,
            )
            stack.callback(process.wait, PATIENCE)
            stack.callback(process.terminate)
            made = stack.enter_context(client(f"http://127.0.0.1:{port}", token))
            await_live(made, process)
            return made

        yield start


def client(base_url: str, token: str) -> httpx.Client:
    return httpx.Client(
        base_url=base_url,
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
        event_hooks={"response": [assert_described]},
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def await_live(gateway: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if gateway.get("/live").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the gateway does not serve")


@pytest.fixture
async def database(mongo_url: str) -> AsyncIterator[Database]:
    """Give a database of the test's own."""
    made = connect(Settings(mongo_url=mongo_url, mongo_database=f"gateway_{uuid4().hex}"))
    yield made
    made.client.close()


@pytest.fixture
async def gateway(nats_url: str, database: Database) -> AsyncIterator[Gateway]:
    """Give a gateway without HTTP, on a log and a MongoDB where nobody projects."""
    client = await nats.connect(nats_url)
    made = assemble(GatewaySettings(nats_url=nats_url), client, database)
    await made.log.prepare()
    await made.heads.listen()
    yield made
    await made.objects.aclose()
    await client.close()


@pytest.fixture
async def beside(stack: Stack) -> AsyncIterator[Gateway]:
    """Give a gateway without HTTP that works on the same log and stores as the running stack."""
    found = {name.removeprefix("CRAFTLOG_").lower(): value for name, value in stack.env.items()}
    settings = GatewaySettings.model_validate(found)
    client, database = await nats.connect(settings.nats_url), connect(settings)
    made = assemble(settings, client, database)
    await made.heads.listen()
    yield made
    await made.objects.aclose()
    await client.close()
    database.client.close()
