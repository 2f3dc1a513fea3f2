"""The bucket over a real S3; what a new MinIO does beyond that is acted by a fake client."""

import asyncio
import io
from datetime import timedelta
from hashlib import sha256
from typing import Any

import httpx
import pytest
from minio.error import S3Error

from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.objects import ObjectMissingError, Objects, prefix_of
from craftlog.runtime.settings import Settings
from craftlog.testing.examples import DISK
from craftlog.testing.servers import S3

LARGE = bytes(range(256)) * 4096 * 3 + b"the end"


@pytest.fixture
def objects(s3: S3) -> Objects:
    return Objects(
        Settings(
            s3_endpoint=s3.endpoint,
            s3_access_key=s3.access_key,
            s3_secret_key=s3.secret_key,
            s3_bucket=s3.bucket,
            s3_region=s3.region,
        )
    )


class TestObjects:
    async def test_give_back_what_was_put_until_it_is_deleted(self, objects: Objects):
        await objects.put("p/session/a/1", b"hello", 5, "text/plain")
        await objects.put("p/session/ab/1", b"neighbour", 9, "text/plain")
        assert await objects.get("p/session/a/1") == b"hello"
        assert await objects.delete_prefix("p/session/a/") == 1
        with pytest.raises(ObjectMissingError):
            await objects.get("p/session/a/1")
        assert await objects.get("p/session/ab/1") == b"neighbour"

    async def test_copy_within_the_bucket_with_their_type(self, objects: Objects):
        etag = await objects.put("p/session/c/1", LARGE, len(LARGE), "image/png")
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
        await objects.put("pieces", data, len(data), "text/plain")
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
            with pytest.raises(UnavailableError):
                await download(Objects(Settings(s3_endpoint=f"127.0.0.1:{port}")))

    async def test_sign_urls_that_say_how_the_download_is_to_be_taken(self, objects: Objects):
        await objects.put("page", b"<p>", 3, "text/html")
        headers = {"response-content-type": "text/plain", "response-content-disposition": "attachment"}
        url = await objects.sign("page", timedelta(seconds=60), headers)
        answer = await asyncio.to_thread(httpx.get, url)
        assert answer.content == b"<p>"
        assert (answer.headers["content-type"], answer.headers["content-disposition"]) == ("text/plain", "attachment")

    async def test_sign_urls_for_many_at_once(self, objects: Objects):
        for key in ("many/a", "many/b"):
            await objects.put(key, key.encode(), 6, "text/plain")
        urls = await objects.sign_all(["many/a", "many/b"], timedelta(seconds=60))
        assert {key: (await asyncio.to_thread(httpx.get, url)).text for key, url in urls.items()} == {
            "many/a": "many/a",
            "many/b": "many/b",
        }

    async def test_out_of_reach_give_no_signature_away(self):
        nowhere = Objects(Settings(s3_endpoint="127.0.0.1:9"))
        with pytest.raises(UnavailableError, match="S3 cannot be reached") as unreachable:
            await nowhere.put("key", b"hello", 5, "text/plain")
        assert "Signature" not in str(unreachable.value)

    async def test_make_the_bucket_of_a_new_server_even_if_another_process_does(self, objects: Objects):
        new = objects._client = objects._pool = NewServer()
        await objects.put("key", io.BytesIO(b"hello"), 5, "text/plain")
        assert new.stored == b"hello"


async def download(objects: Objects) -> bytes:
    return b"".join([piece async for piece in await objects.pieces("key")])


class NewServer:
    """A server without a bucket, on which somebody else makes it at the same moment."""

    def __init__(self) -> None:
        self.has_bucket = False
        self.stored = b""

    def bucket_exists(self, **_: Any) -> bool:
        return self.has_bucket

    def make_bucket(self, **_: Any) -> None:
        self.has_bucket = True
        raise refusal("BucketAlreadyOwnedByYou")

    def presigned_put_object(self, **_: Any) -> str:
        return "http://new/"

    def urlopen(self, _method: str, _url: str, body: io.BytesIO, **_: Any) -> Any:
        self.stored = body.read()
        missing = b"<?xml version='1.0'?><Error><Code>NoSuchBucket</Code></Error>"
        status, data = (200, b"") if self.has_bucket else (404, missing)
        return type("Answer", (), {"status": status, "data": data, "headers": {"ETag": '"e"'}})


def refusal(code: str) -> S3Error:
    return S3Error(response=None, code=code, message=None, resource=None, request_id=None, host_id=None)
