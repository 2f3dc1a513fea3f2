"""The bucket: bytes by key over the S3 API, off the event loop."""

import asyncio
import io
from collections.abc import Callable
from datetime import timedelta
from typing import BinaryIO, Final, TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error, ServerError

from craftlog.contracts.subjects import Address
from craftlog.runtime.errors import RefusedError, UnavailableError
from craftlog.runtime.settings import Settings

T = TypeVar("T")

_MADE_MEANWHILE: Final = "BucketAlreadyOwnedByYou"
_GONE: Final = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchObject"})


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
        self._client = self._minio(settings, settings.s3_endpoint, secure=settings.s3_secure)
        self._public = self._client
        if settings.s3_public_url:
            public = urlsplit(settings.s3_public_url)
            self._public = self._minio(settings, public.netloc, secure=public.scheme == "https")

    @staticmethod
    def _minio(settings: Settings, endpoint: str, *, secure: bool) -> Minio:
        # Few and short retries: the callers retry, and a client waits for the answer.
        pool = urllib3.PoolManager(
            maxsize=32, timeout=urllib3.Timeout(connect=2, read=30), retries=urllib3.Retry(total=1, backoff_factor=0.1)
        )
        return Minio(
            endpoint=endpoint,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
            secure=secure,
            region=settings.s3_region,
            http_client=pool,
        )

    async def prepare(self) -> None:
        """Make the bucket where it is not there yet."""
        if not await self._reach(lambda: self._client.bucket_exists(bucket_name=self.bucket)):
            await self._reach(self._make_bucket)

    async def put(self, key: str, data: bytes | BinaryIO, size: int, mime: str) -> str:
        """Store bytes under a key and return their ETag; doing it again changes nothing."""
        stream = io.BytesIO(data) if isinstance(data, bytes) else data
        start = stream.tell()
        try:
            return await self._reach(lambda: self._put(key, stream, size, mime))
        except ObjectMissingError:
            # S3 was new, or away when this process started, and nobody has asked how it is since.
            await self.prepare()
            stream.seek(start)
            return await self._reach(lambda: self._put(key, stream, size, mime))

    async def get(self, key: str) -> bytes:
        """Return an object's bytes.

        Raises:
            ObjectMissingError: there is none.
        """
        return await self._reach(lambda: self._read(key))

    async def sign(self, key: str, expires: timedelta) -> str:
        """Return a URL from which anybody can download the object until it expires."""
        return await self._reach(
            lambda: self._public.presigned_get_object(bucket_name=self.bucket, object_name=key, expires=expires)
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

    def _put(self, key: str, stream: BinaryIO, size: int, mime: str) -> str:
        result = self._client.put_object(
            bucket_name=self.bucket, object_name=key, data=stream, length=size, content_type=mime
        )
        return str(result.etag).strip('"')

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
            raise UnavailableError(f"an object could not be deleted: {errors[0].message}")
        return len(doomed)

    @staticmethod
    async def _reach(ask: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(ask)
        except S3Error as error:
            if error.code in _GONE:
                raise ObjectMissingError(str(error)) from error
            if error.response.status >= 500:  # noqa: PLR2004 - HTTP: the server's fault
                raise UnavailableError(f"S3 does not answer: {error}") from error
            raise RefusedError(f"S3 refuses: {error}") from error
        except (ServerError, MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise UnavailableError(f"S3 cannot be reached: {error}") from error
