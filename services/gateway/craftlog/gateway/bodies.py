"""What a request carries, read no further than the limit."""

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request

from craftlog.gateway.errors import InvalidError, TooLargeError
from craftlog.gateway.fields import Json, an_object
from craftlog.gateway.limits import MOST_AT_ONCE, MOST_BYTES, parse

# What is not a message has no claim check, so that it must fit into one event whatever JSON makes of it.
MOST_SMALL_BYTES: Final = 64 * 1024
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


async def chunks(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    """Yield the body as it comes, up to ``most`` bytes; raise as ``raw_body`` does."""
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
    return b"".join([chunk async for chunk in chunks(request, most)])


async def parse_aside(body: bytes, root: str = "") -> Any:
    """Return what ``parse`` does; a large body is read in a thread, where others would wait for it."""
    return await asyncio.to_thread(parse, body, root) if len(body) > MOST_AT_ONCE else parse(body, root)


async def small_object(request: Request, most: int = MOST_SMALL_BYTES) -> Json:
    """Return the JSON object in the body; no body at all is an empty object, unless it was announced as JSON.

    Raises:
        InvalidError: it is no JSON object, or holds what cannot be stored.
        TooLargeError: it has more than ``most`` bytes.
    """
    body = await raw_body(request, most)
    announced = "json" in request.headers.get("content-type", "")
    return an_object(parse(body), "body") if body or announced else {}


def idempotency_key(request: Request) -> str | None:
    """Return the Idempotency-Key, or None where there is none.

    Raises:
        InvalidError: it is empty, has more than 255 characters, or others than visible ASCII ones.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidError("Idempotency-Key", "must be 1 to 255 visible ASCII characters")
    return key
