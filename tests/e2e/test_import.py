"""`craftlog import` of a hundred real runs, through every service: each message once and in order, a task each run."""

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import nats
import pytest

from craftlog.cli.child import program
from craftlog.cli.client import Api
from craftlog.contracts.subjects import STREAM, Kind, every
from craftlog.testing.stack import Stack

T = TypeVar("T")

RUNS = Path(__file__).parents[3] / "shared" / "data" / "airline_runs.jsonl"
DEADLINE = 300.0  # seconds for an import
AT_ONCE = 8

pytestmark = pytest.mark.shared


@dataclass(frozen=True)
class Imported:
    """What the command said that it stored, and the runs by the session that each became."""

    said: dict[str, Any]
    runs: dict[str, list[dict[str, Any]]]


def import_(stack: Stack) -> dict[str, Any]:
    argv = [program("craftlog"), "import", str(RUNS), "--url", stack.base_url, "--token", stack.token, "--json"]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    said: dict[str, Any] = json.loads(ended.stdout)
    assert said["refused"] == []
    return said


async def for_each(sessions: Sequence[str], ask: Callable[[str], Awaitable[T]]) -> dict[str, T]:
    """Ask about all sessions, a few at a time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(session_id: str) -> T:
        async with turn:
            return await ask(session_id)

    answers = await asyncio.gather(*map(one, sessions))
    return dict(zip(sessions, answers, strict=True))


async def events_of(stack: Stack, kind: Kind) -> dict[str, int]:
    """Return how many events each aggregate of a kind has in the log, by its subject."""
    client = await nats.connect(stack.env["CRAFTLOG_NATS_URL"])
    info = await client.jetstream().stream_info(STREAM, subjects_filter=every(kind))
    await client.close()
    return dict(info.state.subjects or {})


@pytest.fixture(scope="module")
def imported(stack: Stack) -> Imported:
    if not RUNS.exists():
        pytest.skip(f"the runs are not here: {RUNS}")
    runs = [json.loads(line)["messages"] for line in RUNS.read_text().splitlines()]
    said = import_(stack)
    return Imported(said, {one["session_id"]: runs[one["line"] - 1] for one in said["imported"]})


@pytest.fixture
async def api(stack: Stack) -> Any:
    async with Api(stack.base_url, stack.token) as api:
        yield api


class TestImport:
    async def test_every_message_is_stored_once_in_order_and_as_it_was_sent(self, imported: Imported, api: Api) -> None:
        assert len(imported.runs) == len(RUNS.read_text().splitlines())
        stored = await for_each(list(imported.runs), lambda session: api.get(f"/session/{session}/messages"))
        assert {session: answer["items"] for session, answer in stored.items()} == imported.runs
        ids = [message_id for answer in stored.values() for message_id in answer["ids"]]
        assert len(set(ids)) == len(ids)

    async def test_every_session_has_a_task(self, imported: Imported, api: Api) -> None:
        await for_each(list(imported.runs), lambda session: api.post(f"/session/{session}/flush"))
        tasks = await for_each(list(imported.runs), lambda session: api.get(f"/session/{session}/task"))
        assert [session for session, answer in tasks.items() if not answer["items"]] == []

    async def test_importing_twice_adds_nothing(self, imported: Imported, stack: Stack) -> None:
        kinds = (Kind.SESSION, Kind.SPACE)
        before = [await events_of(stack, kind) for kind in kinds]
        assert len(before[0]) >= len(imported.runs)
        again = import_(stack)
        assert again["space_id"] == imported.said["space_id"]
        assert {one["session_id"]: one["line"] for one in again["imported"]} == {
            one["session_id"]: one["line"] for one in imported.said["imported"]
        }
        assert [await events_of(stack, kind) for kind in kinds] == before
