"""How long everything needs to catch up after a minute of appends at full rate, with all services up."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
from tests.benchmarks.load import CONNECTIONS, create_sessions, post_for

from craftlog.testing.stack import Stack

SECONDS = 60.0
PATIENCE = 120.0


def measure(folder: Path) -> dict[str, float]:
    """Return the rate (1/s), the greatest lag left (events) when the load ends, and the seconds until none is left."""
    with Stack(folder) as stack:
        paths = asyncio.run(create_sessions(stack.port, stack.token, CONNECTIONS))
        load = asyncio.run(post_for(SECONDS, stack.port, paths, stack.token))
        end = time.perf_counter()
        left = lags(stack)
        worst = max(left.values())
        while any(left.values()) and time.perf_counter() < end + PATIENCE:
            time.sleep(0.1)
            left = lags(stack)
        seconds = time.perf_counter() - end
    return {
        "append with everything up, 60 s: requests/s": load.rate,
        "append with everything up: p99 ms": load.percentile(0.99),
        "append with everything up: errors": sum(load.errors.values()),
        "greatest lag when the load ends: events": worst,
        "SECONDS until no consumer lags (target <= 5)": seconds,
    }


def lags(stack: Stack) -> dict[str, int]:
    """Return how many events each consumer has not yet applied."""
    # Under full load a service may be late to say how it is: 503, with the same shape.
    health: dict[str, Any] = httpx.get(f"{stack.base_url}/health", timeout=10).json()["data"]
    consumers = [consumer for service in health["services"].values() for consumer in service["consumers"]]
    # Due work is no lag: it becomes due by the clock, some of it only when its session has been silent for a while.
    return {consumer["name"]: consumer["lag"] for consumer in consumers if not consumer["name"].endswith("_due")}
