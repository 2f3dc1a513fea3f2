"""Reading 50 messages of a short session and of a long one: the newest, and a page from the middle."""

import asyncio
import json
import time
from pathlib import Path
from statistics import median
from typing import Final

from tests.benchmarks.load import BODY, Connection, create_sessions

from craftlog.gateway.cursors import encode
from craftlog.testing.stack import Stack

PAGE: Final = 50
SHORT: Final = 50
LONG: Final = 20_000
IN_BATCH: Final = 500
READS: Final = 300
PATIENCE: Final = 60.0


def measure(folder: Path) -> dict[str, float]:
    """Return the median latency (ms) of each page and the ratios to that of the short session."""
    with Stack(folder, only=("nats", "mongo", "ingest", "gateway")) as stack:
        return asyncio.run(_measure(stack))


async def _measure(stack: Stack) -> dict[str, float]:
    connection = Connection(stack.port, stack.token)
    await connection.open()
    short, long = await create_sessions(stack.port, stack.token, 2)
    await _fill(connection, short, SHORT)
    await _fill(connection, long, LONG)
    newest = f"?limit={PAGE}&time_desc=true"
    pages = {
        "short": short + newest,
        "newest": long + newest,
        "middle": f"{long}?limit={PAGE}&cursor={encode(LONG // 2)}",
    }
    took: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(READS):
        for name, path in pages.items():
            took[name].append(await _read(connection, path))
    await connection.close()
    own = {name: median(times) for name, times in took.items()}
    return {
        f"GET {PAGE} messages of {SHORT}: p50 ms": own["short"],
        f"GET the newest {PAGE} of {LONG:,}: p50 ms": own["newest"],
        f"GET {PAGE} from the middle of {LONG:,}: p50 ms": own["middle"],
        f"RATIO newest of {LONG:,} / of {SHORT} (target <= 1.5)": own["newest"] / own["short"],
        f"RATIO middle of {LONG:,} / of {SHORT} (target <= 1.5)": own["middle"] / own["short"],
    }


async def _fill(connection: Connection, path: str, count: int) -> None:
    """Append so many messages and return when they can be read."""
    blob = json.loads(BODY)["blob"]
    for at in range(0, count, IN_BATCH):
        body = json.dumps({"format": "openai", "blobs": [blob] * min(IN_BATCH, count - at)}).encode()
        status, answer = await connection.post(f"{path}/batch", body)
        assert status == 201, answer
    deadline = time.monotonic() + PATIENCE
    while (await connection.ask("GET", f"{path}?limit=1"))[
        0
    ] == 503:  # it waits for the read model by itself, 5 s each time
        assert time.monotonic() < deadline, "the read model does not catch up"


async def _read(connection: Connection, path: str) -> float:
    start = time.perf_counter()
    status, body = await connection.ask("GET", path)
    took = (time.perf_counter() - start) * 1000
    assert status == 200, body
    assert len(json.loads(body)["data"]["items"]) == PAGE
    return took
