"""Single real servers from the wheels, for tests of what talks to one of them."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from craftlog.cli.child import Child, die_with
from craftlog.cli.embedded import mongo, nats, qdrant, s3
from craftlog.cli.folder import free_port

PATIENCE: Final = 30.0  # seconds for a server to serve, and to stop
_EVERY: Final = 0.02


class Server:
    """One server that a test may kill and start again on the same files and port; ``url`` is where clients reach it."""

    def __init__(self, child: Child, url: str, log: Path) -> None:
        self.url = url
        self._child = child
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return when it serves.

        Raises:
            TimeoutError: it does not; the text has the end of its log.
        """
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._child.argv,
                env=self._child.environment,
                cwd=self._child.folder,
                stdout=log,
                stderr=log,
                preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 - it only calls the C library
            )
        # In a thread, because the test that asks may itself run in an event loop.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, self._served()).result()

    def kill(self) -> None:
        """Kill it as -9 does, and return when it is gone."""
        assert self._process is not None, "it was never started"
        self._process.kill()
        self._process.wait(PATIENCE)

    def stop(self) -> None:
        """Stop it as the system does at a shutdown."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)

    async def _served(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not await self._child.ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._child.name} does not serve: {self._log.read_text()[-2000:]}")
            await asyncio.sleep(_EVERY)


@dataclass(frozen=True, slots=True)
class S3:
    """An S3 server with one bucket, which exists; ``endpoint`` is ``host:port``."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str
    region: str


@contextmanager
def running(child: Child, url: str, folder: Path) -> Iterator[Server]:
    """Run a server until the end of the block."""
    server = Server(child, url, folder / f"{child.name}.log")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def nats_server(folder: Path) -> Iterator[Server]:
    """Run a nats-server with JetStream in ``folder``."""
    port = free_port()
    with running(nats.server(folder, port), nats.url(port), folder) as server:
        yield server


@contextmanager
def mongo_server(folder: Path) -> Iterator[Server]:
    """Run a server of MongoDB's wire protocol in ``folder``."""
    port = free_port()
    with running(mongo.server(folder, port), mongo.url(port), folder) as server:
        yield server


@contextmanager
def qdrant_server(folder: Path) -> Iterator[Server]:
    """Run the embedded index in ``folder``."""
    port = free_port()
    with running(qdrant.server(folder / "collections", port), qdrant.url(port), folder) as server:
        yield server


@contextmanager
def s3_server(folder: Path) -> Iterator[S3]:
    """Run an S3 server in ``folder``."""
    ports: dict[str, int] = {}
    for name in s3.PORTS:
        ports[name] = free_port(list(ports.values()))
    access = S3(s3.endpoint(ports), "access-for-tests", "secret-for-tests", s3.BUCKET, s3.REGION)
    with running(s3.server(folder, ports, access.access_key, access.secret_key), access.endpoint, folder):
        yield access
