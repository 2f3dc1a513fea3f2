"""Reading your own writes: ask the log how far an aggregate is, and wait until its read model is there too."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from nats.aio.msg import Msg

from craftlog.contracts.envelope import Recorded, UndecodableError
from craftlog.contracts.readmodels import BOARDS, DISKS, PROJECTS, SESSIONS, SPACES, TREES, Document
from craftlog.contracts.subjects import HEADS, Address, Kind, waited
from craftlog.gateway.errors import MissingError
from craftlog.gateway.together import Together
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.jetstream import CONNECTION_ERRORS
from craftlog.runtime.log import Log
from craftlog.runtime.mongo import Database, by_id

T = TypeVar("T")

COLLECTIONS: Final = {
    Kind.PROJECT: PROJECTS,
    Kind.SESSION: SESSIONS,
    Kind.DISK: DISKS,
    Kind.SPACE: SPACES,
    Kind.BOARD: BOARDS,
    Kind.TREE: TREES,
}
READ_BUDGET: Final = 5.0
CREATE_BUDGET: Final = 1.0
_LOOK_EVERY: Final = 1.0
_NEVER: Final = 2**63
_MOST_ANNOUNCEMENTS: Final = 10_000
_OF_DISKS: Final = f"{HEADS.removesuffix('>')}{Kind.DISK}."


@dataclass(frozen=True, slots=True)
class Seen:
    """A head that covers all that the log held when it was asked; ``stalled`` is set where it stands still earlier."""

    head: Document
    stalled: int | None = None


class Heads:
    """The heads of all read models, and the announcements of those who write them."""

    def __init__(self, log: Log, database: Database) -> None:
        self._log = log
        self._database = database
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._announcements: OrderedDict[str, int] = OrderedDict()
        self._last = Together(self._look_at_log)
        self._head = {kind: Together(partial(by_id, database[name])) for kind, name in COLLECTIONS.items()}

    async def listen(self) -> None:
        """Hear the announcements. Without them everything still works, a second later."""
        await self._log.client.subscribe(HEADS, cb=self._on_announcement)

    async def head(self, address: Address) -> Document | None:
        """Return the head as it is now, None where there is none in this project.

        Raises:
            UnavailableError: MongoDB cannot be reached.
        """
        found = await self._head[address.kind](address.id)
        return found if found and found.get("project") == address.project else None

    async def last(self, address: Address) -> Recorded | None:
        """Return the newest event of an aggregate as ``Log.last`` does."""
        return await self._last(address)

    async def is_covered(self, address: Address) -> bool:
        """Tell whether the read model of a disk is known to have all that the log has; else look with ``seen``.

        Who writes it has said so: that spares a look at the head. While a read model is built anew something may be
        missing in it nevertheless.
        """
        with suppress(UndecodableError):
            last = await self.last(address)
            known = self._announcements.get(address.head_subject, 0)
            return last is not None and not last.is_tombstone and known >= last.version
        return False

    async def seen(self, address: Address, budget: float = READ_BUDGET) -> Seen:
        """Return the head once it has reached the log.

        Raises:
            MissingError: the log holds no such aggregate, or it was deleted.
            UnavailableError: the read model did not get there within the budget (seconds).
        """
        seen = await self.seen_or_none(address, budget)
        if seen is None:
            raise MissingError(f"there is no {address.kind} {address.id}")
        return seen

    async def seen_or_none(self, address: Address, budget: float = READ_BUDGET) -> Seen | None:
        """Return the head once it has reached the log, None where there is nothing to reach."""
        version = _NEVER
        # Where it cannot be decoded nobody can fold it either: the projector is about to say so, if it has not.
        with suppress(UndecodableError):
            last = await self.last(address)
            if last is None or last.is_tombstone:
                return None
            version = last.version
        seen = await self._reached(address, version, budget)
        # It may have been deleted since the log was asked, or be a copy that does not have all messages yet.
        copying = seen.head.get("copy_of") and "created_at" not in seen.head
        return None if seen.head.get("deleted") or copying else seen

    async def await_version(self, address: Address, version: int, budget: float = CREATE_BUDGET) -> None:
        """Wait a moment (seconds) for a version to be visible; that it is not yet is no error."""
        if version:
            with suppress(UnavailableError):
                await self._reached(address, version, budget)

    async def until(self, address: Address, done: Callable[[Document | None], T | None], budget: float) -> T:
        """Look at a head now, and whenever it may have moved, until ``done`` makes something of it.

        Raises:
            TimeoutError: it did not within the budget (seconds).
            UnavailableError: MongoDB cannot be reached.
        """
        with self._announced(address) as moved:
            async with asyncio.timeout(budget):
                while (result := done(await self.head(address))) is None:
                    await self._hurry(address.kind)
                    # Not wait_for: up to Python 3.11 it can swallow a cancellation.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_LOOK_EVERY):
                            await moved.wait()
                    moved.clear()
                return result

    async def _hurry(self, kind: Kind) -> None:
        with suppress(*CONNECTION_ERRORS):  # then it is written a little later
            await self._log.client.publish(waited(kind))

    async def _reached(self, address: Address, version: int, budget: float) -> Seen:
        def reached(head: Document | None) -> Seen | None:
            if head and head.get("version", 0) >= version:
                return Seen(head)
            return _stalled(address, head) if head and "stalled" in head else None

        try:
            return await self.until(address, reached, budget)
        except TimeoutError as late:
            raise UnavailableError(f"the read model of {address.kind} {address.id} is behind; ask again") from late

    async def _look_at_log(self, addresses: Sequence[Address]) -> dict[Address, Recorded | Exception | None]:
        found = await asyncio.gather(*map(self._log.last, addresses), return_exceptions=True)
        return {address: _raised(one) for address, one in zip(addresses, found, strict=True)}

    @contextmanager
    def _announced(self, address: Address) -> Iterator[asyncio.Event]:
        moved = asyncio.Event()
        waiting = self._waiting.setdefault(address.head_subject, set())
        waiting.add(moved)
        try:
            yield moved
        finally:
            waiting.discard(moved)
            if not waiting:
                self._waiting.pop(address.head_subject, None)

    async def _on_announcement(self, message: Msg) -> None:
        if message.subject.startswith(_OF_DISKS):
            self._announcements[message.subject] = int(message.data)
            self._announcements.move_to_end(message.subject)
            if len(self._announcements) > _MOST_ANNOUNCEMENTS:
                self._announcements.popitem(last=False)
        for moved in self._waiting.get(message.subject, ()):
            moved.set()


def _raised(result: T | BaseException) -> T | Exception:
    if isinstance(result, BaseException) and not isinstance(result, Exception):
        raise result
    return result


def _stalled(address: Address, head: Document) -> Seen:
    if not head.get("version"):
        raise UnavailableError(f"{address.kind} {address.id} cannot be read", head["stalled"]["reason"])
    return Seen(head, int(head["version"]))
