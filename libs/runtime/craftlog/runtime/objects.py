"""The bucket: bytes by key over the S3 API."""

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from typing import Any, BinaryIO, Final, TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error, ServerError

from craftlog.contracts.messages import Asset
from craftlog.contracts.subjects import Address
from craftlog.runtime.errors import ObjectMissingError, RefusedError, UnavailableError
from craftlog.runtime.s3 import S3, Measure, measure
from craftlog.runtime.settings import Settings

T = TypeVar("T")

_MADE_MEANWHILE: Final = "BucketAlreadyOwnedByYou"
_GONE: Final = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchObject"})
_AT_ONCE: Final = 32
# Up to here bytes are sooner hashed and sent than handed to a thread.
SMALL: Final = 128 * 1024
# The more large ones at once the longer each takes, until S3 is too late for all of them.
_LARGE_AT_ONCE: Final = 8
# Whoever has not put it by then never will: what is deleted is swept once more after that.
LONGEST_PUT: Final = timedelta(minutes=4)


def key_of(address: Address, sha256: str) -> str:
    """Return the key of an aggregate's object: bytes are kept once an aggregate, and go with it."""
    return f"{prefix_of(address)}{sha256}"


def prefix_of(address: Address) -> str:
    """Return what the keys of all of an aggregate's objects begin with."""
    return f"{address.project}/{address.kind}/{address.id}/"


class Objects:
    """Put, get, sign and delete objects of one bucket. All methods raise UnavailableError when S3 cannot be reached.

    Bytes come and go on the event loop (``s3.py``, ADR 9); what is rarely asked for goes through `minio` in threads.
    """

    def __init__(self, settings: Settings) -> None:
        """Build the clients; nothing is sent yet. ``s3_public_url`` is what signed URLs name, where it is given."""
        self.bucket = settings.s3_bucket
        # The loop's own threads are a handful on a small machine, and others wait for them.
        self._threads = ThreadPoolExecutor(_AT_ONCE, "s3")
        self._s3 = S3(settings, self._threads)
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        # Few and short retries: the callers retry, and a client waits for the answer.
        self._pool = urllib3.PoolManager(
            maxsize=_AT_ONCE,
            timeout=urllib3.Timeout(connect=2, read=30),
            retries=urllib3.Retry(total=1, backoff_factor=0.1),
        )
        self._client = self._minio(settings, settings.s3_endpoint, secure=settings.s3_secure)
        self._public = self._client
        if settings.s3_public_url:
            public = urlsplit(settings.s3_public_url)
            self._public = self._minio(settings, public.netloc, secure=public.scheme == "https")

    def _minio(self, settings: Settings, endpoint: str, *, secure: bool) -> Minio:
        return Minio(
            endpoint=endpoint,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
            secure=secure,
            region=settings.s3_region,
            http_client=self._pool,
        )

    async def prepare(self) -> None:
        """Make the bucket where it is not there yet."""
        if not await self._reach(lambda: self._client.bucket_exists(bucket_name=self.bucket)):
            await self._reach(self._make_bucket)

    async def aclose(self) -> None:
        """Close all connections; nothing is asked for any more."""
        await self._s3.close()
        self._pool.clear()
        self._threads.shutdown(wait=False)

    async def keep(self, address: Address, data: bytes | BinaryIO, mime: str) -> Asset:
        """Store bytes among an aggregate's objects and return what they are; doing it again changes nothing.

        A file is read from its beginning, twice, and never held in memory.
        """
        body = _body(data)
        async with self._turn(body):
            known = await self._measured(body)
            key = key_of(address, known.sha256)
            etag = await self._into_the_bucket(key, body, mime, known)
        return Asset(bucket=self.bucket, s3_key=key, etag=etag, sha256=known.sha256, mime=mime, size_b=known.size)

    async def put(self, key: str, data: bytes | BinaryIO, mime: str) -> str:
        """Store bytes under a key and return their ETag; doing it again changes nothing."""
        body = _body(data)
        async with self._turn(body):
            return await self._into_the_bucket(key, body, mime, await self._measured(body))

    async def copy(self, source: str, key: str) -> str:
        """Copy an object within the bucket and return the copy's ETag; its bytes do not come here.

        Raises:
            ObjectMissingError: there is none to copy.
        """
        return await self._reach(lambda: self._copy(source, key))

    async def get(self, key: str) -> bytes:
        """Return an object's bytes.

        Raises:
            ObjectMissingError: there is none.
        """
        return await self._s3.get(key)

    async def pieces(self, key: str) -> AsyncGenerator[bytes, None]:
        """Return an object's bytes in pieces of at most 256 KiB; they come as they are asked for.

        Whoever does not take them all closes them.

        Raises:
            ObjectMissingError: there is none.
        """
        return await self._s3.pieces(key)

    async def sign(self, key: str, expires: timedelta, headers: dict[str, Any] | None = None) -> str:
        """Return a URL from which anybody can download the object until it expires.

        ``headers`` are those of the download, by S3's names for them (``response-content-type`` …).
        """
        return await self._reach(
            lambda: self._public.presigned_get_object(
                bucket_name=self.bucket, object_name=key, expires=expires, response_headers=headers
            )
        )

    async def sign_all(self, wanted: Iterable[tuple[str, str]], expires: timedelta) -> dict[tuple[str, str], str]:
        """Return such a URL for each of several keys, and the media type that it is to be taken for.

        An object's own type is that of whoever put the same bytes last.
        """
        several = list(wanted)
        return await self._reach(lambda: {(key, mime): self._signed(key, mime, expires) for key, mime in several})

    async def delete(self, key: str) -> None:
        """Delete an object; one that is not there is fine."""
        await self._reach(lambda: self._client.remove_object(bucket_name=self.bucket, object_name=key))

    async def delete_prefix(self, prefix: str) -> int:
        """Delete all objects whose key begins with a prefix and return how many there were."""
        return await self._reach(lambda: self._delete_prefix(prefix))

    def _signed(self, key: str, mime: str, expires: timedelta) -> str:
        url: str = self._public.presigned_get_object(
            bucket_name=self.bucket,
            object_name=key,
            expires=expires,
            response_headers={"response-content-type": mime},
        )
        return url

    def _make_bucket(self) -> None:
        try:
            self._client.make_bucket(bucket_name=self.bucket)
        except S3Error as error:
            if error.code != _MADE_MEANWHILE:
                raise

    async def _measured(self, body: bytes | BinaryIO) -> Measure:
        if isinstance(body, bytes):
            return measure(body)
        return await asyncio.get_running_loop().run_in_executor(self._threads, measure, body)

    @asynccontextmanager
    async def _turn(self, body: bytes | BinaryIO) -> AsyncIterator[None]:
        """Let a body be put within the block, a large one in its turn, and not for ever."""
        try:
            async with asyncio.timeout(LONGEST_PUT.total_seconds()):
                async with nullcontext() if isinstance(body, bytes) else self._large:
                    yield
        except TimeoutError as late:
            raise UnavailableError("S3 takes too long", late) from late

    async def _into_the_bucket(self, key: str, body: bytes | BinaryIO, mime: str, known: Measure) -> str:
        try:
            return await self._s3.put(key, body, mime, known)
        except ObjectMissingError:
            # S3 was new, or away when this process started, and nobody has asked how it is since.
            await self.prepare()
            return await self._s3.put(key, body, mime, known)

    def _copy(self, source: str, key: str) -> str:
        original = CopySource(bucket_name=self.bucket, object_name=source)
        made = self._client.copy_object(bucket_name=self.bucket, object_name=key, source=original)
        return str(made.etag)

    def _delete_prefix(self, prefix: str) -> int:
        found = self._client.list_objects(bucket_name=self.bucket, prefix=prefix, recursive=True)
        doomed = [DeleteObject(one.object_name) for one in found if one.object_name]
        errors = list(self._client.remove_objects(bucket_name=self.bucket, delete_object_list=doomed)) if doomed else []
        if errors:
            raise UnavailableError("an object could not be deleted", errors[0].message)
        return len(doomed)

    async def _reach(self, ask: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except S3Error as error:
            if error.code in _GONE:
                raise ObjectMissingError(str(error)) from error
            if error.response.status >= 500:  # noqa: PLR2004 - HTTP: the server's fault
                raise UnavailableError("S3 does not answer", error) from error
            raise RefusedError("S3 refuses", error) from error
        except urllib3.exceptions.MaxRetryError as error:
            # Not the error itself: it names the whole address, which may be signed.
            raise UnavailableError("S3 cannot be reached", error.reason) from error
        except (ServerError, MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise UnavailableError("S3 cannot be reached", error) from error


def _body(data: bytes | BinaryIO) -> bytes | BinaryIO:
    """Return few bytes as they are, and many as a file, to be read in pieces."""
    return io.BytesIO(data) if isinstance(data, bytes) and len(data) > SMALL else data
