"""Appends of 1, 16 and 128 clients, each to a session of its own, beside the floor: on this disk and on a slow one."""

import asyncio
from pathlib import Path
from typing import Final

from tests.benchmarks import disk
from tests.benchmarks.appending import floor
from tests.benchmarks.load import Load, create_sessions, median, post_for

from craftlog.testing.stack import Stack

CLIENTS: Final = (1, 16, 128)
SECONDS: Final = 2.0
ROUNDS: Final = 3


def measure(folder: Path) -> dict[str, float]:
    """Return rates (1/s), latencies (ms), errors and ratios; bare and ours take turns, and the median round counts."""
    figures: dict[str, float] = {}
    with Stack(folder, only=("nats", "gateway")) as stack, floor(stack.env["CRAFTLOG_NATS_URL"]) as bare:
        paths = asyncio.run(create_sessions(stack.port, stack.token, max(CLIENTS)))
        for clients in CLIENTS:
            figures |= _beside(stack, bare, paths[:clients], "this disk", 0.6)
        pid = stack.children()["nats"]["pid"]
        assert pid is not None, "nats-server does not run"
        with disk.slow(pid):
            for clients in CLIENTS:
                figures |= _beside(stack, bare, paths[:clients], f"{disk.DELAY_MS} ms disk", 5)
    return figures


def _beside(stack: Stack, bare: int, paths: list[str], where: str, target: float) -> dict[str, float]:
    bares: list[Load] = []
    ours: list[Load] = []
    for _ in range(ROUNDS):
        bares.append(asyncio.run(post_for(SECONDS, bare, ["/"] * len(paths), stack.token)))
        ours.append(asyncio.run(post_for(SECONDS, stack.port, paths, stack.token)))
    least, own = median(bares), median(ours)
    name = f"{where}, {len(paths)} client{'s' if len(paths) > 1 else ''}"
    wanted = f" (target >= {target:g})" if len(paths) == max(CLIENTS) else ""
    return {
        f"bare, {name}: requests/s": least.rate,
        f"bare, {name}: p50 ms": least.percentile(0.5),
        f"bare, {name}: p99 ms": least.percentile(0.99),
        f"append, {name}: requests/s": own.rate,
        f"append, {name}: p50 ms": own.percentile(0.5),
        f"append, {name}: p99 ms": own.percentile(0.99),
        f"append, {name}: errors": sum(load.failed for load in ours),
        f"RATIO append / bare, {name}{wanted}": own.rate / least.rate,
    }
