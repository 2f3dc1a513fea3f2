"""`craftlog up` as a process, with the four servers alone."""

import io
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import nats
import pytest
from minio import Minio
from pymongo import AsyncMongoClient
from qdrant_client import AsyncQdrantClient, models

from craftlog.cli.child import program
from craftlog.cli.folder import LOOPBACK, free_port
from craftlog.testing.stack import Stack

SERVERS = ("nats", "mongo", "s3", "qdrant")
DEADLINE = 20.0


def pids(stack: Stack) -> list[int]:
    return [child["pid"] for child in stack.children().values() if child["pid"] is not None]


def left(processes: list[int]) -> list[int]:
    """Return those that still run, after a while if need be."""
    deadline = time.monotonic() + DEADLINE
    while (running := [pid for pid in processes if _is_running(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return running


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def refused(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run a command that must end with status 1, and return what it says."""
    ended = subprocess.run(
        [program("craftlog"), *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        env={**os.environ, **(env or {})},
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    return ended.stderr


@pytest.fixture
def log_alone(tmp_path: Path) -> Iterator[Stack]:
    with Stack(tmp_path / "data", only=["nats"]) as stack:
        yield stack


class TestServing:
    async def test_everything_is_found_again_even_if_the_ports_were_taken(self, tmp_path: Path) -> None:
        with Stack(tmp_path, only=SERVERS) as stack:
            await write_everywhere(stack.env)
        first = json.loads((tmp_path / "ports.json").read_text())
        with ExitStack() as taken:
            for port in first.values():
                taken.enter_context(socket.create_server((LOOPBACK, port)))
            with stack:
                assert set(json.loads((tmp_path / "ports.json").read_text()).values()).isdisjoint(first.values())
                assert await read_everywhere(stack.env) == ["in the log", "in MongoDB", "in S3", "in Qdrant"]

    async def test_a_killed_server_comes_back_on_its_port(self, log_alone: Stack) -> None:
        log_alone.kill_and_await_restart("nats")
        client = await nats.connect(log_alone.env["CRAFTLOG_NATS_URL"], reconnect_time_wait=0.1)
        assert log_alone.children()["nats"]["restarts"] == 1
        await client.close()


class TestStopping:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_stops_all_and_the_status_is_0(self, tmp_path: Path, number: signal.Signals) -> None:
        stack = Stack(tmp_path, only=["nats", "qdrant"]).start()
        processes = pids(stack)
        stack.tell(number)
        assert stack.stop() == 0
        assert len(processes) == 2
        assert left(processes) == []

    def test_nobody_outlives_a_killed_supervisor(self, tmp_path: Path) -> None:
        stack = Stack(tmp_path, only=["nats", "mongo", "qdrant"]).start()
        processes = pids(stack)
        stack.tell(signal.SIGKILL)
        assert stack.stop() == -signal.SIGKILL
        assert len(processes) == 3
        assert left(processes) == []

    def test_a_server_that_keeps_dying_ends_all_and_is_named(self, tmp_path: Path) -> None:
        stack = Stack(tmp_path, only=["nats", "qdrant"]).start()
        config = tmp_path / "nats" / "nats.conf"
        config.write_text("this is no configuration {")
        survivor = stack.children()["qdrant"]["pid"]
        stack.kill("nats")
        assert stack.wait() == 1
        assert f"nats died 5 times within a minute; its log is {tmp_path / 'logs' / 'nats.log'}" in stack.said()
        assert survivor is not None
        assert left([survivor]) == []
        stack.stop()


class TestRefusals:
    def test_a_second_one_on_the_same_data_is_refused(self, log_alone: Stack) -> None:
        said = refused("up", "--data", str(log_alone.data), "--port", str(free_port()), "--only", "nats")
        assert f"craftlog already runs on {log_alone.data}" in said

    @pytest.mark.parametrize("token", ["", "sk-ac-your-root-api-bearer-token"])
    def test_it_listens_elsewhere_only_with_a_token_of_ones_own(self, tmp_path: Path, token: str) -> None:
        said = refused(
            "up",
            "--data",
            str(tmp_path),
            "--host",
            "0.0.0.0",  # noqa: S104 - it is refused
            env={"CRAFTLOG_API_TOKEN": token},
        )
        assert "refusing to listen on 0.0.0.0 with the default API token" in said
        assert "CRAFTLOG_API_TOKEN" in said
        assert list(tmp_path.iterdir()) == []

    def test_a_port_that_is_taken_is_named(self, tmp_path: Path) -> None:
        with socket.create_server((LOOPBACK, 0)) as taken:
            port = str(taken.getsockname()[1])
            assert f"port {port}" in refused("up", "--data", str(tmp_path), "--port", port)

    def test_a_part_that_does_not_exist_is_named(self, tmp_path: Path) -> None:
        assert "no part is called redis" in refused("up", "--data", str(tmp_path), "--only", "nats,redis")


async def write_everywhere(env: Mapping[str, str]) -> None:
    log = await nats.connect(env["CRAFTLOG_NATS_URL"])
    await log.jetstream().add_stream(name="S", subjects=["s.>"])
    await log.jetstream().publish("s.1", b"in the log")
    await log.close()
    async with AsyncMongoClient[dict[str, str]](env["CRAFTLOG_MONGO_URL"]) as mongo:
        await mongo["test"]["c"].insert_one({"said": "in MongoDB"})
    objects(env).put_object("craftlog", "k", io.BytesIO(b"in S3"), 5)
    index = AsyncQdrantClient(url=env["CRAFTLOG_QDRANT_URL"], check_compatibility=False)
    await index.create_collection("c", models.VectorParams(size=2, distance=models.Distance.COSINE))
    await index.upsert("c", [models.PointStruct(id=1, vector=[1.0, 0.0], payload={"said": "in Qdrant"})])
    await index.close()


async def read_everywhere(env: Mapping[str, str]) -> list[str]:
    log = await nats.connect(env["CRAFTLOG_NATS_URL"])
    event = await log.jetstream().get_last_msg("S", "s.1")
    await log.close()
    async with AsyncMongoClient[dict[str, str]](env["CRAFTLOG_MONGO_URL"]) as mongo:
        document = await mongo["test"]["c"].find_one()
    answer = objects(env).get_object("craftlog", "k")
    body = answer.read()
    answer.close()
    index = AsyncQdrantClient(url=env["CRAFTLOG_QDRANT_URL"], check_compatibility=False)
    [point] = (await index.query_points("c", query=[1.0, 0.0])).points
    await index.close()
    assert event.data is not None
    assert document is not None
    assert point.payload is not None
    return [event.data.decode(), document["said"], body.decode(), point.payload["said"]]


def objects(env: Mapping[str, str]) -> Minio:
    address, keys = env["CRAFTLOG_S3_ENDPOINT"], (env["CRAFTLOG_S3_ACCESS_KEY"], env["CRAFTLOG_S3_SECRET_KEY"])
    return Minio(address, *keys, secure=False, region=env["CRAFTLOG_S3_REGION"])
