"""Appending over HTTP, with only the gateway and nats-server up, beside the floor."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.load import CONNECTIONS, Load, create_sessions, median, post_for

from craftlog.cli.folder import free_port
from craftlog.testing.stack import Stack

SECONDS = 4.0
ROUNDS = 3


@contextmanager
def floor(nats_url: str) -> Iterator[int]:
    """Run the bare app and give its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.bare", str(port), nats_url])
    try:
        asyncio.run(_answers(port))
        yield port
    finally:
        process.terminate()
        process.wait(10)


async def _answers(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def measure(folder: Path) -> dict[str, float]:
    """Return rates (1/s), latencies (ms), errors and ratios; bare and ours take turns, and the median round counts."""
    with Stack(folder, only=("nats", "gateway")) as stack, floor(stack.env["CRAFTLOG_NATS_URL"]) as bare:
        paths = asyncio.run(create_sessions(stack.port, stack.token, CONNECTIONS))
        bares: list[Load] = []
        many: list[Load] = []
        ones: list[Load] = []
        for _ in range(ROUNDS):
            bares.append(asyncio.run(post_for(SECONDS, bare, ["/"] * CONNECTIONS, stack.token)))
            many.append(asyncio.run(post_for(SECONDS, stack.port, paths, stack.token)))
            ones.append(asyncio.run(post_for(SECONDS, stack.port, paths[:1] * CONNECTIONS, stack.token)))
    floor_load, many_load, one_load = median(bares), median(many), median(ones)
    return {
        "bare publish a request, 64 connections: requests/s": floor_load.rate,
        "bare: p99 ms": floor_load.percentile(0.99),
        "append, 64 connections to 64 sessions: requests/s": many_load.rate,
        "append to 64 sessions: p50 ms": many_load.percentile(0.5),
        "append to 64 sessions: p99 ms": many_load.percentile(0.99),
        "append to 64 sessions: errors": sum(load.failed for load in many),
        "append, 64 connections to one session: requests/s": one_load.rate,
        "append to one session: p99 ms": one_load.percentile(0.99),
        "append to one session: errors": sum(load.failed for load in ones),
        "RATIO append to 64 sessions / bare (target >= 0.40)": many_load.rate / floor_load.rate,
        "RATIO p99 at 64 sessions / bare (target <= 4)": many_load.percentile(0.99) / floor_load.percentile(0.99),
        "RATIO append to one session / bare": one_load.rate / floor_load.rate,
    }
