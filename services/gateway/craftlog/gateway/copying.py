"""Copying a session: for readers there is a copy only once it has everything, and what is left of a broken one goes.

A copy is in the log before its first object is in the bucket. Whoever dies over it leaves a session that nobody can
see and that knows what it lacks: the same Idempotency-Key goes on with it, else it is deleted after a while with all
that belongs to it.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

import structlog

from craftlog.contracts.envelope import event_id
from craftlog.contracts.events import CopyOf
from craftlog.contracts.messages import Asset, Message, Part
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.appending import claimed
from craftlog.gateway.decider.refusals import AbsentError, ReusedKeyError
from craftlog.gateway.decider.session_commands import AbandonCopy, BeginCopy, CopyMessages, NewMessage
from craftlog.gateway.errors import MissingError, TooLargeError
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.reading import read
from craftlog.runtime.errors import ObjectMissingError, UnavailableError
from craftlog.runtime.objects import key_of, prefix_of

MOST_MESSAGES: Final = 5000
# When a copy is given up nobody works on it any more.
_BUDGET: Final = timedelta(minutes=10)
_GIVEN_UP_AFTER: Final = timedelta(minutes=15)
_LOOK_EVERY: Final = timedelta(minutes=1)

logger = structlog.get_logger()


async def copy_session(gateway: Gateway, source: Address, key: str | None) -> str:
    """Make a session with the configs and messages of another one, and return its id.

    Messages have ids of their own there, objects are copied. It has no space, or each task would teach it twice; its
    tasks are observed anew.

    Raises:
        MissingError: there is no such session, or it was just deleted, or the copy was given up meanwhile.
        TooLargeError: it has more than 5,000 messages.
        ReusedKeyError: the key made a copy that is no more.
        UnavailableError: it cannot be read or written now; with a key the next call goes on where this one ended.
    """
    seen = await gateway.heads.seen(source)
    if seen.stalled is not None:
        raise UnavailableError(f"session {source.id} cannot be read further than version {seen.stalled}")
    if (messages := seen.head["messages"]) > MOST_MESSAGES:
        raise TooLargeError(f"session_id: {messages} messages are more than {MOST_MESSAGES}")
    copy = Address(Kind.SESSION, source.project, event_id(source.subject, "POST copy", key) if key else str(uuid4()))
    begin = BeginCopy(
        CopyOf(session_id=source.id, messages=messages), seen.head["configs"], seen.head["disable_task_tracking"]
    )
    try:
        async with asyncio.timeout(_BUDGET.total_seconds()):
            version = await _fill(gateway, source, copy, begin)
    except AbsentError as gone:
        raise ReusedKeyError("made a copy that is no more") from gone
    except TimeoutError as late:
        raise UnavailableError("this session takes too long to copy") from late
    await gateway.heads.await_version(copy, version)
    return copy.id


async def abandon(gateway: Gateway, begun_before: datetime) -> None:
    """Delete the copies that began before a time and lack messages; raises UnavailableError."""
    for found in await gateway.reads.copies(begun_before):
        copy = Address(Kind.SESSION, found["project"], found["_id"])
        # Another gateway may have been here first.
        with suppress(AbsentError):
            await gateway.sessions.transact(copy, [AbandonCopy()], cause=f"{copy.id} given up")


async def abandon_the_old(gateway: Gateway) -> None:
    """Delete copies that nobody works on any more, now and then, until cancelled."""
    while True:
        try:
            await abandon(gateway, datetime.now(UTC) - _GIVEN_UP_AFTER)
        except UnavailableError as error:
            logger.warning("copies_wait", reason=str(error))
        await asyncio.sleep(_LOOK_EVERY.total_seconds())


async def _fill(gateway: Gateway, source: Address, copy: Address, begin: BeginCopy) -> int:
    """Begin a copy, or go on with it, and return its version when it has all messages."""
    decided = await gateway.sessions.transact(copy, [begin], cause=copy.id)
    total = (decided.state.copy_of or begin.copy_of).messages
    while decided.state.is_copying:
        at = decided.state.messages
        async for _, messages in read(gateway, source, range(at + 1, total + 1)):
            async with gateway.putting(copy, "the copy"):
                new = await _copied(gateway, source, copy, messages)
                decided = await gateway.sessions.transact(copy, [CopyMessages(at, tuple(new))], cause=f"{copy.id} {at}")
            at += len(messages)
            if decided.state.messages != at:
                break  # another request with the same key works on it, too: go on from where they are now
    return decided.position.version


async def _copied(gateway: Gateway, source: Address, copy: Address, messages: Sequence[Message]) -> list[NewMessage]:
    """Return messages for the copy, with all that they name in the bucket copied."""
    try:
        assets = await _copies(gateway, source, copy, (part.asset for one in messages for part in one.parts))
    except ObjectMissingError as gone:
        raise MissingError(f"session_id: {source.id} was just deleted") from gone
    new = [
        NewMessage(
            event_id(copy.id, message.message_id),
            message.role,
            tuple(_with(part, assets) for part in message.parts),
            message.meta,
        )
        for message in messages
    ]
    return await claimed(gateway, copy, new, "messages[{}]")


async def _copies(
    gateway: Gateway, source: Address, copy: Address, assets: Iterable[Asset | None]
) -> Mapping[str, Asset]:
    """Copy the assets that are the source's own, and return the copies by the keys of the originals."""
    own = {asset.s3_key: asset for asset in assets if asset and asset.s3_key.startswith(prefix_of(source))}
    keys = {key: key_of(copy, asset.sha256) for key, asset in own.items()}
    etags = await asyncio.gather(*(gateway.objects.copy(key, keys[key]) for key in own))
    return {
        key: asset.model_copy(update={"s3_key": keys[key], "etag": etag})
        for (key, asset), etag in zip(own.items(), etags, strict=True)
    }


def _with(part: Part, assets: Mapping[str, Asset]) -> Part:
    copied = assets.get(part.asset.s3_key) if part.asset else None
    return part.model_copy(update={"asset": copied}) if copied else part
