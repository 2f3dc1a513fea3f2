"""Messages a second that come in batches over HTTP, beside the same messages one by one."""

import asyncio
import json
from pathlib import Path
from typing import Final

from tests.benchmarks.load import BODY, Load, create_sessions, median, post_for

from craftlog.testing.stack import Stack

CLIENTS: Final = (1, 16)
IN_BATCH: Final = 100
SECONDS: Final = 2.0
ROUNDS: Final = 3
MANY: Final = json.dumps({"format": "openai", "blobs": [json.loads(BODY)["blob"]] * IN_BATCH}).encode()


def measure(folder: Path) -> dict[str, float]:
    """Return messages a second of both, of the median round, errors and ratios."""
    figures: dict[str, float] = {}
    with Stack(folder, only=("nats", "gateway")) as stack:
        paths = asyncio.run(create_sessions(stack.port, stack.token, max(CLIENTS)))
        for clients in CLIENTS:
            figures |= _beside(stack, paths[:clients])
    return figures


def _beside(stack: Stack, paths: list[str]) -> dict[str, float]:
    singles: list[Load] = []
    batches: list[Load] = []
    for _ in range(ROUNDS):
        singles.append(asyncio.run(post_for(SECONDS, stack.port, paths, stack.token)))
        into = [f"{path}/batch" for path in paths]
        batches.append(asyncio.run(post_for(SECONDS, stack.port, into, stack.token, MANY)))
    single, batch = median(singles).rate, median(batches).rate * IN_BATCH
    name = f"{len(paths)} client{'s' if len(paths) > 1 else ''}"
    return {
        f"append one by one, {name}: messages/s": single,
        f"append {IN_BATCH} at once, {name}: messages/s": batch,
        f"append {IN_BATCH} at once, {name}: errors": sum(load.failed for load in (*singles, *batches)),
        f"RATIO {IN_BATCH} at once / one by one, {name} (target >= 5)": batch / single,
    }
