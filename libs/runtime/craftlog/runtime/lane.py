"""One durable consumer of one kind of aggregate, in order: the only place that acknowledges, retries or gives up."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError

from craftlog.contracts.envelope import Recorded, UndecodableError, decode
from craftlog.contracts.questions import ConsumerHealth
from craftlog.contracts.subjects import STREAM, Kind, every, waited
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.jetstream import CONNECTION_ERRORS
from craftlog.runtime.log import Log
from craftlog.runtime.telemetry import span

MOST_AT_ONCE: Final = 500
_PULL_EXPIRES: Final = 2.0
_NANOSECONDS: Final = 1_000_000_000
_DELAYS: Final = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
_NOTHING_NEW: Final = ("404", "408")  # the pull has expired

logger = structlog.get_logger()

Handle = Callable[[Sequence[Recorded]], Awaitable[None]]
Undecodable = Callable[[str, int, str], Awaitable[None]]


class Lane:
    """Hand a kind's events to ``handle`` in stream order, in batches of up to 500, until each batch is applied.

    Delivery policy: what ``handle`` returned from is acknowledged; UnavailableError stops the lane and the same batch
    is tried again with a growing delay; an event that cannot be decoded goes to ``undecodable`` with its subject, its
    stream sequence and the reason. Any other exception ends the lane, and with it the process: the supervisor restarts
    it, and nothing is lost since nothing was acknowledged.

    Batches begin at least ``rest`` seconds after each other, so that many small ones become few; unless a full one is
    there, or somebody says that they wait for what is made of them (contracts: ``subjects.waited``).
    """

    def __init__(
        self, log: Log, durable: str, kind: Kind, handle: Handle, undecodable: Undecodable, *, rest: float = 0.0
    ) -> None:
        self.durable = durable
        self._log = log
        self._client = log.client
        self._kind = kind
        self._handle = handle
        self._undecodable = undecodable
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue()
        self._inbox = self._client.new_inbox()
        self._subscription: Subscription | None = None
        self._wanted = 0
        self._connection = -1
        self._error: str | None = None
        self._pull_error: str | None = None
        self._rest = rest
        self._rested = 0.0  # when the next batch may begin
        self._is_time = asyncio.Event()

    async def run(self) -> None:
        """Consume until cancelled."""
        waits = await self._client.subscribe(waited(self._kind), cb=self._on_waited) if self._rest else None
        try:
            async for batch in self._batches():
                await self.patiently(lambda batch=batch: self._apply(batch))  # type: ignore[misc] # bound at once
                await self._acknowledge(batch)
        finally:
            # Without interest in the inbox the server drops the open pull, so that a successor gets what follows.
            for subscription in (self._subscription, waits):
                if subscription and not self._client.is_closed:
                    await subscription.unsubscribe()

    async def health(self) -> ConsumerHealth:
        """Return how many events are not yet applied, and what stops the lane, if anything does."""
        try:
            info = await self._log.jetstream.consumer_info(STREAM, self.durable, timeout=1)
        except (APIError, *CONNECTION_ERRORS) as error:
            return ConsumerHealth(name=self.durable, lag=-1, error=self._error or str(error) or type(error).__name__)
        lag = (info.num_pending or 0) + (info.num_ack_pending or 0)
        return ConsumerHealth(name=self.durable, lag=lag, error=self._error or self._pull_error)

    async def patiently(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Await ``attempt()`` until it no longer raises UnavailableError; meanwhile the reason shows in the health."""
        tries = 0
        while True:
            try:
                await attempt()
            except UnavailableError as error:
                self._error = str(error)
                logger.warning("lane_waits", durable=self.durable, error=self._error)
                await asyncio.sleep(_DELAYS[min(tries, len(_DELAYS) - 1)])
                tries += 1
            else:
                self._error = None
                _heed_cancellation()
                return

    async def _open(self) -> None:
        """Declare the durable, and take back what was delivered and not acknowledged.

        A predecessor may have died with it, or it was on its way when the connection broke; by itself the server would
        deliver it again only after ``ack_wait``.
        """
        config = ConsumerConfig(
            durable_name=self.durable,
            filter_subject=every(self._kind),
            deliver_policy=DeliverPolicy.ALL,
            # Not ALL: an acknowledgement would cover events before it that got lost on their way here.
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=30,
            max_deliver=-1,
            max_ack_pending=2000,
        )
        connection = self._client.stats["reconnects"]
        try:
            self._subscription = self._subscription or await self._client.subscribe(self._inbox, cb=self._on_message)
            await self._log.jetstream.add_consumer(STREAM, config)
            await self._log.jetstream.reset_consumer(STREAM, self.durable)
            await self._pull()
        except (APIError, *CONNECTION_ERRORS) as error:
            raise UnavailableError(f"consumer {self.durable}", error) from error
        self._connection, self._pull_error = connection, None

    def _is_cut_off(self) -> bool:
        return self._connection != self._client.stats["reconnects"]

    async def _pull(self) -> None:
        self._wanted = MOST_AT_ONCE
        request = {"batch": MOST_AT_ONCE, "expires": int(_PULL_EXPIRES * _NANOSECONDS)}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{self.durable}"
        await self._client.publish(subject, json.dumps(request).encode(), reply=self._inbox)

    async def _on_message(self, message: Msg) -> None:
        status = (message.headers or {}).get("Status")
        if status is None:
            self._wanted -= 1
            self._arrived.put_nowait(message)
            if self._arrived.qsize() >= MOST_AT_ONCE - 1:  # and one in hand
                self._is_time.set()
        elif status in _NOTHING_NEW:
            self._wanted = 0
        else:
            # The consumer was deleted or is not there yet. It is declared again by whoever waits for what arrives.
            self._connection = -1
            self._pull_error = f"nothing is delivered: status {status}"
            return
        self._pull_error = None
        if self._wanted <= 0 and self._arrived.qsize() <= MOST_AT_ONCE:
            await self._pull()

    async def _batches(self) -> AsyncIterator[list[Msg]]:
        """Yield what has arrived. One pull is always open; a silent one is asked for again (connections come back)."""
        while True:
            if self._is_cut_off():
                await self.patiently(self._open)
            try:
                # Not wait_for: up to Python 3.11 it can swallow a cancellation.
                async with asyncio.timeout(_PULL_EXPIRES + 1):
                    batch = [await self._arrived.get()]
            except TimeoutError:
                if not self._is_cut_off():
                    await self._pull_or_wait()
                continue
            if self._rest:
                await self._take_rest()
            while not self._arrived.empty() and len(batch) < MOST_AT_ONCE:
                batch.append(self._arrived.get_nowait())
            yield batch
            if self._wanted <= 0:
                await self._pull_or_wait()

    async def _on_waited(self, _: Msg) -> None:
        self._is_time.set()

    async def _take_rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._rested):
                await self._is_time.wait()
        # Not before: somebody may have said it ahead of the event that they wait for.
        self._is_time.clear()
        self._rested = asyncio.get_running_loop().time() + self._rest

    async def _pull_or_wait(self) -> None:
        try:
            await self._pull()
        except CONNECTION_ERRORS as error:
            self._pull_error = str(error) or type(error).__name__

    async def _apply(self, batch: Sequence[Msg]) -> None:
        events: list[Recorded] = []
        for message in batch:
            seq = message.metadata.sequence.stream
            try:
                events.append(decode(message.subject, message.headers or {}, message.data, seq))
            except UndecodableError as reason:
                await self._undecodable(message.subject, seq, str(reason))
        if events:
            with span(f"consume {self.durable}", causes=(recorded.traceparent for recorded in events)):
                await self._handle(events)

    async def _acknowledge(self, batch: Sequence[Msg]) -> None:
        try:
            for message in batch:
                await self._client.publish(message.reply, b"+ACK")
        except CONNECTION_ERRORS as error:
            # They come again, and are then skipped as duplicates.
            logger.warning("acknowledgement_lost", durable=self.durable, error=str(error))


def _heed_cancellation() -> None:
    """End a task that was asked to: up to Python 3.11 the wait_for in the client library can swallow that."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError
