"""Erasure: after the tombstone of a session, a disk or a space, its events and its objects go as well."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.subjects import Address
from craftlog.ingest.store import Erasures
from craftlog.runtime.errors import ObjectMissingError, RefusedError, UnavailableError
from craftlog.runtime.log import Log, patiently
from craftlog.runtime.objects import Objects, prefix_of
from craftlog.runtime.projector import Folded

_FIRST_DELAY: Final = 0.2
_LONGEST_DELAY: Final = 10.0
# By then a gateway has given up on any object of which it knew that it may put it: see ``Gateway.putting``.
LATE: Final = timedelta(minutes=10)
_SWEEP_EVERY: Final = 60.0

logger = structlog.get_logger()


class Eraser:
    """Erase what was deleted, beside the projections and never in their way.

    It may be killed anywhere: what was deleted is on the list until all is done, and each step can be done again.
    """

    def __init__(self, log: Log, erasures: Erasures, objects: Objects) -> None:
        self._log = log
        self._erasures = erasures
        self._objects = objects
        self._due: dict[Address, str | None] = {}  # what stopped the last try, if there was one
        self._news = asyncio.Event()

    async def on_written(self, folded: Sequence[Folded]) -> None:
        """Take up what the projection has just marked as deleted."""
        for one in folded:
            if one.changes.head.get("deleted"):
                self._due[one.address] = None
                self._news.set()

    async def run(self) -> None:
        """Finish what a predecessor began, then erase whatever is deleted, until cancelled."""
        await patiently(self._take_up)
        delay = _FIRST_DELAY
        while True:
            await self._erase_due()
            if self._due:
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_DELAY)
            else:
                delay = _FIRST_DELAY
                await self._news.wait()
                self._news.clear()

    async def probe(self) -> None:
        """Answer health.

        Raises:
            UnavailableError: something could not be erased yet; the text says how much, and why.
        """
        reasons = [reason for reason in self._due.values() if reason]
        if reasons:
            raise UnavailableError(f"{len(self._due)} deleted are not erased yet: {reasons[0]}")

    async def _take_up(self) -> None:
        self._due |= dict.fromkeys(await self._erasures.due())

    async def _erase_due(self) -> None:
        for address in list(self._due):
            try:
                await self._erase(address)
            except (UnavailableError, RefusedError) as error:
                self._due[address] = str(error)
                logger.warning("erasure_waits", kind=address.kind, id=address.id, error=str(error))
                if isinstance(error, UnavailableError):
                    return  # the others would find the same closed door
            else:
                del self._due[address]

    async def _erase(self, address: Address) -> None:
        events = await self._log.erase(address, _is_tombstone)
        objects = await _swept(self._objects, address)
        await self._erasures.erased(address, datetime.now(UTC))
        logger.info("erased", kind=address.kind, id=address.id, events=events, objects=objects)


class LateSweep:
    """Sweep the objects of what was erased once more, a while later, and then be done with it.

    A gateway that asked for an aggregate just before its end may still put an object when the eraser has been there. It
    deletes that again when the log refuses the event, unless it dies in between.
    """

    def __init__(self, erasures: Erasures, objects: Objects) -> None:
        self._erasures = erasures
        self._objects = objects
        self._reasons: list[str] = []  # what stopped the last sweep, or parts of it

    async def run(self) -> None:
        """Sweep whenever something is due, until cancelled."""
        while True:
            await self.sweep(datetime.now(UTC))
            await asyncio.sleep(_SWEEP_EVERY)

    async def sweep(self, now: datetime) -> None:
        """Sweep what was erased long enough ago; what cannot be swept is still due, and in nobody's way."""
        reasons: list[str] = []
        try:
            for address in await self._erasures.erased_before(now - LATE):
                reasons += await self._sweep(address)
        except UnavailableError as error:
            reasons.append(str(error))  # the others would find the same closed door
        self._reasons = reasons

    async def probe(self) -> None:
        """Answer health.

        Raises:
            UnavailableError: something could not be swept the last time; the text says how much, and why.
        """
        if self._reasons:
            raise UnavailableError(f"{len(self._reasons)} erased are not swept once more yet: {self._reasons[0]}")

    async def _sweep(self, address: Address) -> list[str]:
        """Return the reasons for which it could not be swept."""
        try:
            objects = await _swept(self._objects, address)
        except RefusedError as error:
            logger.warning("sweep_waits", kind=address.kind, id=address.id, error=str(error))
            return [str(error)]
        if objects:
            logger.info("erased_late", kind=address.kind, id=address.id, objects=objects)
        await self._erasures.done(address)
        return []


async def _swept(objects: Objects, address: Address) -> int:
    try:
        return await objects.delete_prefix(prefix_of(address))
    except ObjectMissingError:
        return 0  # nobody has put anything yet, so that there is no bucket either


def _is_tombstone(past: Recorded | None) -> bool:
    return past is not None and past.is_tombstone
