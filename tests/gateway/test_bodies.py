"""Bodies that come slowly, or stop coming."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

import httpx
import pytest
import uvicorn
from starlette.requests import Request
from tests.gateway.conftest import NOWHERE, PATIENCE
from tests.gateway.described import assert_described

from craftlog.gateway import bodies, forms
from craftlog.gateway.app import GatewaySettings, build
from craftlog.gateway.auth import DEFAULT_TOKEN
from craftlog.gateway.bodies import chunks, raw_body
from craftlog.gateway.errors import SilentError

SESSION = "/api/v1/session/00000000-0000-4000-8000-000000000001/messages"
DISK = "/api/v1/disk/00000000-0000-4000-8000-000000000001/artifact"
FORM = "multipart/form-data; boundary=x"
BEGUN = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + bytes(200_000)
LENGTH, LONGER = "Content-Length: 1000", "Content-Length: 1000000"
Pass = Callable[[float], Awaitable[None]]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Pass:
    """Give a function that lets so many seconds pass at once, for whatever waits on the loop."""

    async def let(seconds: float) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time
        monkeypatch.setattr(loop, "time", lambda: now() + seconds)
        for _ in range(5):  # what is due is seen first, and then done
            await asyncio.sleep(0)

    return let


def request(passing: Pass, *pauses: float) -> Request:
    """Return one that has a byte after each of these pauses, in seconds."""
    left = list(pauses)

    async def receive() -> dict[str, Any]:
        await passing(left.pop(0))
        return {"type": "http.request", "body": b"x", "more_body": bool(left)}

    return Request({"type": "http", "headers": []}, receive)


class TestSilence:
    async def test_ends_a_body_that_stops(self, passes: Pass) -> None:
        with pytest.raises(SilentError, match="body: nothing came for 30 s"):
            await raw_body(request(passes, 1, 31))

    async def test_is_only_what_lies_between_two_bytes(self, passes: Pass) -> None:
        assert await raw_body(request(passes, *[29] * 10)) == b"x" * 10

    async def test_is_not_what_we_take_to_work_on_them(self, passes: Pass) -> None:
        taken = 0

        async def work() -> None:
            nonlocal taken
            async for chunk in chunks(request(passes, 1, 1, 31), 10):
                taken += len(chunk)
                await passes(1000)

        with pytest.raises(SilentError):
            await work()
        assert taken == 2


class TestSilentClient:
    @pytest.fixture
    async def address(self, nats_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[str, int]]:
        """Give the address of a gateway that waits for a fifth of a second only."""
        monkeypatch.setattr(bodies, "_SILENCE", 0.2)
        app = build(GatewaySettings(nats_url=nats_url, mongo_url=NOWHERE, s3_endpoint="127.0.0.1:9"))
        config = uvicorn.Config(app, http="craftlog.gateway.connections:Connection", log_config=None, lifespan="on")
        server, listening = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve([listening]))
        yield listening.getsockname()
        server.should_exit = True
        await serving

    @pytest.mark.parametrize(
        ("path", "kind", "length", "begun"),
        [
            (SESSION, "application/json", LENGTH, b""),
            (SESSION, "application/json", LENGTH, b'{"blob": '),
            (SESSION, "application/json", "Transfer-Encoding: chunked", b'2\r\n{"\r\n'),
            ("/api/v1/session", "application/json", LENGTH, b"{"),
            (SESSION, FORM, LONGER, BEGUN),
            (DISK, FORM, LONGER, BEGUN),
            (DISK, FORM, f"Expect: 100-continue\r\n{LENGTH}", b""),
        ],
    )
    async def test_is_told_so_and_leaves_nothing_behind(
        self, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch, path: str, kind: str, length: str, begun: bytes
    ) -> None:
        made: list[BinaryIO] = []

        def file() -> BinaryIO:
            made.append(cast("BinaryIO", TemporaryFile()))  # noqa: SIM115 - that it is closed is what the test is about
            return made[-1]

        monkeypatch.setattr(forms, "TemporaryFile", file)
        reader, writer = await asyncio.open_connection(*address)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {DEFAULT_TOKEN}\r\nContent-Type: {kind}\r\n"
        async with asyncio.timeout(PATIENCE):
            writer.write(f"{head}{length}\r\n\r\n".encode() + begun)
            # To its end: the gateway is who closes.
            said = (await reader.read()).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.close()
        answered, _, body = said.partition(b"\r\n\r\n")
        status, *headers = answered.decode().splitlines()
        assert status.split(" ")[1] == "408"
        assert "connection: close" in headers
        reason = "body: nothing came for 0.2 s before its end; send the request again, without such a pause"
        assert json.loads(body) == {"code": 408, "msg": reason, "error": "request_timeout"}
        assert [one.closed for one in made] == [True] * (begun == BEGUN)
        url = f"http://{address[0]}:{address[1]}"
        answer = httpx.Response(
            408,
            headers=[tuple(one.split(": ", 1)) for one in headers],
            content=body,
            request=httpx.Request("POST", f"{url}{path}"),
        )
        await asyncio.to_thread(assert_described, answer)
