"""Files up to a disk and down again, beside the bare `minio` client with the same bytes on the same server."""

import asyncio
import io
import json
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

import urllib3
from minio import Minio
from tests.benchmarks.load import Connection

from craftlog.testing.stack import Stack

T = TypeVar("T")

MOST_AT_ONCE = 64
ROUNDS = 5
SMALL = [os.urandom(4096) for _ in range(1000)]
LARGE = [os.urandom(16 * 1024 * 1024)]
# What it is called, the files, and how many are on their way at once.
WORK = (
    ("1,000 files of 4 KiB, 64 at once,", SMALL, MOST_AT_ONCE),
    ("1,000 files of 4 KiB, 16 at once,", SMALL, 16),
    ("1,000 files of 4 KiB, one at a time,", SMALL, 1),
    ("a file of 16 MiB", LARGE, 1),
)
_EDGE = b"--a-boundary-that-is-in-no-file"


class Bare:
    """The client alone, with as many threads and connections as are at work at once."""

    def __init__(self, env: dict[str, str]) -> None:
        self._bucket = env["CRAFTLOG_S3_BUCKET"]
        self._client = Minio(
            endpoint=env["CRAFTLOG_S3_ENDPOINT"],
            access_key=env["CRAFTLOG_S3_ACCESS_KEY"],
            secret_key=env["CRAFTLOG_S3_SECRET_KEY"],
            secure=False,
            region=env["CRAFTLOG_S3_REGION"],
            http_client=urllib3.PoolManager(maxsize=MOST_AT_ONCE),
        )

    def up(self, place: str, files: Sequence[bytes], at_once: int) -> float:
        """Put all files and return the seconds."""

        def put(number: int) -> None:
            data = files[number]
            self._client.put_object(
                bucket_name=self._bucket, object_name=f"{place}/{number}", data=io.BytesIO(data), length=len(data)
            )

        return _threaded(put, len(files), at_once)

    def down(self, place: str, files: Sequence[bytes], at_once: int) -> float:
        """Get all files and return the seconds."""

        def get(number: int) -> None:
            answer = self._client.get_object(bucket_name=self._bucket, object_name=f"{place}/{number}")
            assert answer.read() == files[number]
            answer.release_conn()

        return _threaded(get, len(files), at_once)


def _threaded(one: Callable[[int], None], count: int, at_once: int) -> float:
    with ThreadPoolExecutor(at_once) as threads:
        start = time.perf_counter()
        list(threads.map(one, range(count)))
        return time.perf_counter() - start


class Ours:
    """Craftlog, over as many connections."""

    def __init__(self, stack: Stack) -> None:
        self._port = stack.port
        self._token = stack.token

    def disk(self) -> str:
        """Create a disk and return the path of its artifacts."""

        async def create(connection: Connection, _: int) -> str:
            status, made = await connection.ask("POST", "/api/v1/disk")
            assert status == 201, made
            return f"/api/v1/disk/{json.loads(made)['data']['id']}/artifact"

        made, _ = asyncio.run(self._all(create, 1, 1))
        return made[0]

    def up(self, place: str, files: Sequence[bytes], at_once: int) -> float:
        """Put all files and return the seconds."""
        head = b'\r\nContent-Disposition: form-data; name="file"; filename="%d.bin"\r\n\r\n'
        bodies = [b"%b%b%b\r\n%b--\r\n" % (_EDGE, head % at, data, _EDGE) for at, data in enumerate(files)]
        form = {"Content-Type": f"multipart/form-data; boundary={_EDGE[2:].decode()}"}

        async def put(connection: Connection, number: int) -> None:
            status, said = await connection.ask("POST", place, bodies[number], form)
            assert status == 201, said

        return asyncio.run(self._all(put, len(files), at_once))[1]

    def down(self, place: str, files: Sequence[bytes], at_once: int) -> float:
        """Get all files and return the seconds."""

        async def get(connection: Connection, number: int) -> None:
            status, data = await connection.ask("GET", f"{place}/download?file_path={number}.bin")
            assert (status, data) == (200, files[number])

        return asyncio.run(self._all(get, len(files), at_once))[1]

    async def _all(
        self, one: Callable[[Connection, int], Awaitable[T]], count: int, at_once: int
    ) -> tuple[list[T], float]:
        connections = [Connection(self._port, self._token) for _ in range(at_once)]
        await asyncio.gather(*(connection.open() for connection in connections))
        numbers = iter(range(count))

        async def work(connection: Connection) -> list[T]:
            return [await one(connection, number) for number in numbers]

        start = time.perf_counter()
        done = await asyncio.gather(*map(work, connections))
        seconds = time.perf_counter() - start
        await asyncio.gather(*(connection.close() for connection in connections))
        return [each for some in done for each in some], seconds


class Meter:
    """The processor time of every process at work, this one too: unlike a rate it is the same on a busy machine."""

    def __init__(self, stack: Stack) -> None:
        self._pids = {name: child["pid"] for name, child in stack.children().items()}
        self.spent: dict[str, dict[str, float]] = {}

    def run(self, what: str, work: Callable[[], float]) -> float:
        """Do a piece of work, add what each process takes for it to ``spent`` (seconds), and return what it returns."""
        before = self._read()
        seconds = work()
        own = self.spent.setdefault(what, dict.fromkeys(before, 0.0))
        for name, now in self._read().items():
            own[name] += now - before[name]
        return seconds

    def _read(self) -> dict[str, float]:
        return {"client": time.process_time()} | {name: _cpu(pid) for name, pid in self._pids.items() if pid}


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(folder: Path) -> dict[str, float]:
    """Return rates and their ratios, and what each process takes; bare and ours take turns, the median round counts."""
    taken: dict[str, list[float]] = {}
    with Stack(folder / "artifacts", only=("nats", "mongo", "s3", "ingest", "gateway")) as stack:
        bare, ours, meter = Bare(stack.env), Ours(stack), Meter(stack)
        for number in range(ROUNDS):
            for what, files, at_once in WORK:
                for who, client, place in (("bare", bare, f"bare/{what}/{number}"), ("ours", ours, ours.disk())):
                    for way, move in (("up", client.up), ("down", client.down)):
                        name = f"{what} {way}, {who}"
                        seconds = meter.run(name, partial(move, place, files, at_once))
                        taken.setdefault(name, []).append(seconds)
    seconds = {name: median(each) for name, each in taken.items()}
    figures: dict[str, float] = {}
    for what, files, _ in WORK:
        for way in ("up", "down"):
            for who in ("bare", "ours"):
                name = f"{what} {way}, {who}"
                rate, unit = (len(files), "files/s") if len(files) > 1 else (len(files[0]) / 2**20, "MiB/s")
                figures[f"{name}: {unit}"] = rate / seconds[name]
                figures |= _processors(name, meter.spent[name], ROUNDS * len(files))
            ratio = seconds[f"{what} {way}, bare"] / seconds[f"{what} {way}, ours"]
            figures[f"RATIO {what} {way} / bare (target >= 0.5)"] = ratio
    return figures


def _processors(name: str, spent: dict[str, float], files: int) -> dict[str, float]:
    each = {process: cpu * 1000 / files for process, cpu in spent.items()}
    whole = sum(each.values())
    named = {process: cpu for process, cpu in each.items() if cpu > whole / 100}
    return {f"{name}: CPU ms a file, {process}": cpu for process, cpu in {"all": whole, **named}.items()}
