"""What a request carries, read no further than the limit."""

import json
import re
from collections.abc import AsyncGenerator
from hashlib import sha256
from typing import Any, Final

from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect, Request

from craftlog.gateway.errors import InvalidError, TooLargeError
from craftlog.gateway.fields import Json, an_object
from craftlog.gateway.limits import MOST_BYTES, parse

# What is not a message has no claim check, so that it must fit into one event whatever JSON makes of it.
MOST_SMALL_BYTES: Final = 64 * 1024
_MULTIPART_AROUND: Final = 256 * 1024
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


async def _chunks(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise TooLargeError(f"body: {declared} bytes are more than {most}")
    received, more = 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        received += len(chunk)
        if received > most:
            raise TooLargeError(f"body: more than {most} bytes")
        more = message.get("more_body", False)
        yield chunk


async def raw_body(request: Request, most: int = MOST_BYTES) -> bytes:
    """Return the body's bytes.

    Raises:
        TooLargeError: there are more than ``most``; the rest is not kept.
        ClientDisconnect: the client hung up before the end.
    """
    return b"".join([chunk async for chunk in _chunks(request, most)])


class _Upload(Request):
    """A request whose form is read no further than the limit."""

    def stream(self) -> AsyncGenerator[bytes, None]:
        return _chunks(self, MOST_BYTES + _MULTIPART_AROUND)


async def small_object(request: Request) -> Json:
    """Return the JSON object in the body; no body at all is an empty object, unless it was announced as JSON.

    Raises:
        InvalidError: it is no JSON object, or holds what cannot be stored.
        TooLargeError: it has more than 64 KiB.
    """
    body = await raw_body(request, MOST_SMALL_BYTES)
    announced = "json" in request.headers.get("content-type", "")
    return an_object(parse(body), "body") if body or announced else {}


async def upload(request: Request) -> tuple[FormData, UploadFile]:
    """Return a multipart form and the file in its field ``file``.

    Raises:
        InvalidError: there is none.
        TooLargeError: the file has more than 16 MiB.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise InvalidError("body", "must be multipart/form-data with a field file")
    form = await _Upload(request.scope, request.receive).form(max_files=1, max_fields=8, max_part_size=MOST_SMALL_BYTES)
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise InvalidError("file", "is missing")
    if (file.size or 0) > MOST_BYTES:
        raise TooLargeError(f"file: {file.size} bytes are more than {MOST_BYTES}")
    return form, file


def idempotency_key(request: Request) -> str | None:
    """Return the Idempotency-Key, or None where there is none.

    Raises:
        InvalidError: it is empty, has more than 255 characters, or others than visible ASCII ones.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidError("Idempotency-Key", "must be 1 to 255 visible ASCII characters")
    return key


def digest(value: Any) -> str:
    """Return 32 hex digits that are the same for two bodies that say the same."""
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:32]
