"""Files up to a disk and down again, beside the bare `minio` client with the same bytes on the same server."""

import asyncio
import io
import json
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import TypeVar

import urllib3
from minio import Minio
from tests.benchmarks.load import Connection

from craftlog.testing.stack import Stack

T = TypeVar("T")

AT_ONCE = 16
ROUNDS = 5
SMALL = [os.urandom(4096) for _ in range(1000)]
LARGE = [os.urandom(16 * 1024 * 1024)]
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
            http_client=urllib3.PoolManager(maxsize=AT_ONCE),
        )

    def up(self, place: str, files: Sequence[bytes]) -> float:
        """Put all files and return the seconds."""

        def put(number: int) -> None:
            data = files[number]
            self._client.put_object(
                bucket_name=self._bucket, object_name=f"{place}/{number}", data=io.BytesIO(data), length=len(data)
            )

        return _threaded(put, len(files))

    def down(self, place: str, files: Sequence[bytes]) -> float:
        """Get all files and return the seconds."""

        def get(number: int) -> None:
            answer = self._client.get_object(bucket_name=self._bucket, object_name=f"{place}/{number}")
            assert answer.read() == files[number]
            answer.release_conn()

        return _threaded(get, len(files))


def _threaded(one: Callable[[int], None], count: int) -> float:
    with ThreadPoolExecutor(min(AT_ONCE, count)) as threads:
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

        made, _ = asyncio.run(self._all(create, 1))
        return made[0]

    def up(self, place: str, files: Sequence[bytes]) -> float:
        """Put all files and return the seconds."""
        head = b'\r\nContent-Disposition: form-data; name="file"; filename="%d.bin"\r\n\r\n'
        bodies = [b"%b%b%b\r\n%b--\r\n" % (_EDGE, head % at, data, _EDGE) for at, data in enumerate(files)]
        form = {"Content-Type": f"multipart/form-data; boundary={_EDGE[2:].decode()}"}

        async def put(connection: Connection, number: int) -> None:
            status, said = await connection.ask("POST", place, bodies[number], form)
            assert status == 201, said

        return asyncio.run(self._all(put, len(files)))[1]

    def down(self, place: str, files: Sequence[bytes]) -> float:
        """Get all files and return the seconds."""

        async def get(connection: Connection, number: int) -> None:
            status, data = await connection.ask("GET", f"{place}/download?file_path={number}.bin")
            assert (status, data) == (200, files[number])

        return asyncio.run(self._all(get, len(files)))[1]

    async def _all(self, one: Callable[[Connection, int], Awaitable[T]], count: int) -> tuple[list[T], float]:
        connections = [Connection(self._port, self._token) for _ in range(min(AT_ONCE, count))]
        await asyncio.gather(*(connection.open() for connection in connections))
        numbers = iter(range(count))

        async def work(connection: Connection) -> list[T]:
            return [await one(connection, number) for number in numbers]

        start = time.perf_counter()
        done = await asyncio.gather(*map(work, connections))
        seconds = time.perf_counter() - start
        await asyncio.gather(*(connection.close() for connection in connections))
        return [each for some in done for each in some], seconds


def measure(folder: Path) -> dict[str, float]:
    """Return rates and their ratios; bare and ours take turns, and the median round counts."""
    taken: dict[str, list[float]] = {}
    with Stack(folder / "artifacts", only=("nats", "mongo", "s3", "ingest", "gateway")) as stack:
        bare, ours = Bare(stack.env), Ours(stack)
        for number in range(ROUNDS):
            for size, files in (("small", SMALL), ("large", LARGE)):
                for who, client, place in (("bare", bare, f"bare/{size}/{number}"), ("ours", ours, ours.disk())):
                    taken.setdefault(f"{who} {size} up", []).append(client.up(place, files))
                    taken.setdefault(f"{who} {size} down", []).append(client.down(place, files))
    seconds = {name: median(each) for name, each in taken.items()}
    figures: dict[str, float] = {}
    for way in ("up", "down"):
        for who in ("bare", "ours"):
            figures[f"1,000 files of 4 KiB {way}, 16 at once, {who}: files/s"] = (
                len(SMALL) / seconds[f"{who} small {way}"]
            )
            figures[f"a file of 16 MiB {way}, {who}: MiB/s"] = 16 / seconds[f"{who} large {way}"]
        for size, what in (("small", "4 KiB"), ("large", "16 MiB")):
            ratio = seconds[f"bare {size} {way}"] / seconds[f"ours {size} {way}"]
            figures[f"RATIO {what} {way} / bare (target >= 0.5)"] = ratio
    return figures
