"""A service ends when it is told to, even before it has found what it needs."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

PATIENCE = 30


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Give a server that takes connections and says nothing, as one that hangs."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        yield server


@pytest.mark.parametrize("service", ["ingest", "gateway"])
def test_one_that_waits_for_the_log_ends_at_a_signal(service: str, silent: socket.socket):
    port = silent.getsockname()[1]
    environment = {**os.environ, "CRAFTLOG_NATS_URL": f"nats://127.0.0.1:{port}", "CRAFTLOG_PORT": "0"}
    command = [sys.executable, "-m", f"craftlog.{service}"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            connection, _ = silent.accept()
            with connection:
                process.terminate()
                assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
