"""Appending messages: in the log when the client hears of them, once however often they are sent with the same key."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

from pydantic_core import to_json

from craftlog.contracts.envelope import MAX_BODY, event_id
from craftlog.contracts.events import MessageAppended
from craftlog.contracts.messages import Stored
from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address
from craftlog.gateway.decider.refusals import ReusedKeyError, UnansweredKeyError
from craftlog.gateway.decider.session_commands import AppendMessages, NewMessage
from craftlog.gateway.dialects.canonical import Canonical
from craftlog.gateway.digests import digest
from craftlog.gateway.errors import TooLargeError
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.heads import READ_BUDGET
from craftlog.runtime.claims import PARTS
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.objects import key_of

# JSON of this size fits into an event, whatever its numbers and escapes look like once we have written them.
_SURELY_FITS: Final = 32 * 1024
# What an event has beside parts and meta: ids, the position, the digest of a keyed request, where its parts are.
_AROUND_PARTS: Final = 1024


@dataclass(frozen=True, slots=True)
class Key:
    """An Idempotency-Key, the route that it came to, and the digest of what it came with."""

    text: str
    route: str
    request: str


def keyed(text: str | None, route: str, body: Any) -> Key | None:
    """Return the key of a request, None where it has none."""
    return Key(text, route, digest(body)) if text else None


async def append(
    gateway: Gateway,
    address: Address,
    said: Sequence[Canonical],
    *,
    size: int,
    key: Key | None = None,
    field: str = "blob",
) -> list[Document]:
    """Append messages, all or none, and return them as the read model will have them.

    With a key that appended before, they are those of then.

    Args:
        gateway: where to.
        address: the session.
        said: at least one message.
        size: of the body that they came in, in bytes.
        key: what makes a repeat of the request the same request.
        field: where in the request a message stood, ``{}`` for its index.

    Raises:
        AbsentError, MissingError: there is no such session.
        ReusedKeyError: the key appended something else.
        TooLargeError: what is no part of a message is too large for an event.
    """
    ids = [str(uuid4()) for _ in said] if key is None else _ids(address, key, len(said))
    new = [NewMessage(one, message.role, message.parts, message.meta) for one, message in zip(ids, said, strict=True)]
    if size <= _SURELY_FITS or all(_size(message) <= MAX_BODY for message in new):
        return await _append(gateway, address, new, key)
    async with gateway.putting(address, "session_id"):
        return await _append(gateway, address, await claimed(gateway, address, new, field), key)


async def _append(gateway: Gateway, address: Address, new: Sequence[NewMessage], key: Key | None) -> list[Document]:
    if key:
        return await _append_once(gateway, address, AppendMessages(tuple(new), key.request))
    return await _transact(gateway, address, AppendMessages(tuple(new)), cause=new[0].message_id)


async def _append_once(gateway: Gateway, address: Address, command: AppendMessages) -> list[Document]:
    first = command.messages[0].message_id
    cause = f"{first} {command.request}"
    looked_up: int | None = 0
    stored: list[Document] = []
    while looked_up is not None:
        try:
            stored = await _transact(gateway, address, replace(command, looked_up=looked_up), cause)
            looked_up = None
        except UnansweredKeyError as unanswered:
            if found := await _look_up(gateway, address, first, unanswered.through):
                return await _first_answer(gateway, address, found, command)
            looked_up = unanswered.through
    if stored:
        return stored
    await gateway.heads.seen(address)
    if found := await gateway.reads.message(address.id, first):
        return await _first_answer(gateway, address, found, command)
    # It is in the log, so the read model stands still before it, or is just being erased.
    raise UnavailableError("Idempotency-Key: what it stored cannot be read now")


async def _look_up(gateway: Gateway, address: Address, message_id: str, through: int) -> Document | None:
    """Return a message from the read model, once that has all up to a position; a deleted session has none."""

    def reached(head: Document | None) -> Document | None:
        return head if head and (head.get("deleted") or head.get("messages", 0) >= through) else None

    try:
        await gateway.heads.until(address, reached, READ_BUDGET)
    except TimeoutError as late:
        raise UnavailableError(f"the read model of session {address.id} is behind; ask again") from late
    return await gateway.reads.message(address.id, message_id)


async def _first_answer(gateway: Gateway, address: Address, first: Document, command: AppendMessages) -> list[Document]:
    """Return the first message and those that were stored with it: as many as now, since the request is the same."""
    if first["request"] != command.request:
        raise ReusedKeyError("stored something else before")
    if len(command.messages) == 1:
        return [first]
    # They are in the log together, and on their way to the read model one after the other.
    await gateway.heads.seen(address)
    end = first["position"] + len(command.messages)
    found = await gateway.reads.messages(address.id, range(first["position"], end))
    if len(found) < len(command.messages):
        raise UnavailableError("Idempotency-Key: what it stored cannot be read now")
    return found


async def _transact(gateway: Gateway, address: Address, command: AppendMessages, cause: str) -> list[Document]:
    """Append and return the messages' documents, none where they are there already."""
    decided = await gateway.sessions.transact(address, [command], cause=cause)
    return [
        {
            "session_id": address.id,
            "message_id": recorded.event.message_id,
            "parent_id": recorded.event.parent_id,
            "role": recorded.event.role,
            "meta": recorded.event.meta,
            "created_at": recorded.time,
        }
        for recorded in decided.recorded
        if isinstance(recorded.event, MessageAppended)
    ]


async def claimed(gateway: Gateway, address: Address, new: Sequence[NewMessage], field: str) -> list[NewMessage]:
    """Return the messages, those too large for an event with their parts in the bucket.

    Raises:
        TooLargeError: what is no part of a message is too large for an event; ``field`` says where it stood.
    """
    stored, data = list(new), dict[str, bytes]()
    for at, message in enumerate(new):
        if _size(message) > MAX_BODY:
            parts = PARTS.dump_json(message.parts, exclude_none=True)
            hashed = sha256(parts).hexdigest()
            reference = Stored(key=key_of(address, hashed), sha256=hashed, size_b=len(parts))
            stored[at], data[reference.key] = replace(message, parts=(), parts_ref=reference), parts
            if (size := _size(stored[at])) > MAX_BODY:
                where = field.format(at)
                raise TooLargeError(f"{where}: the keys beside content and calls have {size} bytes of {MAX_BODY}")
    await asyncio.gather(*(gateway.objects.put(key, parts, "application/json") for key, parts in data.items()))
    return stored


def _size(message: NewMessage) -> int:
    """Return the bytes of the event that this would be, at most."""
    return len(PARTS.dump_json(message.parts, exclude_none=True)) + len(to_json(message.meta)) + _AROUND_PARTS


def _ids(address: Address, key: Key, count: int) -> list[str]:
    """Return the ids that messages with a key always have; the first is the same whatever came with it."""
    first = event_id(address.subject, key.route, key.text)
    return [first, *(event_id(first, str(ordinal)) for ordinal in range(1, count))]
