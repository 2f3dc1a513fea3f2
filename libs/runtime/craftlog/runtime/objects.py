"""The bucket: bytes by key over the S3 API, off the event loop."""

import asyncio
import io
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import md5, sha256
from http import HTTPStatus
from typing import Any, BinaryIO, Final, TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error, ServerError

from craftlog.contracts.messages import Asset
from craftlog.contracts.subjects import Address
from craftlog.runtime.errors import RefusedError, UnavailableError
from craftlog.runtime.settings import Settings

T = TypeVar("T")

_MADE_MEANWHILE: Final = "BucketAlreadyOwnedByYou"
_GONE: Final = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchObject"})
_AT_ONCE: Final = 32
PIECE: Final = 256 * 1024
# The more at once the longer each takes, until S3 is too late for all of them; and those who read need threads, too.
_PUT_AT_ONCE: Final = 8
_FOR_ONE_PUT: Final = timedelta(minutes=15)


class ObjectMissingError(Exception):
    """There is no object with this key."""


def key_of(address: Address, sha256: str) -> str:
    """Return the key of an aggregate's object: bytes are kept once an aggregate, and go with it."""
    return f"{prefix_of(address)}{sha256}"


def prefix_of(address: Address) -> str:
    """Return what the keys of all of an aggregate's objects begin with."""
    return f"{address.project}/{address.kind}/{address.id}/"


class Objects:
    """Put, get, sign and delete objects of one bucket. All methods raise UnavailableError when S3 cannot be reached."""

    def __init__(self, settings: Settings) -> None:
        """Build the clients; nothing is sent yet. ``s3_public_url`` is what signed URLs name, where it is given."""
        self.bucket = settings.s3_bucket
        # The loop's own threads are a handful on a small machine, and others wait for them.
        self._threads = ThreadPoolExecutor(_AT_ONCE, "s3")
        self._puts = asyncio.Semaphore(_PUT_AT_ONCE)
        # Few and short retries: the callers retry, and a client waits for the answer.
        self._pool = urllib3.PoolManager(
            maxsize=_AT_ONCE,
            blocksize=PIECE,
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

    async def keep(self, address: Address, data: bytes | BinaryIO, mime: str) -> Asset:
        """Store bytes among an aggregate's objects and return what they are; doing it again changes nothing.

        A file is read from its beginning, twice, and never held in memory.
        """
        stream = io.BytesIO(data) if isinstance(data, bytes) else data
        return await self._into_the_bucket(lambda: self._keep(address, stream, mime))

    async def put(self, key: str, data: bytes | BinaryIO, size: int, mime: str) -> str:
        """Store bytes under a key and return their ETag; doing it again changes nothing."""
        stream = io.BytesIO(data) if isinstance(data, bytes) else data
        return await self._into_the_bucket(lambda: self._put(key, stream, size, _digests(stream)[1], mime))

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
        return await self._reach(lambda: self._read(key))

    async def pieces(self, key: str) -> AsyncGenerator[bytes, None]:
        """Return an object's bytes in pieces of at most 256 KiB; they come as they are asked for.

        Raises:
            ObjectMissingError: there is none.
        """
        response, first = await self._reach(lambda: self._open(key))
        return self._rest(response, first)

    async def sign(self, key: str, expires: timedelta, headers: dict[str, Any] | None = None) -> str:
        """Return a URL from which anybody can download the object until it expires.

        ``headers`` are those of the download, by S3's names for them (``response-content-type`` …).
        """
        return await self._reach(
            lambda: self._public.presigned_get_object(
                bucket_name=self.bucket, object_name=key, expires=expires, response_headers=headers
            )
        )

    async def sign_all(self, keys: Iterable[str], expires: timedelta) -> dict[str, str]:
        """Return such a URL for each of several objects."""
        wanted = list(keys)
        return await self._reach(
            lambda: {
                key: self._public.presigned_get_object(bucket_name=self.bucket, object_name=key, expires=expires)
                for key in wanted
            }
        )

    async def delete(self, key: str) -> None:
        """Delete an object; one that is not there is fine."""
        await self._reach(lambda: self._client.remove_object(bucket_name=self.bucket, object_name=key))

    async def delete_prefix(self, prefix: str) -> int:
        """Delete all objects whose key begins with a prefix and return how many there were."""
        return await self._reach(lambda: self._delete_prefix(prefix))

    def _make_bucket(self) -> None:
        try:
            self._client.make_bucket(bucket_name=self.bucket)
        except S3Error as error:
            if error.code != _MADE_MEANWHILE:
                raise

    async def _into_the_bucket(self, put: Callable[[], T]) -> T:
        async with self._puts:
            try:
                return await self._reach(put)
            except ObjectMissingError:
                # S3 was new, or away when this process started, and nobody has asked how it is since.
                await self.prepare()
                return await self._reach(put)

    def _keep(self, address: Address, stream: BinaryIO, mime: str) -> Asset:
        hashed, checked, size = _digests(stream)
        key = key_of(address, hashed)
        etag = self._put(key, stream, size, checked, mime)
        return Asset(bucket=self.bucket, s3_key=key, etag=etag, sha256=hashed, mime=mime, size_b=size)

    def _put(self, key: str, stream: BinaryIO, size: int, checked: str, mime: str) -> str:
        # Not put_object: it holds 5 MiB a part in memory, and the parts of an upload that dies half way stay for ever.
        url = self._client.presigned_put_object(bucket_name=self.bucket, object_name=key, expires=_FOR_ONE_PUT)
        headers = {"Content-Type": mime, "Content-Length": str(size), "Content-MD5": checked}
        stream.seek(0)
        response = self._pool.urlopen("PUT", url, body=stream, headers=headers)
        if response.status == HTTPStatus.OK:
            return str(response.headers["ETag"]).strip('"')
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or not response.data.startswith(b"<?xml"):
            raise ServerError(f"HTTP status {response.status}", response.status)
        raise S3Error.fromxml(response)

    def _copy(self, source: str, key: str) -> str:
        original = CopySource(bucket_name=self.bucket, object_name=source)
        made = self._client.copy_object(bucket_name=self.bucket, object_name=key, source=original)
        return str(made.etag)

    def _open(self, key: str) -> tuple[Any, bytes]:
        response = self._client.get_object(bucket_name=self.bucket, object_name=key)
        return response, response.read(PIECE)

    async def _rest(self, response: Any, piece: bytes) -> AsyncGenerator[bytes, None]:
        try:
            while piece:
                yield piece
                # Read on wherever something is missing, so that a download that broke off is an error and no end.
                piece = await self._reach(lambda: response.read(PIECE)) if response.length_remaining else b""
        finally:
            response.close()

    def _read(self, key: str) -> bytes:
        response = self._client.get_object(bucket_name=self.bucket, object_name=key)
        try:
            return bytes(response.read())
        finally:
            response.close()
            response.release_conn()

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


def _digests(stream: BinaryIO) -> tuple[str, str, int]:
    """Return of a whole file its SHA-256 in hex, what S3 checks it by (Content-MD5), and its size in bytes."""
    hashed, checked, size = sha256(), md5(usedforsecurity=False), 0
    stream.seek(0)
    while piece := stream.read(PIECE):
        hashed.update(piece)
        checked.update(piece)
        size += len(piece)
    return hashed.hexdigest(), b64encode(checked.digest()).decode(), size
