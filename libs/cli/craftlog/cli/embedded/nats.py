"""The log: a nats-server of the wheel, with JetStream on file and an fsync before every acknowledgement."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError

from craftlog.cli.child import Child, program
from craftlog.cli.folder import LOOPBACK, write

# Left out, max_file_store is three quarters of what is free at the start. Nothing but the disk is to bound the log.
_CONFIG = """\
host: {host}
port: {port}
server_name: craftlog
max_payload: 8MB
jetstream {{ store_dir: {store}, max_memory_store: 256MB, max_file_store: 1024TB, sync_interval: always }}
"""


def url(port: int) -> str:
    """Return where clients reach it."""
    return f"nats://{LOOPBACK}:{port}"


def server(folder: Path, port: int) -> Child:
    """Return the server that keeps its streams in ``folder``."""
    config = folder / "nats.conf"
    write(config, _CONFIG.format(host=LOOPBACK, port=port, store=_quoted(folder / "jetstream")))

    async def ready() -> bool:
        try:
            async with connected(url(port)) as client:
                await client.jetstream(timeout=1).account_info()
        except (OSError, NatsError, TimeoutError):
            return False
        return True

    return Child("nats", (program("nats-server"), "-c", str(config)), ready)


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Client]:
    """Give a connection for one question; it never waits for a server that is not there.

    Raises:
        OSError, nats.errors.Error: nobody listens there, or no NATS server, or it refuses us.
    """
    client = await nats.connect(
        address,
        connect_timeout=1,
        allow_reconnect=False,
        max_reconnect_attempts=1,  # these two count for the first connection, too: without them it takes two minutes
        reconnect_time_wait=0,
        error_cb=_quiet,
    )
    try:
        yield client
    finally:
        await client.close()


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


async def _quiet(_: Exception) -> None:
    """Say nothing: that it is not there yet is what the probe is about."""
