"""What a request carries, read no further than the limit."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import closing
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from craftlog.gateway.errors import InvalidError, SilentError, TooLargeError
from craftlog.gateway.fields import Json, an_object
from craftlog.gateway.limits import MOST_AT_ONCE, MOST_BYTES, parse

# What is not a message has no claim check, so that it must fit into one event whatever JSON makes of it.
MOST_SMALL_BYTES: Final = 64 * 1024
_SILENCE: Final = 30.0  # seconds in which not a byte comes
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


async def chunks(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    """Yield the body as it comes, up to ``most`` bytes; raise as ``raw_body`` does."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise TooLargeError(f"body: {declared} bytes are more than {most}")
    received, more = 0, True
    with closing(_Listener(request)) as client:
        while more:
            message = await client.next()
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
        SilentError: not a byte came for half a minute.
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


class _Listener:
    """Waits for what comes next, but not for ever; what we do with it in between is not the client's time.

    There is one timer for a whole body: of one that comes in crumbs each would take less than a timer of its own.
    """

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._limit = asyncio.timeout(None)
        self._timer = self._loop.call_later(_SILENCE, self._look)

    async def next(self) -> Message:
        """Return what comes next, or raise SilentError."""
        self._since = self._loop.time()
        try:
            async with asyncio.timeout(None) as self._limit:
                return await self._receive()
        except TimeoutError as silent:
            raise SilentError(_SILENCE) from silent
        finally:
            self._since = None

    def close(self) -> None:
        """Wait no more."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        until = (now if self._since is None else self._since) + _SILENCE
        if until > now:
            self._timer = self._loop.call_at(until, self._look)
        else:
            self._limit.reschedule(now)
