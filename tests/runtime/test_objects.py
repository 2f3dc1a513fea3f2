"""The bucket over a real S3; what a new MinIO or a broken server does beyond that is acted."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import httpx
import pytest
from minio.error import S3Error

from craftlog.runtime.errors import ObjectMissingError, RefusedError, UnavailableError
from craftlog.runtime.objects import Objects, prefix_of
from craftlog.runtime.s3 import measure
from craftlog.runtime.settings import Settings
from craftlog.testing.examples import DISK
from craftlog.testing.servers import S3

LARGE = bytes(range(256)) * 4096 * 3 + b"the end"


@pytest.fixture
async def objects(s3: S3) -> AsyncIterator[Objects]:
    async with at(s3) as made:
        yield made


def at(s3: S3, **others: Any) -> aclosing[Objects]:
    own = {"s3_bucket": s3.bucket, "s3_secret_key": s3.secret_key} | others
    return aclosing(Objects(Settings(s3_endpoint=s3.endpoint, s3_access_key=s3.access_key, s3_region=s3.region, **own)))


class TestObjects:
    async def test_give_back_what_was_put_until_it_is_deleted(self, objects: Objects):
        await objects.put("p/session/a/1", b"hello", "text/plain")
        await objects.put("p/session/ab/1", b"neighbour", "text/plain")
        assert await objects.get("p/session/a/1") == b"hello"
        assert await objects.delete_prefix("p/session/a/") == 1
        with pytest.raises(ObjectMissingError):
            await objects.get("p/session/a/1")
        assert await objects.get("p/session/ab/1") == b"neighbour"

    async def test_copy_within_the_bucket_with_their_type(self, objects: Objects):
        etag = await objects.put("p/session/c/1", LARGE, "image/png")
        assert await objects.copy("p/session/c/1", "p/session/d/1") == etag
        await objects.delete_prefix("p/session/c/")
        assert await objects.get("p/session/d/1") == LARGE
        url = await objects.sign("p/session/d/1", timedelta(minutes=1))
        async with httpx.AsyncClient() as client:
            assert (await client.get(url)).headers["content-type"] == "image/png"
        with pytest.raises(ObjectMissingError):
            await objects.copy("p/session/c/1", "p/session/d/2")

    async def test_keep_bytes_once_an_aggregate_under_their_sha256(self, objects: Objects):
        file = io.BytesIO(LARGE)
        file.read(7)
        kept = await objects.keep(DISK, file, "image/png")
        assert kept == await objects.keep(DISK, LARGE, "image/png")
        assert kept.sha256 == sha256(LARGE).hexdigest()
        assert (kept.size_b, kept.mime, kept.s3_key) == (len(LARGE), "image/png", prefix_of(DISK) + kept.sha256)
        assert await objects.delete_prefix(prefix_of(DISK)) == 1

    @pytest.mark.parametrize("data", [b"", b"hello", LARGE])
    async def test_give_back_in_pieces_what_was_put(self, objects: Objects, data: bytes):
        await objects.put("pieces", data, "text/plain")
        pieces = [piece async for piece in await objects.pieces("pieces")]
        assert b"".join(pieces) == data
        assert max(map(len, pieces), default=0) <= 256 * 1024

    async def test_have_no_pieces_of_what_is_not_there(self, objects: Objects):
        with pytest.raises(ObjectMissingError):
            await objects.pieces("nowhere")

    async def test_take_a_download_that_breaks_off_for_no_end(self):
        async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")  # what is closed unread is reset, also for who is still sending
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n" + bytes(300_000))
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(half, "127.0.0.1") as server:
            port = server.sockets[0].getsockname()[1]
            async with aclosing(Objects(Settings(s3_endpoint=f"127.0.0.1:{port}"))) as broken:
                with pytest.raises(UnavailableError):
                    await download(broken)
                with pytest.raises(UnavailableError):
                    await broken.get("key")

    async def test_sign_urls_that_say_how_the_download_is_to_be_taken(self, objects: Objects):
        await objects.put("page", b"<p>", "text/html")
        headers = {"response-content-type": "text/plain", "response-content-disposition": "attachment"}
        url = await objects.sign("page", timedelta(seconds=60), headers)
        answer = await asyncio.to_thread(httpx.get, url)
        assert answer.content == b"<p>"
        assert (answer.headers["content-type"], answer.headers["content-disposition"]) == ("text/plain", "attachment")

    async def test_sign_urls_for_many_at_once(self, objects: Objects):
        for key in ("many/a", "many/b"):
            await objects.put(key, key.encode(), "text/plain")
        wanted = {("many/a", "text/plain"), ("many/a", "text/html"), ("many/b", "text/plain")}
        urls = await objects.sign_all(wanted, timedelta(seconds=60))
        assert urls.keys() == wanted
        for (key, mime), url in urls.items():
            answer = await asyncio.to_thread(httpx.get, url)
            assert (answer.text, answer.headers["content-type"]) == (key, mime)

    async def test_out_of_reach_give_no_signature_away(self):
        async with aclosing(Objects(Settings(s3_endpoint="127.0.0.1:9"))) as nowhere:
            with pytest.raises(UnavailableError, match="S3 cannot be reached") as unreachable:
                await nowhere.put("key", b"hello", "text/plain")
            assert "Signature" not in str(unreachable.value)

    @pytest.mark.parametrize("data", [b"hello", LARGE])
    async def test_make_the_bucket_of_a_new_server(self, s3: S3, data: bytes):
        async with at(s3, s3_bucket=f"new-{uuid4()}") as objects:
            await objects.put("key", data, "text/plain")
            assert await objects.get("key") == data

    async def test_make_the_bucket_even_if_another_process_does(self, objects: Objects):
        objects._client = NewServer()
        await objects.prepare()

    @pytest.mark.parametrize("data", [b"hello", LARGE])
    async def test_store_nothing_that_came_otherwise_than_it_was_sent(self, objects: Objects, data: bytes):
        other = replace(measure(data), md5=measure(b"other").md5)
        with pytest.raises(RefusedError):
            await objects._s3.put("broken", io.BytesIO(data), "text/plain", other)
        with pytest.raises(ObjectMissingError):
            await objects.get("broken")

    async def test_say_so_where_the_keys_to_the_bucket_are_wrong(self, s3: S3):
        async with at(s3, s3_secret_key=s3.access_key) as stranger:
            with pytest.raises(RefusedError, match="SignatureDoesNotMatch"):
                await stranger.put("key", b"hello", "text/plain")
            with pytest.raises(RefusedError, match="SignatureDoesNotMatch"):
                await stranger.get("key")

    @pytest.mark.parametrize("data", [b"hello", LARGE])
    async def test_try_once_more_where_a_connection_was_closed_meanwhile(self, data: bytes):
        async with server() as other, aclosing(Objects(Settings(s3_endpoint=other.endpoint))) as objects:
            assert await objects.put("key", data, "text/plain") == "e"
            assert other.stored == [data]
            assert other.connections == 2

    @pytest.mark.parametrize("data", [b"hello", LARGE])
    async def test_give_a_put_up_that_takes_too_long(self, monkeypatch: pytest.MonkeyPatch, data: bytes):
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(65536):
                pass
            writer.close()
            await writer.wait_closed()
            ended.set()

        ended = asyncio.Event()
        monkeypatch.setattr("craftlog.runtime.objects.LONGEST_PUT", timedelta(seconds=0.3))
        async with await asyncio.start_server(silent, "127.0.0.1") as server:
            endpoint = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with aclosing(Objects(Settings(s3_endpoint=endpoint))) as objects:
                with pytest.raises(UnavailableError, match="S3 takes too long"):
                    await objects.put("key", data, "text/plain")
            await ended.wait()

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize("data", [b"hello", LARGE])
    async def test_follow_nobody_who_sends_them_elsewhere(self, status: int, data: bytes):
        async with server() as elsewhere:
            there = f"HTTP/1.1 {status} Moved\r\nLocation: http://{elsewhere.endpoint}/\r\nContent-Length: 0\r\n\r\n"
            async with (
                answering(there.encode()) as endpoint,
                aclosing(Objects(Settings(s3_endpoint=endpoint))) as objects,
            ):
                for asked in (objects.put("key", data, "text/plain"), objects.get("key"), objects.pieces("key")):
                    with pytest.raises(RefusedError, match=f"HTTP status {status} sends us elsewhere"):
                        await asked
            assert elsewhere.connections == 0

    @pytest.mark.parametrize("header", ["", "ETag:\r\n", 'ETag: ""\r\n'])
    async def test_take_no_put_for_done_that_has_no_etag(self, header: str):
        taken = f"HTTP/1.1 200 OK\r\n{header}Content-Length: 0\r\n\r\n".encode()
        async with answering(taken) as endpoint, aclosing(Objects(Settings(s3_endpoint=endpoint))) as objects:
            with pytest.raises(UnavailableError, match="gave no ETag"):
                await objects.put("key", b"hello", "text/plain")

    async def test_put_and_get_under_any_key(self, objects: Objects):
        key = "a project/session/ü?&=+%2F#~'()!*/1"
        await objects.put(key, b"hello", 'text/plain; charset="utf-8"')
        assert await objects.get(key) == b"hello"
        async with httpx.AsyncClient() as client:
            answer = await client.get(await objects.sign(key, timedelta(minutes=1)))
        assert (answer.content, answer.headers["content-type"]) == (b"hello", 'text/plain; charset="utf-8"')

    @pytest.mark.parametrize("mime", ["text/plain;  charset=utf-8", " a  b ", " "])
    async def test_put_under_any_type(self, objects: Objects, mime: str):
        await objects.put("typed", b"hello", mime)
        assert await objects.get("typed") == b"hello"

    async def test_give_the_connection_up_of_a_download_that_is_closed_before_its_first_piece(self):
        async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n")
            await reader.read()
            writer.close()
            ended.set()

        ended = asyncio.Event()
        async with await asyncio.start_server(endless, "127.0.0.1") as server:
            endpoint = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with aclosing(Objects(Settings(s3_endpoint=endpoint))) as objects:
                pieces = await objects.pieces("key")
                await pieces.aclose()
                async with asyncio.timeout(10):
                    await ended.wait()

    async def test_answer_however_many_leave_their_downloads_lying(self, objects: Objects):
        await objects.put("large", LARGE, "text/plain")
        async with AsyncExitStack() as left:
            for _ in range(100):
                pieces = await left.enter_async_context(aclosing(await objects.pieces("large")))
                await anext(pieces)
            async with asyncio.timeout(10):
                await objects.put("small", b"hello", "text/plain")
                assert await objects.get("small") == b"hello"


async def download(objects: Objects) -> bytes:
    return b"".join([piece async for piece in await objects.pieces("key")])


class NewServer:
    """A server without a bucket, on which somebody else makes it at the same moment."""

    def bucket_exists(self, **_: Any) -> bool:
        return False

    def make_bucket(self, **_: Any) -> None:
        raise refusal("BucketAlreadyOwnedByYou")


class Impatient:
    """A server that closes its first connection when a request has come whole, without an answer."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.connections = 0
        self.stored: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        if self.connections > 1:
            self.stored.append(body)
            writer.write(b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n')
            await writer.drain()
        writer.close()


@asynccontextmanager
async def server() -> AsyncIterator[Impatient]:
    made = Impatient()
    async with await asyncio.start_server(made.serve, "127.0.0.1") as listening:
        made.endpoint = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield made


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """Give the endpoint of a server that takes every request whole and answers it so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"content-length: " in head:
            await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1") as listening:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"


def refusal(code: str) -> S3Error:
    return S3Error(response=None, code=code, message=None, resource=None, request_id=None, host_id=None)
