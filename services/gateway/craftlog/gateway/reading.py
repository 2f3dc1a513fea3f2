"""Messages as clients read them: a page of a session, edited, in the format that was asked for."""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar

from pydantic_core import to_json

from craftlog.contracts.messages import Asset, Message, Part
from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import tokens, wire
from craftlog.gateway.cursors import after_number, encode
from craftlog.gateway.dialects import DIALECTS
from craftlog.gateway.dialects.canonical import Dialect
from craftlog.gateway.dialects.media import place_of
from craftlog.gateway.dialects.pairing import Needed, lacks_calls, paired
from craftlog.gateway.editing import Strategy, edit
from craftlog.gateway.errors import InvalidError, MissingError
from craftlog.gateway.fields import Json
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.limits import MOST_AT_ONCE, MOST_BYTES
from craftlog.runtime.errors import ObjectMissingError
from craftlog.runtime.objects import prefix_of

T = TypeVar("T")

ACONTEXT: Final = "acontext"
_URLS_LAST: Final = timedelta(hours=24)
# How many are worked on before others have their turn.
_AT_ONCE: Final = 200
_LOOK_BACK: Final = 64
MOST_BYTES_IN_PAGE: Final = 4 * MOST_BYTES
# What ids, times and the like come to, so that nothing is free.
_AROUND_MESSAGE: Final = 256


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reader asks for. ``limit`` 0 is all; ``pin`` is the id of the last message that is to be edited."""

    limit: int
    cursor: str | None
    newest: bool
    format: str
    strategies: Sequence[Strategy]
    pin: str | None
    with_urls: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its items as JSON, what else there is to say, and where the read model stands still, if it does."""

    items: bytes
    rest: Json
    stalled: int | None


async def page(gateway: Gateway, session: Address, wish: Wish) -> Page:
    """Return a page of messages.

    Raises:
        MissingError: there is no such session.
        InvalidError: the cursor or the pin is not of these messages, or they are too much to be read at once.
        UnavailableError: the read model or the bucket cannot be reached.
    """
    seen = await gateway.heads.seen(session)
    return await page_of(gateway, session, range(1, seen.head["messages"] + 1), wish, seen.stalled)


async def page_of(
    gateway: Gateway, session: Address, positions: Sequence[int], wish: Wish, stalled: int | None
) -> Page:
    """Return a page of the messages at these positions, which are ascending and there; raises as ``page`` does."""
    chosen, more = _part(positions, wish.limit, after_number(wish.cursor), newest=wish.newest)
    stored: dict[str, Document] = {}
    messages: list[Message] = []
    async for documents, found in read(gateway, session, chosen, most=MOST_BYTES_IN_PAGE):
        stored |= {document["message_id"]: document for document in documents}
        messages += found
    urls = await _urls(gateway, session, messages)
    if wish.format == ACONTEXT:
        write = _as_stored(stored, await gateway.heads.head(Address(Kind.BOARD, session.project, session.id)))
    else:
        write = partial(_as, DIALECTS[wish.format], {place_of(asset): url for asset, url in urls})
    needed: Needed = "calls" if wish.strategies else "names" if wish.format == "gemini" else "ids"
    before = await _before(gateway, session, chosen[0]) if chosen and lacks_calls(messages, needed) else []
    size = sum(map(size_of, stored.values()))
    items, rest = await _aside(size, partial(_written, messages, wish, before, write))
    public = {"public_urls": _public(urls) if wish.format == ACONTEXT and wish.with_urls else None}
    return Page(items, {**rest, **public, **more}, stalled)


async def read(
    gateway: Gateway, session: Address, positions: Sequence[int], *, most: int | None = None
) -> AsyncIterator[tuple[list[Document], list[Message]]]:
    """Yield the messages at these positions, which are ascending, never many or much of them at a time.

    Raises:
        MissingError: the session was deleted meanwhile.
        InvalidError: there are several, and they have more than ``most`` bytes together.
    """
    total = 0
    for start in range(0, len(positions), _AT_ONCE):
        wanted = positions[start : start + _AT_ONCE]
        stored = await gateway.reads.messages(session.id, wanted)
        if len(stored) < len(wanted):
            # The head covers only what is there: what is missing went since it was read.
            raise _just_deleted(session)
        for some, size in _groups(stored):
            total += size
            if most and total > most and len(positions) > 1:
                raise InvalidError("limit", f"there are more than {most} bytes to return; ask for fewer messages")
            try:
                parts = await gateway.reads.parts(some)
            except ObjectMissingError as gone:
                raise _just_deleted(session) from gone
            yield some, list(map(_message, some, parts))


def _groups(stored: Sequence[Document]) -> Iterator[tuple[list[Document], int]]:
    """Yield messages, and their size, in groups that are no larger than the largest message can be."""
    group, size = list[Document](), 0
    for one in stored:
        if group and size + size_of(one) > MOST_BYTES:
            yield group, size
            group, size = [], 0
        group.append(one)
        size += size_of(one)
    if group:
        yield group, size


def size_of(stored: Document) -> int:
    """Return about how many bytes a message has."""
    around = _AROUND_MESSAGE + len(str(stored["meta"]))
    if reference := stored.get("parts_ref"):
        return around + int(reference["size_b"])
    return around + sum(len(part.get("text") or "") + len(str(part.get("meta") or "")) for part in stored["parts"])


def _message(stored: Document, parts: tuple[Part, ...]) -> Message:
    return Message(
        message_id=stored["message_id"],
        position=stored["position"],
        role=stored["role"],
        parts=parts,
        meta=stored["meta"],
    )


async def _urls(gateway: Gateway, session: Address, messages: Sequence[Message]) -> list[tuple[Asset, str]]:
    """Return where the files of messages can be downloaded for a day."""
    assets = [part.asset for message in messages for part in message.parts if part.asset]
    # A message may name whatever its sender liked: only what is this session's is given away.
    own = [asset for asset in assets if asset.s3_key.startswith(prefix_of(session))]
    if not own:
        return []
    signed = await gateway.objects.sign_all({(asset.s3_key, asset.mime) for asset in own}, _URLS_LAST)
    return [(asset, signed[asset.s3_key, asset.mime]) for asset in own]


def _public(urls: Sequence[tuple[Asset, str]]) -> Json:
    """Return URLs by SHA-256 as the SDKs want them: of bytes that came as several types, as the first of them."""
    until = wire.at(datetime.now(UTC) + _URLS_LAST)
    return {asset.sha256: {"url": url, "expire_at": until} for asset, url in reversed(urls)}


async def _before(gateway: Gateway, session: Address, first: int) -> list[Message]:
    """Return the messages before a page, no more than could be on one."""
    start, room = first, MOST_BYTES_IN_PAGE
    for stored in reversed(await gateway.reads.messages(session.id, range(max(first - _LOOK_BACK, 1), first))):
        room -= size_of(stored)
        if room < 0:
            break
        start = stored["position"]
    return [one async for _, found in read(gateway, session, range(start, first)) for one in found]


def _written(
    messages: Sequence[Message], wish: Wish, before: Sequence[Message], write: Callable[[Message], list[Json]]
) -> tuple[bytes, Json]:
    """Return the items of a page as JSON, and what follows from them."""
    edited = edit(messages, wish.strategies, wish.pin, before)
    items = [write(message) for message in paired(edited.messages, before)]
    # One an item: where a message comes to several (tool results), it has its id several times.
    told = [message for message, own in zip(edited.messages, items, strict=True) for _ in own]
    return to_json([item for own in items for item in own]), {
        "ids": [message.message_id for message in told],
        "metas": [wire.user_meta(message.meta) for message in told],
        "this_time_tokens": tokens.count(edited.messages),
        "edit_at_message_id": edited.edited_at,
    }


def _as(dialect: Dialect, urls: Mapping[str, str], message: Message) -> list[Json]:
    return dialect.from_canonical(message, urls)


def _as_stored(stored: Mapping[str, Document], board: Document | None) -> Callable[[Message], list[Json]]:
    """Return what gives a message as it is stored, with the task that the board has put it to."""
    known = board or {}
    shown = [document["position"] for document in stored.values()]
    first, last = min(shown, default=0), max(shown, default=0)
    task_of = {
        position: task["id"]
        for task in known.get("tasks", ())
        for position in task["positions"][bisect_left(task["positions"], first) : bisect_right(task["positions"], last)]
    }
    through = known.get("through_position", 0)
    skipped = {one["position"] for one in known.get("skipped", ())}

    def write(message: Message) -> list[Json]:
        read_as = "failed" if message.position in skipped else "success"
        status = read_as if message.position <= through else "pending"
        document = stored[message.message_id]
        return [wire.message(document, message.parts, task_id=task_of.get(message.position), status=status)]

    return write


async def _aside(size: int, work: Callable[[], T]) -> T:
    """Return what comes of work on so many bytes, done in a thread where others would wait for it."""
    return await asyncio.to_thread(work) if size > MOST_AT_ONCE else work()


def _just_deleted(session: Address) -> MissingError:
    return MissingError(f"session_id: {session.id} was just deleted")


def _part(positions: Sequence[int], limit: int, after: int | None, *, newest: bool) -> tuple[Sequence[int], Json]:
    """Return the positions on a page, and ``{has_more, next_cursor}``.

    Without a limit it is all of them. With ``newest`` pages go from the end to the beginning; within a page messages
    stand from old to new all the same.
    """
    if limit == 0:
        return positions, {"has_more": False, "next_cursor": None}
    if newest:
        end = len(positions) if after is None else bisect_left(positions, after)
        found = positions[max(end - limit, 0) : end]
        more, edge = end > limit, 0
    else:
        start = 0 if after is None else bisect_right(positions, after)
        found = positions[start : start + limit]
        more, edge = start + limit < len(positions), -1
    return found, {"has_more": more, "next_cursor": encode(found[edge]) if more else None}
