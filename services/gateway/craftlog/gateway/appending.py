"""Appending a message: in the log when the client hears of it, once however often it is sent with the same key."""

from dataclasses import replace
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

from craftlog.contracts.envelope import MAX_BODY, event_id
from craftlog.contracts.events import MessageAppended
from craftlog.contracts.messages import Stored
from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address
from craftlog.gateway.bodies import digest
from craftlog.gateway.decider.refusals import AbsentError, ReusedKeyError, UnansweredKeyError
from craftlog.gateway.decider.session import AppendMessage
from craftlog.gateway.dialects.canonical import Canonical
from craftlog.gateway.errors import TooLargeError
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.heads import READ_BUDGET
from craftlog.gateway.wire import PARTS
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.objects import key_of

# JSON of this size fits into an event, whatever its numbers and escapes look like once we have written them.
_SURELY_FITS: Final = 32 * 1024


async def append(gateway: Gateway, address: Address, message: Canonical, size: int) -> Document:
    """Append a message that carries no key and return it as the read model will have it.

    ``size`` is that of the body that it came in, in bytes.

    Raises:
        AbsentError, MissingError: there is no such session.
        TooLargeError: what is no part of the message is too large for an event.
    """
    message_id = str(uuid4())
    command = AppendMessage(message_id, message.role, message.parts, message.meta)
    if size > _SURELY_FITS:
        command = await _claimed(gateway, address, command)
    stored = await _transact(gateway, address, command, cause=message_id)
    assert stored is not None  # noqa: S101 - only a key can make it a repeat
    return stored


async def append_once(gateway: Gateway, address: Address, message: Canonical, key: str, body: Any) -> Document:
    """Append a message, or return the one that the same key appended before.

    Raises:
        AbsentError, MissingError: there is no such session.
        ReusedKeyError: the key appended another message.
        TooLargeError: what is no part of the message is too large for an event.
    """
    message_id = event_id(address.subject, "POST messages", key)
    request = digest(body)
    command = AppendMessage(message_id, message.role, message.parts, message.meta, request=request)
    command = await _claimed(gateway, address, command)
    looked_up: int | None = 0
    stored = None
    while looked_up is not None:
        try:
            stored = await _transact(gateway, address, replace(command, looked_up=looked_up), f"{message_id} {request}")
            looked_up = None
        except UnansweredKeyError as unanswered:
            if found := await _look_up(gateway, address, message_id, unanswered.through):
                return _first_answer(found, request)
            looked_up = unanswered.through
    if stored:
        return stored
    await gateway.heads.seen(address)
    found = await gateway.reads.message(address.id, message_id)
    if found is None:
        # It is in the log, so the read model stands still before it, or is just being erased.
        raise UnavailableError("Idempotency-Key: the message that it stored cannot be read now")
    return _first_answer(found, request)


async def _look_up(gateway: Gateway, address: Address, message_id: str, through: int) -> Document | None:
    """Return a message from the read model, once that has all up to a position; a deleted session has none."""

    def reached(head: Document | None) -> Document | None:
        return head if head and (head.get("deleted") or head.get("messages", 0) >= through) else None

    try:
        await gateway.heads.until(address, reached, READ_BUDGET)
    except TimeoutError as late:
        raise UnavailableError(f"the read model of session {address.id} is behind; ask again") from late
    return await gateway.reads.message(address.id, message_id)


def _first_answer(found: Document, request: str) -> Document:
    if found["request"] != request:
        raise ReusedKeyError("stored another message before")
    return found


async def _transact(gateway: Gateway, address: Address, command: AppendMessage, cause: str) -> Document | None:
    """Append and return the message's document, None where it is there already."""
    try:
        decided = await gateway.sessions.transact(address, [command], cause=cause)
    except AbsentError:
        if command.parts_ref:
            await gateway.objects.delete(command.parts_ref.key)
        raise
    if not decided.recorded:
        return None
    recorded = decided.recorded[0]
    assert isinstance(recorded.event, MessageAppended)  # noqa: S101 - what the command comes to
    return {
        "session_id": address.id,
        "message_id": recorded.event.message_id,
        "parent_id": recorded.event.parent_id,
        "role": recorded.event.role,
        "meta": recorded.event.meta,
        "created_at": recorded.time,
    }


async def _claimed(gateway: Gateway, address: Address, command: AppendMessage) -> AppendMessage:
    """Return the command with its parts in the bucket, where they are too large for an event."""
    if _size(command) <= MAX_BODY:
        return command
    data = PARTS.dump_json(command.parts, exclude_none=True)
    hashed = sha256(data).hexdigest()
    reference = Stored(key=key_of(address, hashed), sha256=hashed, size_b=len(data))
    claimed = replace(command, parts=(), parts_ref=reference)
    if (size := _size(claimed)) > MAX_BODY:
        raise TooLargeError(f"blob: the keys beside content and calls have {size} bytes; {MAX_BODY} is the most")
    # What is put for a session that is gone stays, should this process die before it can be deleted again.
    await gateway.check(address, "session_id")
    await gateway.objects.put(reference.key, data, len(data), "application/json")
    return claimed


def _size(command: AppendMessage) -> int:
    """Return the bytes of the event that this would be, at the largest position."""
    event = MessageAppended(
        message_id=command.message_id,
        position=2**53,
        parent_id=command.message_id,
        role=command.role,
        parts=command.parts,
        parts_ref=command.parts_ref,
        meta=command.meta,
        request=command.request,
    )
    return len(event.model_dump_json(exclude_none=True))
