"""A zip of many files as it is made: one piece of one file at a time is in memory."""

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from craftlog.runtime.objects import Objects

_FAST: Final = 1
_A_FILE: Final = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A file's name in the archive, its object's key, and when it was last changed."""

    name: str
    key: str
    changed: datetime


async def zipped(objects: Objects, entries: AsyncIterator[Entry]) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a zip of these entries.

    Whatever goes wrong on the way is raised: a stream that broke off is no archive, and the client sees that it did.
    """
    sink = _Sink()
    with ZipFile(sink, "w", ZIP_DEFLATED, compresslevel=_FAST) as archive:
        async for entry in entries:
            # Deflated and not only stored: a program that unpacks a stream finds the end of a file by that.
            about = ZipInfo(entry.name, entry.changed.timetuple()[:6])
            about.compress_type, about.external_attr = ZIP_DEFLATED, _A_FILE
            async with aclosing(await objects.pieces(entry.key)) as pieces:
                with archive.open(about, "w") as file:
                    async for piece in pieces:
                        await asyncio.to_thread(file.write, piece)
                        yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """Where the archive is written. It cannot go back, so that sizes follow the bytes that they are the sizes of."""

    def __init__(self) -> None:
        super().__init__()
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override] # zipfile writes bytes alone
        self._written.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        written, self._written = self._written, []
        return b"".join(written)
