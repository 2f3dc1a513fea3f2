"""What the client library lacks: publishing in atomic batches, reading in batches, and waiting for a connection."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from craftlog.contracts.envelope import Recorded, decode
from craftlog.contracts.subjects import STREAM
from craftlog.runtime.errors import UnavailableError

TIMEOUT: Final = 5.0
MOST_IN_BATCH: Final = 1000
REFUSED_FOR_GOOD: Final = 400
DUPLICATE: Final = 10201
INCOMPLETE_BATCH: Final = 10176
CONNECTION_ERRORS = (nats.errors.Error, TimeoutError, ConnectionError)
_RECONNECT_POLL: Final = 0.02
_PAGE: Final = 512


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as the stream holds it."""

    subject: str
    headers: Mapping[str, str]
    body: bytes
    seq: int

    def decode(self) -> Recorded:
        """Return the event in it, or raise UndecodableError."""
        return decode(self.subject, self.headers, self.body, self.seq)


@dataclass(frozen=True, slots=True)
class Append:
    """Headers and bodies of events for one subject, to be stored if its last sequence is still the expected one."""

    subject: str
    encoded: Sequence[tuple[dict[str, str], bytes]]
    expected_seq: int

    @property
    def size(self) -> int:
        """Return how many bytes its bodies have."""
        return sum(len(body) for _, body in self.encoded)

    def messages(self) -> Iterator[tuple[str, dict[str, str], bytes]]:
        """Yield subject, headers and body of each; the first carries the lock."""
        lock = {"Nats-Expected-Last-Subject-Sequence": str(self.expected_seq)}
        for headers, body in self.encoded:
            yield self.subject, {**headers, "Nats-Msg-Id": headers["ce-id"], **lock}, body
            lock = {}


class PublishError(Exception):
    """JetStream refuses. ``code`` is like an HTTP status, ``err_code`` is its own."""

    def __init__(self, code: int, err_code: int, description: str) -> None:
        super().__init__(f"{description} ({err_code})")
        self.code = code
        self.err_code = err_code


async def publish(client: Client, *appends: Append) -> int:
    """Send all or nothing and return the sequence of the last message; those before it have the ones before that.

    One message goes plainly, several as one atomic batch (a batch of one costs ten times a plain publish).

    Raises:
        PublishError: JetStream refuses. One lock that does not hold, or one message that is stored already, is enough.
        UnavailableError: it gave no answer; whether they are stored is not known.
    """
    await connected(client)
    *ahead, (subject, headers, body) = [message for append in appends for message in append.messages()]
    try:
        if ahead:
            batch = client._nuid.next().decode()  # noqa: SLF001 - the client's own id maker
            framed = b"".join(
                _framed(*message, f"Nats-Batch-Id: {batch}\r\nNats-Batch-Sequence: {ordinal}\r\n")
                for ordinal, message in enumerate(ahead, start=1)
            )
            await client._send_command(framed)  # noqa: SLF001 - its publish takes ten times as long, over the headers
            last = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(len(ahead) + 1), "Nats-Batch-Commit": "1"}
            headers = {**headers, **last}
        answer = await client.request(subject, body, timeout=TIMEOUT, headers=headers)
    except CONNECTION_ERRORS as error:
        raise UnavailableError("the log cannot be reached", error) from error
    reply = json.loads(answer.data)
    if refusal := reply.get("error"):
        raise PublishError(refusal["code"], refusal.get("err_code", 0), refusal.get("description", ""))
    if reply.get("duplicate"):
        # The sequence in this answer is that of an event stored before, which need not follow the expected one.
        raise PublishError(REFUSED_FOR_GOOD, DUPLICATE, "this event is stored already")
    return int(reply["seq"])


def _framed(subject: str, headers: Mapping[str, str], body: bytes, more: str) -> bytes:
    """Return a message without an answer as the wire has it; ``more`` are lines of headers."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\n") != len(headers):
        raise ValueError("a header holds a line break")
    head = f"NATS/1.0\r\n{lines}{more}\r\n".encode()
    return b"HPUB %b %d %d\r\n%b%b\r\n" % (subject.encode(), len(head), len(head) + len(body), head, body)


async def read(client: Client, subject: str, after_seq: int) -> AsyncIterator[Stored]:
    """Yield a subject's messages in order, in pages of JetStream's batched direct get (ADR-31).

    Raises:
        UnavailableError: it gave no answer.
    """
    await connected(client)
    inbox = client.new_inbox()
    try:
        subscription = await client.subscribe(inbox)
    except CONNECTION_ERRORS as error:
        raise UnavailableError("the log cannot be reached", error) from error
    try:
        left = 1
        while left:
            request = {"seq": after_seq + 1, "next_by_subj": subject, "batch": _PAGE}
            await client.publish(f"$JS.API.DIRECT.GET.{STREAM}", json.dumps(request).encode(), reply=inbox)
            left = 0
            while stored := await _next(subscription.next_msg(TIMEOUT)):
                after_seq = stored.seq
                left = int(stored.headers.get("Nats-Num-Pending", "0"))
                yield stored
    except CONNECTION_ERRORS as error:
        raise UnavailableError("the log cannot be reached", error) from error
    finally:
        if not client.is_closed:
            await subscription.unsubscribe()


async def _next(arriving: Awaitable[Msg]) -> Stored | None:
    message = await arriving
    headers = message.headers or {}
    match headers.get("Status"):
        case None:
            return Stored(headers["Nats-Subject"], headers, message.data, int(headers["Nats-Sequence"]))
        case "204" | "404":
            return None
        case status:
            raise UnavailableError("the log does not answer reads", f"status {status}")


async def connected(client: Client) -> None:
    """Wait while the client reconnects: what is sent meanwhile may be dropped without a word.

    Raises:
        UnavailableError: it does not; nothing was sent.
    """
    for _ in range(int(TIMEOUT / _RECONNECT_POLL)):
        if client.is_connected:
            return
        await asyncio.sleep(_RECONNECT_POLL)
    raise UnavailableError("the log cannot be reached", "there is no connection to NATS")


async def ask(client: Client, subject: str, request: dict[str, Any]) -> Any:
    """Return the JSON that JetStream's API answers, or raise UnavailableError."""
    await connected(client)
    try:
        answer = await client.request(subject, json.dumps(request).encode(), timeout=TIMEOUT)
    except CONNECTION_ERRORS as error:
        raise UnavailableError("the log cannot be reached", error) from error
    return json.loads(answer.data)
