"""A zip as it is made: read by the standard library, from a bucket in memory."""

import io
import os
import tracemalloc
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from craftlog.gateway.zipping import Entry, zipped
from craftlog.runtime.errors import UnavailableError

WHEN = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
PIECE = os.urandom(256 * 1024)


class Bucket:
    """Every object is as many random pieces as its key says; one breaks off."""

    async def pieces(self, key: str) -> AsyncGenerator[bytes, None]:
        return self._pieces(key)

    async def _pieces(self, key: str) -> AsyncGenerator[bytes, None]:
        if key == "broken":
            yield PIECE
            raise UnavailableError("S3 is gone")
        for _ in range(int(key)):
            yield PIECE


async def entries(*made: tuple[str, str]) -> AsyncIterator[Entry]:
    for name, key in made:
        yield Entry(name, key, WHEN)


class TestZipped:
    async def test_is_a_zip_with_every_file_under_its_name(self):
        bucket: Any = Bucket()
        names = ["a/é 😀.bin", "b", "a/b/" + "c" * 200, "q\"'%"]
        data = b"".join([piece async for piece in zipped(bucket, entries(*((name, "2") for name in names)))])
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.namelist() == names
            assert archive.testzip() is None
            assert {archive.read(name) for name in names} == {PIECE * 2}
            assert archive.getinfo("b").date_time == (2026, 1, 2, 3, 4, 6)

    async def test_of_more_files_than_an_old_zip_can_count_is_read_as_well(self):
        bucket: Any = Bucket()
        many = ((f"{n}", "0") for n in range(66_000))
        data = b"".join([piece async for piece in zipped(bucket, entries(*many))])
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert len(archive.namelist()) == 66_000

    async def test_breaks_off_with_an_error_where_a_file_does(self):
        bucket: Any = Bucket()
        with pytest.raises(UnavailableError):
            assert [piece async for piece in zipped(bucket, entries(("a", "1"), ("b", "broken")))]

    async def test_takes_memory_for_a_piece_and_not_for_a_file(self):
        bucket: Any = Bucket()
        tracemalloc.start()
        async for _ in zipped(bucket, entries(("a", "200"), ("b", "200"))):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 10 * len(PIECE)
