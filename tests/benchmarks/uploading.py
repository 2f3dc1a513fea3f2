"""What the gateway's memory does under many large uploads at once: files for a disk, and files of messages."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from tests.benchmarks.load import Connection

from craftlog.testing.stack import Stack

UPLOADS = 100
SIZE = 16 * 1024 * 1024
PIECE = 256 * 1024
EVERY = 0.02
MIB = 1024 * 1024
BOUNDARY = "frontier"
PAYLOAD = json.dumps(
    {"format": "acontext", "blob": {"role": "user", "parts": [{"type": "file", "file_field": "file"}]}}
)


def measure(folder: Path) -> dict[str, float]:
    """Return by how many MiB the gateway's memory grew at most, and is larger afterwards, and how fast it was."""
    with Stack(folder, only=("nats", "mongo", "s3", "ingest", "gateway")) as stack:
        disk = asyncio.run(_made(stack, "disk"))
        session = asyncio.run(_made(stack, "session"))
        figures: dict[str, float] = {}
        for what, path in (
            ("artifacts", f"/api/v1/disk/{disk}/artifact"),
            ("messages with a file", f"/api/v1/session/{session}/messages"),
        ):
            # The first one makes what stays: pools, threads, imports.
            asyncio.run(_upload(stack, path, 8))
            before = _rss(stack)
            with _watched(stack) as most:
                seconds = asyncio.run(_upload(stack, path, UPLOADS))
            figures |= {
                f"{UPLOADS} {what} of 16 MiB at once: MiB/s": UPLOADS * SIZE / MIB / seconds,
                f"RATIO gateway MiB more at most, under {UPLOADS} {what} (target <= 50)": (most() - before) / MIB,
                f"gateway MiB more after {UPLOADS} {what}": (_rss(stack) - before) / MIB,
            }
    return figures


async def _made(stack: Stack, kind: str) -> str:
    connection = Connection(stack.port, stack.token)
    await connection.open()
    _, answer = await connection.post(f"/api/v1/{kind}", b"{}")
    await connection.close()
    made: str = json.loads(answer)["data"]["id"]
    return made


async def _upload(stack: Stack, path: str, count: int) -> float:
    """Upload files that differ, all at once, and return the seconds that it took."""
    data = memoryview(bytes(SIZE))
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.gather(*(_upload_one(stack, path, number, data) for number in range(count)))
    return loop.time() - start


async def _upload_one(stack: Stack, path: str, number: int, data: memoryview) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
    first = f"{path} {number}".encode().ljust(256)
    named = 'Content-Disposition: form-data; name="{}"'
    opening = (
        f"--{BOUNDARY}\r\n{named.format('payload')}\r\n\r\n{PAYLOAD}\r\n"
        f'--{BOUNDARY}\r\n{named.format("file")}; filename="{number}.bin"\r\n\r\n'
    ).encode()
    closing = f"\r\n--{BOUNDARY}--\r\n".encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {stack.token}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(opening) + SIZE + len(closing)}\r\nConnection: close\r\n\r\n"
    ).encode()
    writer.write(head + opening + first)
    for at in range(len(first), SIZE, PIECE):
        writer.write(data[at : min(at + PIECE, SIZE)])
        await writer.drain()
    writer.write(closing)
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 201"), answer[:1000]


def _rss(stack: Stack) -> int:
    """Return the bytes that the gateway has in memory."""
    status = Path(f"/proc/{stack.children()['gateway']['pid']}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


@contextmanager
def _watched(stack: Stack) -> Iterator[Callable[[], int]]:
    """Watch the gateway's memory in the block; what is given tells the most there was."""
    most, ended = [_rss(stack)], Event()

    def watch() -> None:
        while not ended.wait(EVERY):
            most[0] = max(most[0], _rss(stack))

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield lambda: most[0]
    finally:
        ended.set()
        watcher.join()
