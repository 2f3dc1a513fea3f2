"""The log: one JetStream stream that holds every event of every aggregate, and is the only source of truth."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from nats.aio.client import Client
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from craftlog.contracts.envelope import Recorded, UndecodableError, decode, encode
from craftlog.contracts.events import Event
from craftlog.contracts.subjects import STREAM, STREAM_SUBJECTS, Address
from craftlog.runtime import jetstream
from craftlog.runtime.commits import Commits
from craftlog.runtime.errors import ConflictError, UnavailableError
from craftlog.runtime.jetstream import CONNECTION_ERRORS, MOST_IN_BATCH, Append, PublishError, Stored

OLDEST_SERVER: Final = (2, 15, 1)
_ERASED_AT_ONCE: Final = 64
_WRONG_LAST_SEQUENCE: Final = (10071, 10164)
_NOT_FOUND: Final = 10037
_IDENTITY: Final = ("ce-id", "ce-type")

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Position:
    """How far an aggregate has come: its version, and the stream sequence of the event that made it."""

    version: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """An event about to be appended. ``id`` is the same for a repeat of the same cause."""

    id: str
    event: Event
    time: datetime
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A stored message that is no event of ours, why, and of what type it says it is, where it says so."""

    seq: int
    type: str | None
    reason: str


class Log:
    """Append to, read and erase aggregates. All methods raise UnavailableError when JetStream cannot be reached."""

    def __init__(self, client: Client) -> None:
        """Args: client: a connected nats-py client, which the caller closes."""
        self.client = client
        self._commits = Commits(client)
        self.jetstream = client.jetstream(timeout=jetstream.TIMEOUT)

    async def prepare(self, replicas: int = 1) -> None:
        """Declare the stream; doing it again changes nothing.

        Raises:
            UnavailableError: JetStream does not answer, or the server is too old for atomic batches.
        """
        version = str(self.client._server_info.get("version", "0"))  # noqa: SLF001 - connected_server_version drops the patch
        if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) < OLDEST_SERVER:
            wanted = ".".join(map(str, OLDEST_SERVER))
            raise UnavailableError(f"nats-server {version} is too old: {wanted} or newer is needed")
        config = StreamConfig(
            name=STREAM,
            subjects=[STREAM_SUBJECTS],
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.NEW,
            allow_direct=True,
            allow_atomic=True,
            duplicate_window=120,
            num_replicas=replicas,
        )
        try:
            await self.jetstream.add_stream(config)
        except (APIError, *CONNECTION_ERRORS) as error:
            raise UnavailableError(f"the stream {STREAM} cannot be declared", error) from error

    async def forget(self, durable: str) -> None:
        """Delete a consumer, where there is one: whoever declares it again begins with the first event."""
        try:
            await self.jetstream.delete_consumer(STREAM, durable)
        except NotFoundError:
            pass  # nothing was ever consumed
        except (APIError, *CONNECTION_ERRORS) as error:
            raise UnavailableError(f"consumer {durable} cannot be forgotten", error) from error

    async def acknowledged(self, durable: str) -> int:
        """Return the stream sequence through which a consumer has taken all that is for it; 0 where it has none."""
        try:
            info = await self.jetstream.consumer_info(STREAM, durable)
        except NotFoundError:
            return 0
        except (APIError, *CONNECTION_ERRORS) as error:
            raise UnavailableError(f"consumer {durable}", error) from error
        return info.ack_floor.stream_seq if info.ack_floor else 0

    async def last(self, address: Address) -> Recorded | None:
        """Return the newest event of an aggregate as the stream's leader knows it, or None where there is none.

        Raises:
            UndecodableError: the stored message is not an event.
        """
        request = {"last_by_subj": address.subject}
        reply = await jetstream.ask(self.client, f"$JS.API.STREAM.MSG.GET.{STREAM}", request)
        if error := reply.get("error"):
            if error["err_code"] == _NOT_FOUND:
                return None
            raise UnavailableError("the log does not answer", error["description"])
        message = reply["message"]
        headers = _parse_headers(base64.b64decode(message.get("hdrs", "")))
        return decode(message["subject"], headers, base64.b64decode(message.get("data", "")), message["seq"])

    async def read(self, address: Address, after_seq: int = 0) -> AsyncIterator[Recorded]:
        """Yield an aggregate's events in order, from the one after ``after_seq`` to the newest at the time.

        A version that is missing here was erased: the log is what says which events there are.

        Raises:
            UndecodableError: a stored message is not an event.
        """
        async for stored in jetstream.read(self.client, address.subject, after_seq):
            yield stored.decode()

    async def read_all(self, address: Address, after_seq: int = 0) -> AsyncIterator[Recorded | Undecodable]:
        """Yield an aggregate's events as ``read`` does, and in their place what is none."""
        async for stored in jetstream.read(self.client, address.subject, after_seq):
            yield _decoded(stored)

    async def raw(self, address: Address, seq: int) -> bytes | None:
        """Return the body of a stored message as it is, or None where the aggregate has none at this sequence."""
        reply = await jetstream.ask(self.client, f"$JS.API.STREAM.MSG.GET.{STREAM}", {"seq": seq})
        if error := reply.get("error"):
            if error["err_code"] == _NOT_FOUND:
                return None
            raise UnavailableError("the log does not answer", error["description"])
        message = reply["message"]
        return base64.b64decode(message.get("data", "")) if message["subject"] == address.subject else None

    async def append(self, address: Address, expected: Position, drafts: Sequence[Draft]) -> list[Recorded]:
        """Append the events of one decision, all or none, if the aggregate is still at ``expected``.

        An answer that was lost on the way is looked up, so that what was stored is never reported as refused.

        Raises:
            ConflictError: the aggregate has moved on.
            ValueError: there are more than 1,000 events.
        """
        if len(drafts) > MOST_IN_BATCH:
            raise ValueError(f"a decision has at most {MOST_IN_BATCH} events, this one has {len(drafts)}")
        encoded = [
            encode(
                address,
                expected.version + ordinal,
                draft.event,
                event_id=draft.id,
                time=draft.time,
                traceparent=draft.traceparent,
            )
            for ordinal, draft in enumerate(drafts, start=1)
        ]
        await jetstream.connected(self.client)
        try:
            last_seq = await self._commits.append(Append(address.subject, encoded, expected.seq))
        except PublishError as refusal:
            if refusal.err_code not in (*_WRONG_LAST_SEQUENCE, jetstream.DUPLICATE):
                if refusal.code == jetstream.REFUSED_FOR_GOOD and refusal.err_code != jetstream.INCOMPLETE_BATCH:
                    raise ValueError(f"the log refuses these events: {refusal}") from refusal
                raise UnavailableError("the log takes no events now", refusal) from refusal
            last_seq = await self._stored_after_all(address, expected, encoded, refusal)
        except UnavailableError as unknown:
            last_seq = await self._stored_after_all(address, expected, encoded, unknown)
        first_seq = last_seq - len(drafts) + 1
        return [
            Recorded(
                address=address,
                version=expected.version + ordinal,
                seq=first_seq + ordinal - 1,
                id=draft.id,
                type=headers["ce-type"],
                time=draft.time,
                event=draft.event,
                traceparent=draft.traceparent,
            )
            for ordinal, (draft, (headers, _)) in enumerate(zip(drafts, encoded, strict=True), start=1)
        ]

    async def erase(self, address: Address, keep: Callable[[Recorded | None], bool]) -> int:
        """Delete the stored bytes of an aggregate's events, except those to keep; return how many went.

        ``keep`` gets None for a message that cannot be decoded. Doing it again deletes what is still there.
        """
        events = jetstream.read(self.client, address.subject, 0)
        doomed = [stored.seq async for stored in events if not keep(_decoded_or_none(stored))]
        try:
            for at in range(0, len(doomed), _ERASED_AT_ONCE):
                batch = doomed[at : at + _ERASED_AT_ONCE]
                await asyncio.gather(*(self.jetstream.delete_msg(STREAM, seq) for seq in batch))
        except APIError as error:
            # Another eraser was here first: what matters is that the message is gone, which the next call sees.
            raise UnavailableError("an event could not be erased", error) from error
        except CONNECTION_ERRORS as error:
            raise UnavailableError("the log cannot be reached", error) from error
        return len(doomed)

    async def _stored_after_all(
        self, address: Address, expected: Position, encoded: Sequence[tuple[dict[str, str], bytes]], cause: Exception
    ) -> int:
        """Return the sequence of our last event where what follows ``expected`` is ours, all of it.

        A publish without an answer may have been stored, and a retry then meets its own lock before its own message id.
        It may go with more than the first try did, so that its beginning proves nothing of the rest. Nor do ids alone
        prove anything: a rival who worked on the same cause has the same ones, and may have come to other words.
        """
        found = 0
        async for stored in jetstream.read(self.client, address.subject, expected.seq):
            headers, body = encoded[found]
            if stored.body != body or any(stored.headers.get(name) != headers[name] for name in _IDENTITY):
                raise ConflictError(f"{address.kind} {address.id} has moved on beyond {expected.version}") from cause
            found += 1
            if found == len(encoded):
                return stored.seq
        if found:
            raise ConflictError(f"{address.kind} {address.id} has moved on by {found} of {len(encoded)}") from cause
        if isinstance(cause, UnavailableError):
            raise cause
        raise ConflictError(f"{address.kind} {address.id} is not at version {expected.version}") from cause


def _parse_headers(raw: bytes) -> dict[str, str]:
    lines = raw.decode().split("\r\n")[1:]
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines) if name}


def _decoded_or_none(stored: Stored) -> Recorded | None:
    try:
        return stored.decode()
    except UndecodableError:
        return None


def _decoded(stored: Stored) -> Recorded | Undecodable:
    try:
        return stored.decode()
    except UndecodableError as error:
        return Undecodable(stored.seq, stored.headers.get("ce-type"), str(error))


async def patiently(attempt: Callable[[], Any], *, first: float = 0.1, most: float = 5.0) -> None:
    """Await ``attempt()`` until it no longer raises UnavailableError, with a growing delay between tries."""
    delay = first
    while True:
        try:
            await attempt()
        except UnavailableError as error:
            logger.warning("waiting", reason=str(error))
            await asyncio.sleep(delay)
            delay = min(delay * 2, most)
        else:
            return
