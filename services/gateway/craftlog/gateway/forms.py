"""Multipart forms: what is more than a little goes to one file on disk as it comes, so that uploads take no memory."""

import asyncio
import io
import os
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Final, cast

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from craftlog.gateway.bodies import chunks
from craftlog.gateway.dispositions import names
from craftlog.gateway.errors import InvalidError, TooLargeError
from craftlog.gateway.limits import MOST_BYTES
from craftlog.runtime.errors import UnavailableError

_MOST_PARTS: Final = 1000
_AROUND_PARTS: Final = 256 * 1024
# What comes in pieces goes to the file, in a thread, at this size; a form that never gets there needs none.
_HANDED_OVER: Final = 128 * 1024
_MOST_WAITING: Final = 256
_MIME: Final = re.compile(r"[\x20-\x7e]{1,255}")
_NO_MIME: Final = "application/octet-stream"


@dataclass(slots=True)
class FormPart:
    """A field of a form, readable until that is closed. ``filename`` is None for a text; ``size`` in bytes."""

    field: str
    filename: str | None
    mime: str
    spool: "_Spool"
    start: int
    size: int = 0

    def body(self) -> bytes | BinaryIO:
        """Return its bytes, which stay readable when the form is closed: themselves or, of a large form, as a file."""
        if self.spool.file is None:
            return self.read()
        return cast("BinaryIO", _Slice(os.dup(self.spool.file.fileno()), self.start, self.size))

    def read(self) -> bytes:
        """Return its bytes."""
        if self.spool.file is None:
            return self.spool.few[self.start : self.start + self.size]
        return os.pread(self.spool.file.fileno(), self.size, self.start)


def is_form(request: Request) -> bool:
    """Tell whether a request announces a multipart form."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


@asynccontextmanager
async def form(request: Request, most: int, most_in_part: int = MOST_BYTES) -> AsyncIterator[Sequence[FormPart]]:
    """Give the parts of a request's form, in order.

    Args:
        request: one that ``is_form``.
        most: how many bytes all parts may have together.
        most_in_part: how many each may have.

    Raises:
        InvalidError: it is no complete form.
        TooLargeError: a part is too large, or all together are.
        UnavailableError: the disk is full.
        SilentError: not a byte came for half a minute.
        ClientDisconnect: the client hung up before the end.
    """
    _, options = parse_options_header(request.headers["content-type"])
    if b"boundary" not in options:
        raise InvalidError("Content-Type", "names no boundary")
    with closing(_Spool()) as spool:
        reader = _Reader(spool, most_in_part)
        try:
            parser = MultipartParser(options[b"boundary"], reader.callbacks())
            async for chunk in chunks(request, most + _AROUND_PARTS):
                parser.write(chunk)
                if spool.held >= _HANDED_OVER:
                    await asyncio.to_thread(spool.write)
        except FormParserError as wrong:
            raise InvalidError("body", f"is no multipart form: {wrong}") from wrong
        if not reader.complete:
            raise InvalidError("body", "ends before its form does")
        spool.end()
        yield reader.parts


def text(parts: Sequence[FormPart], name: str, most: int) -> str | None:
    """Return the first text of this name in a form, None where there is none.

    Raises:
        InvalidError: it is not UTF-8.
        TooLargeError: it has more than ``most`` bytes.
    """
    found = next((part for part in parts if part.filename is None and part.field == name), None)
    if found is None:
        return None
    if found.size > most:
        raise TooLargeError(f"{name}: {found.size} bytes are more than {most}")
    try:
        return found.read().decode()
    except UnicodeDecodeError as wrong:
        raise InvalidError(name, f"is not UTF-8 at byte {wrong.start}") from wrong


class _Spool:
    """The bytes of all parts, one after the other: ``few`` in memory, or in a file. ``held`` counts those that wait."""

    def __init__(self) -> None:
        self.file: BinaryIO | None = None
        self.few = b""
        self.held = 0
        self._waiting: list[memoryview] = []

    def add(self, data: memoryview) -> None:
        """Take bytes that stay as they are: there is no copy, since there may be a hundred forms at once.

        Only what comes in crumbs is put together: by itself each takes some three hundred bytes more.
        """
        self._waiting.append(data)
        self.held += len(data)
        if len(self._waiting) > _MOST_WAITING:
            self._waiting = [memoryview(b"".join(self._waiting))]

    def write(self) -> None:
        """Write what waits to the file."""
        try:
            self.file = self.file or cast("BinaryIO", TemporaryFile())  # noqa: SIM115 - whoever made this closes it
            self.file.writelines(self._waiting)
            self.file.flush()
        except OSError as error:
            raise UnavailableError("uploads cannot be kept now", error) from error
        self._waiting, self.held = [], 0

    def end(self) -> None:
        """Make all that was added readable."""
        if self.file:
            self.write()
        else:
            self.few, self._waiting = b"".join(self._waiting), []

    def close(self) -> None:
        """Give the file up; readers have descriptors of their own."""
        if self.file:
            self.file.close()


class _Reader:
    """Take what the parser finds."""

    def __init__(self, spool: _Spool, most_in_part: int) -> None:
        self.parts: list[FormPart] = []
        self._most = most_in_part
        self.complete = False
        self._spool = spool
        self._end = 0
        self._name = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}

    def callbacks(self) -> Any:
        """Return what the parser calls."""
        calls: dict[str, Callable[..., None]] = {
            "on_part_begin": self._headers.clear,
            "on_header_field": self._on_name,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_headers_finished": self._on_part,
            "on_part_data": self._on_data,
            "on_end": self._on_end,
        }
        return calls

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _on_part(self) -> None:
        field, filename = names(self._headers.get(b"content-disposition", b""))
        if len(self.parts) == _MOST_PARTS:
            raise InvalidError("body", f"has more than {_MOST_PARTS} parts")
        mime = self._headers.get(b"content-type", b"").decode("latin-1") or _NO_MIME
        if not _MIME.fullmatch(mime):
            raise InvalidError(field, "has a content type that is not 1 to 255 printable ASCII characters")
        self.parts.append(FormPart(field, filename, mime, self._spool, self._end))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        part = self.parts[-1]
        part.size += end - start
        if part.size > self._most:
            raise TooLargeError(f"{part.field}: more than {self._most} bytes")
        self._end += end - start
        self._spool.add(memoryview(data)[start:end])

    def _on_end(self) -> None:
        self.complete = True


class _Slice(io.RawIOBase):
    """A range of a file's bytes, with a place and a descriptor of its own."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        super().__init__()
        self._descriptor, self._start, self._size, self._at = descriptor, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        room = memoryview(buffer)[: self._size - self._at]
        read = os.preadv(self._descriptor, [room], self._start + self._at) if room else 0
        self._at += read
        return read

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()
