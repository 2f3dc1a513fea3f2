"""Group commit: appends of different aggregates that wait for the log go as one atomic batch and share its syncs."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from nats.aio.client import Client

from craftlog.runtime import jetstream
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.jetstream import INCOMPLETE_BATCH, MOST_IN_BATCH, Append, PublishError, publish

_MOST_BYTES: Final = 4 * 1024 * 1024
# An atomic batch costs nats-server six syncs, however many messages it has, and a plain publish one: ADR 2.
_WORTH_A_BATCH: Final = 8
_ALONE_AT_ONCE: Final = 16
_MOST_PASSED: Final = 64
_PAUSE: Final = 0.05


@dataclass(frozen=True, slots=True)
class _Waiting:
    append: Append
    stored: asyncio.Future[int]


class Commits:
    """One process's way to the log: while one commit is under way others wait, and then go together."""

    def __init__(self, client: Client) -> None:
        """Args: client: a connected nats-py client, which the caller closes."""
        self._client = client
        self._under_way = False
        self._waiting: deque[_Waiting] = deque()
        self._rest: asyncio.Task[None] | None = None
        self._refused = 0  # batches in a row
        self._to_pass = 0  # commits before the next batch is tried

    async def append(self, append: Append) -> int:
        """Store all of it or nothing, whatever becomes of others, and return the sequence of its last event.

        Raises:
            PublishError: JetStream refuses it.
            UnavailableError: it gave no answer; whether it is stored is not known.
        """
        if self._under_way:
            waiting = _Waiting(append, asyncio.get_running_loop().create_future())
            self._waiting.append(waiting)
            return await waiting.stored
        self._under_way = True
        try:
            return await self._alone(append)
        finally:
            if self._waiting:
                # A task of its own, so that a caller who hangs up takes nobody else's append along.
                self._rest = asyncio.create_task(self._serve())
            else:
                self._under_way = False

    async def _serve(self) -> None:
        """Commit what waits, until nothing does."""
        try:
            while group := self._taken():
                await self._commit(group)
        finally:
            self._under_way = False

    def _taken(self) -> list[_Waiting]:
        """Take from the queue what can go together: of each aggregate the first, since its lock bars a second."""
        taken: dict[str, _Waiting] = {}
        left: deque[_Waiting] = deque()
        messages = size = 0
        for waiting in self._waiting:
            if waiting.stored.done():
                continue  # the caller hung up before it was sent
            messages += len(waiting.append.encoded)
            size += waiting.append.size
            full = bool(taken) and (messages > MOST_IN_BATCH or size > _MOST_BYTES)
            if full or waiting.append.subject in taken:
                left.append(waiting)
            else:
                taken[waiting.append.subject] = waiting
        self._waiting = left
        return list(taken.values())

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        few = len(group) == 1 or sum(len(waiting.append.encoded) for waiting in group) < _WORTH_A_BATCH
        if few or self._to_pass:
            self._to_pass = max(self._to_pass - 1, 0)
            await self._one_by_one(group)
            return
        try:
            last = await publish(self._client, *(waiting.append for waiting in group))
        except (PublishError, ValueError):
            # One stale lock or one repeat refuses them all; alone, each gets the answer that is its own.
            # Where clients roam between gateways nearly every batch has a stale lock: then few more are tried.
            self._refused += 1
            self._to_pass = min(2**self._refused, _MOST_PASSED)
            await self._one_by_one(group)
        except Exception as error:  # noqa: BLE001 - every waiting caller gets the reason, none waits for ever
            for waiting in group:
                _refuse(waiting, UnavailableError("the log gave no answer", error))
        else:
            self._refused = 0
            for waiting in reversed(group):
                _answer(waiting, last)
                last -= len(waiting.append.encoded)

    async def _one_by_one(self, group: Sequence[_Waiting]) -> None:
        for at in range(0, len(group), _ALONE_AT_ONCE):
            await asyncio.gather(*map(self._settle, group[at : at + _ALONE_AT_ONCE]))

    async def _settle(self, waiting: _Waiting) -> None:
        try:
            _answer(waiting, await self._alone(waiting.append))
        except Exception as error:  # noqa: BLE001 - it goes to its own caller
            _refuse(waiting, error)

    async def _alone(self, append: Append) -> int:
        """Publish it; a batch that never was whole, as too many were open or the connection broke, begins anew."""
        deadline = asyncio.get_running_loop().time() + jetstream.TIMEOUT
        while True:
            try:
                return await publish(self._client, append)
            except PublishError as refusal:
                if refusal.err_code != INCOMPLETE_BATCH or asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(_PAUSE)


def _answer(waiting: _Waiting, last_seq: int) -> None:
    if not waiting.stored.done():
        waiting.stored.set_result(last_seq)


def _refuse(waiting: _Waiting, error: Exception) -> None:
    if not waiting.stored.done():
        waiting.stored.set_exception(error)
