"""The supervisor, with small programs that die, linger and ignore."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from craftlog.cli import supervisor as supervising
from craftlog.cli.child import Child
from craftlog.cli.supervisor import ChildError, Supervisor

DEADLINE = 15.0


def child(name: str, source: str, *arguments: Path) -> Child:
    """Return a Python program that is ready once it has made the file that is its first argument."""

    async def ready() -> bool:
        return not arguments or arguments[0].exists()

    return Child(name, (sys.executable, "-c", source, *map(str, arguments)), ready)


STAYS = "import time; time.sleep(60)"
FAILS = "raise SystemExit('no luck')"
IGNORES = """
import pathlib, signal, sys, time
signal.signal(15, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""
# Says in the file who was told to end, in which order.
REPORTS = """
import pathlib, signal, sys, time
def end(*_):
    with open(sys.argv[2], "a") as file: file.write(pathlib.Path(sys.argv[1]).name + " ")
    raise SystemExit
signal.signal(15, end)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""
# Starts a program of its own, which ignores SIGTERM, and writes down its process.
PARENT = """
import pathlib, subprocess, sys, time
inner = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
process = subprocess.Popen([sys.executable, "-c", inner], stdout=subprocess.PIPE)
process.stdout.readline()
pathlib.Path(sys.argv[1]).write_text(str(process.pid))
time.sleep(60)
"""


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)


def recorded(root: Path, name: str) -> tuple[int | None, int]:
    child = json.loads((root / "children.json").read_text())[name]
    return child["pid"], child["restarts"]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "FIRST_DELAY", 0.01)


class TestRestarts:
    async def test_a_child_that_dies_is_started_again(self, tmp_path: Path) -> None:
        async with Supervisor(tmp_path) as supervisor:
            await supervisor.start([child("stays", STAYS)])
            await until(lambda: recorded(tmp_path, "stays")[0] is not None)
            pid, _ = recorded(tmp_path, "stays")
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda: recorded(tmp_path, "stays")[1] == 1 and recorded(tmp_path, "stays")[0] is not None)
            assert recorded(tmp_path, "stays")[0] != pid

    async def test_five_deaths_in_a_minute_end_it_with_the_name_and_the_log(self, tmp_path: Path) -> None:
        async with Supervisor(tmp_path) as supervisor:
            await supervisor.start([child("fails", FAILS), child("stays", STAYS)])
            error = await asyncio.wait_for(supervisor.broken(), DEADLINE)
        log = tmp_path / "logs" / "fails.log"
        assert str(error) == f"fails died 5 times within a minute; its log is {log}"
        assert log.read_text().count("no luck") == 5

    async def test_a_child_that_dies_while_one_waits_for_it_ends_the_start(self, tmp_path: Path) -> None:
        async with Supervisor(tmp_path) as supervisor:
            with pytest.raises(ChildError, match="fails died 5 times"):
                await supervisor.start([child("fails", FAILS, tmp_path / "never")])

    async def test_a_program_that_cannot_be_started_is_named(self, tmp_path: Path) -> None:
        missing = Child("missing", (str(tmp_path / "missing"),), child("", "", tmp_path / "never").ready)
        async with Supervisor(tmp_path) as supervisor:
            with pytest.raises(ChildError, match="cannot start missing"):
                await supervisor.start([missing])

    async def test_a_child_that_never_serves_ends_the_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(supervising, "START_PATIENCE", 0.2)
        async with Supervisor(tmp_path) as supervisor:
            with pytest.raises(ChildError, match=r"stays did not serve .* its log is .*stays\.log"):
                await supervisor.start([child("stays", STAYS, tmp_path / "never")])


class TestStopping:
    async def test_the_group_started_last_is_stopped_first(self, tmp_path: Path) -> None:
        order = tmp_path / "order"
        async with Supervisor(tmp_path) as supervisor:
            await supervisor.start([child("server", REPORTS, tmp_path / "server", order)])
            await supervisor.start([child("service", REPORTS, tmp_path / "service", order)])
        assert order.read_text() == "service server "

    async def test_a_child_that_ignores_the_request_is_killed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(supervising, "STOP_PATIENCE", 0.2)
        async with Supervisor(tmp_path) as supervisor:
            await supervisor.start([child("ignores", IGNORES, tmp_path / "up")])
            pid, _ = recorded(tmp_path, "ignores")
        assert pid is not None
        assert not is_running(pid)
        assert recorded(tmp_path, "ignores") == (None, 0)

    async def test_what_a_child_started_itself_ends_with_it(self, tmp_path: Path) -> None:
        async with Supervisor(tmp_path) as supervisor:
            await supervisor.start([child("parent", PARENT, tmp_path / "pid")])
            await until(lambda: (tmp_path / "pid").read_text() != "")
            inner = int((tmp_path / "pid").read_text())
            assert is_running(inner)
        await until(lambda: not is_running(inner))
