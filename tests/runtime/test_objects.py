"""The bucket over a real S3; what a new MinIO does beyond that is acted by a fake client."""

import io
from typing import Any

import pytest
from minio.error import S3Error

from craftlog.runtime.objects import ObjectMissingError, Objects
from craftlog.runtime.settings import Settings
from craftlog.testing.servers import S3


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

    async def test_make_the_bucket_of_a_new_server_even_if_another_process_does(self, objects: Objects):
        new = objects._client = NewServer()
        await objects.put("key", io.BytesIO(b"hello"), 5, "text/plain")
        assert new.stored == b"hello"


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

    def put_object(self, data: io.BytesIO, **_: Any) -> Any:
        self.stored = data.read()
        if not self.has_bucket:
            raise refusal("NoSuchBucket")
        return type("Result", (), {"etag": "e"})


def refusal(code: str) -> S3Error:
    return S3Error(response=None, code=code, message=None, resource=None, request_id=None, host_id=None)
