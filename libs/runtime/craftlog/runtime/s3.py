"""S3 on the event loop: put and get with signed headers, on connections that are kept."""

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import md5, sha256
from http import HTTPStatus
from typing import BinaryIO, Final, TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from craftlog.runtime.errors import ObjectMissingError, RefusedError, StoreError, UnavailableError
from craftlog.runtime.settings import Settings
from craftlog.runtime.signing import Signer

T = TypeVar("T")

PIECE: Final = 256 * 1024
_AT_ONCE: Final = 64
_ANY_NUMBER: Final = 0
_CONNECT: Final = 2.0
_SILENCE: Final = 30.0  # seconds in which nothing moves
_PAUSE: Final = 0.1
_AHEAD: Final = 128 * 1024  # aiohttp reads on until it has twice as much
_GONE: Final = frozenset((b"NoSuchKey", b"NoSuchBucket", b"NoSuchObject"))
_CODE: Final = re.compile(rb"<Code>([^<]*)</Code>")
_MESSAGE: Final = re.compile(rb"<Message>([^<]*)</Message>")
_NO_BODY: Final = sha256().hexdigest()


@dataclass(frozen=True, slots=True)
class Measure:
    """What is known of a body: its SHA-256 in hex, what S3 checks it by (Content-MD5), and its size in bytes.

    The signature covers the SHA-256 as well, but not every server looks whether the body has it.
    """

    sha256: str
    md5: str
    size: int


def measure(body: bytes | BinaryIO) -> Measure:
    """Measure a body, a file from its beginning to its end."""
    hashed, checked, size = sha256(), md5(usedforsecurity=False), 0
    for piece in [body] if isinstance(body, bytes) else _pieces(body):
        hashed.update(piece)
        checked.update(piece)
        size += len(piece)
    return Measure(hashed.hexdigest(), b64encode(checked.digest()).decode(), size)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


class S3:
    """Put and get objects of one bucket. All methods raise UnavailableError when S3 cannot be reached.

    Args:
        settings: where it is, and who we are there.
        threads: where files are read.
    """

    def __init__(self, settings: Settings, threads: Executor) -> None:
        self._signer = Signer(settings)
        self._threads = threads
        self._host = settings.s3_endpoint
        self._root = f"{'https' if settings.s3_secure else 'http'}://{settings.s3_endpoint}"
        self._bucket = settings.s3_bucket
        self._opened: dict[int, aiohttp.ClientSession] = {}

    async def put(self, key: str, body: bytes | BinaryIO, mime: str, known: Measure) -> str:
        """Store a body and return its ETag.

        Raises:
            ObjectMissingError: there is no bucket.
            RefusedError: S3 will not take it, for example because it came otherwise than it is ``known``, or sends us
                elsewhere: what is signed for one server goes to no other.
            UnavailableError: also where it says that it has it, and not as what (the ETag).
        """
        path, size = self._path(key), str(known.size)
        headers = {"content-type": mime, "content-length": size, "content-md5": known.md5, "host": self._host}

        async def attempt() -> str:
            signed = self._signer.signed("PUT", path, known.sha256, headers, datetime.now(UTC))
            # The client's own limits know nothing of a body that nobody takes off us.
            async with asyncio.timeout(_SILENCE) as limit:
                data = body if isinstance(body, bytes) else self._read(body, limit)
                asked = self._session(_AT_ONCE).put(self._url(path), data=data, headers=signed, allow_redirects=False)
                async with asked as response:
                    if response.status != HTTPStatus.OK:
                        raise _refusal(response.status, await response.read())
                    return _etag(response)

        return await _reach(attempt)

    async def get(self, key: str) -> bytes:
        """Return an object's bytes, or raise ObjectMissingError."""

        async def attempt() -> bytes:
            async with await self._asked(key, _AT_ONCE) as response:
                return await response.read()

        return await _reach(attempt)

    async def pieces(self, key: str) -> AsyncGenerator[bytes, None]:
        """Return an object's bytes in pieces of at most 256 KiB, read a little ahead; raise ObjectMissingError.

        Whoever does not take them all closes them: until then they have a connection.
        """
        # They come as slowly as whoever downloads them takes them: nobody else may wait for that.
        rest = _rest(await _reach(lambda: self._asked(key, _ANY_NUMBER)))
        await anext(rest)
        return rest

    async def close(self) -> None:
        """Close all connections."""
        while self._opened:
            await self._opened.popitem()[1].close()

    def _session(self, most: int) -> aiohttp.ClientSession:
        """Return the connections of which there are at most so many."""
        # Only a running loop can have one.
        if most not in self._opened:
            self._opened[most] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=most),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(connect=_SILENCE, sock_connect=_CONNECT, sock_read=_SILENCE),
                skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
                auto_decompress=False,
                read_bufsize=_AHEAD,
            )
        return self._opened[most]

    def _path(self, key: str) -> str:
        return f"/{quote(self._bucket)}/{quote(key, safe='/~')}"

    def _url(self, path: str) -> URL:
        return URL(f"{self._root}{path}", encoded=True)

    async def _asked(self, key: str, most: int) -> aiohttp.ClientResponse:
        path = self._path(key)
        headers = self._signer.signed("GET", path, _NO_BODY, {"host": self._host}, datetime.now(UTC))
        response = await self._session(most).get(self._url(path), headers=headers, allow_redirects=False)
        if response.status == HTTPStatus.OK:
            return response
        async with response:
            raise _refusal(response.status, await response.read())

    async def _read(self, body: BinaryIO, limit: asyncio.Timeout) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        body.seek(0)
        while piece := await loop.run_in_executor(self._threads, body.read, PIECE):
            yield piece
            limit.reschedule(loop.time() + _SILENCE)


async def _rest(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    async with response:
        yield b""  # only what has begun can be closed
        try:
            while piece := await response.content.read(PIECE):
                yield piece
        except (aiohttp.ClientError, OSError) as error:
            raise UnavailableError("S3 cannot be reached", _said(error)) from error


async def _reach(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try twice: a connection that was kept may have been closed meanwhile. Callers retry, and a client waits."""
    try:
        return await attempt()
    except (aiohttp.ClientError, OSError):
        await asyncio.sleep(_PAUSE)
    try:
        return await attempt()
    except (aiohttp.ClientError, OSError) as error:
        raise UnavailableError("S3 cannot be reached", _said(error)) from error


def _refusal(status: int, said: bytes) -> StoreError | ObjectMissingError:
    code, message = _CODE.search(said), _MESSAGE.search(said)
    words = b": ".join(found[1] for found in (code, message) if found).decode(errors="replace")
    if code and code[1] in _GONE:
        return ObjectMissingError(words)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        where = "sends us elsewhere: CRAFTLOG_S3_ENDPOINT has to name the server itself"
        return RefusedError("S3 refuses", f"HTTP status {status} {where} {words}".strip())
    if code is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return UnavailableError("S3 does not answer", f"HTTP status {status} {words}".strip())
    return RefusedError("S3 refuses", words)


def _etag(response: aiohttp.ClientResponse) -> str:
    etag = response.headers.get("ETag", "").strip('"')
    if not etag:
        raise UnavailableError("S3 does not answer as S3 does", "it took an object and gave no ETag")
    return etag


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
