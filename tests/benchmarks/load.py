"""A bare HTTP client that posts one body over and over on many connections, and says how fast and how evenly."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CONNECTIONS = 64
TEXT = "I need the price table for the spring catalogue, please check each price against the list. " * 7
BODY = json.dumps({"format": "openai", "blob": {"role": "user", "content": TEXT[:600]}}).encode()


@dataclass
class Load:
    """What came of it: seconds, how many 201s and their latencies in milliseconds, other statuses by number."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    errors: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Return answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Return a latency in milliseconds."""
        return sorted(self.latencies)[int(len(self.latencies) * share)]

    @property
    def failed(self) -> int:
        """Return how many answers were none that one wants."""
        return sum(self.errors.values())


def median(loads: Sequence[Load]) -> Load:
    """Return the one whose rate is in the middle."""
    return sorted(loads, key=lambda load: load.rate)[len(loads) // 2]


class Connection:
    """One keep-alive connection to loopback."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._headers = {"Host": "localhost", "Authorization": f"Bearer {token}"}

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Send JSON and return status and body."""
        return await self.ask("POST", path, body, {"Content-Type": "application/json"})

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Send one request and return status and body."""
        own = {**self._headers, **(headers or {}), "Content-Length": len(body)}
        head = "".join(f"{name}: {value}\r\n" for name, value in own.items())
        self._writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answer.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        return int(answer[9:12]), await self._reader.readexactly(length)

    async def close(self) -> None:
        """Disconnect."""
        self._writer.close()
        await self._writer.wait_closed()


async def create_sessions(port: int, token: str, count: int) -> list[str]:
    """Create sessions, all at once, and return the paths to post their messages to."""

    async def create() -> str:
        connection = Connection(port, token)
        await connection.open()
        _, body = await connection.post("/api/v1/session", b"{}")
        await connection.close()
        return f"/api/v1/session/{json.loads(body)['data']['id']}/messages"

    return await asyncio.gather(*(create() for _ in range(count)))


async def post_for(seconds: float, port: int, paths: Sequence[str], token: str, body: bytes = BODY) -> Load:
    """Post from one connection a path, as fast as answers come, for so long."""
    load = Load()
    start = time.perf_counter()

    async def one(path: str) -> None:
        connection = Connection(port, token)
        await connection.open()
        while (sent := time.perf_counter()) < start + seconds:
            status, _ = await connection.post(path, body)
            if status == 201:
                load.latencies.append((time.perf_counter() - sent) * 1000)
            else:
                load.errors[status] += 1
        await connection.close()

    await asyncio.gather(*map(one, paths))
    load.seconds = time.perf_counter() - start
    return load
