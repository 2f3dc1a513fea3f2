"""Fold a kind's events into a read model by the version rule, and say which version each aggregate has reached."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog

from craftlog.contracts.envelope import Recorded, UndecodableError
from craftlog.contracts.questions import Stalled
from craftlog.contracts.readmodels import Changes, Document, Project
from craftlog.contracts.subjects import Address, Kind, parse
from craftlog.runtime.errors import ConflictError, UnavailableError
from craftlog.runtime.jetstream import CONNECTION_ERRORS
from craftlog.runtime.lane import Lane
from craftlog.runtime.log import Log

_HEADS_IN_MEMORY: Final = 4096

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Folded:
    """What the newest events of one aggregate make of its read model, from ``old_version`` (0: none) to ``version``."""

    address: Address
    old_version: int
    version: int
    seq: int
    changes: Changes


class ReadStore(Protocol):
    """Where a read model is kept. All methods raise UnavailableError when the store cannot be reached."""

    async def heads(self, ids: Sequence[str]) -> dict[str, Document]:
        """Return the heads of these aggregates, with ``version`` and ``seq``; unknown ones are missing."""
        ...

    async def write(self, batch: Sequence[Folded]) -> dict[str, str]:
        """Write children first and heads last; return the reason for each aggregate whose documents are refused.

        Raises:
            ConflictError: a head is no longer at the version that was folded from.
        """
        ...

    async def stall(self, stalled: Stalled) -> None:
        """Mark an aggregate whose next event cannot be applied; what was folded before stays readable."""
        ...

    async def stalled(self) -> list[Stalled]:
        """Return all aggregates that are marked."""
        ...


class Projector:
    """One lane, one read model.

    Args:
        durable: the name of the consumer, which is its memory.
        project: the pure fold.
        written: called with what was written, after it was.
        rest: seconds, as a lane has them.
    """

    def __init__(
        self,
        log: Log,
        store: ReadStore,
        *,
        durable: str,
        kind: Kind,
        project: Project,
        written: Callable[[Sequence[Folded]], Awaitable[None]] | None = None,
        rest: float = 0.0,
    ) -> None:
        self.lane = Lane(log, durable, kind, self._handle, self._undecodable, rest=rest)
        self.stalled: dict[str, Stalled] = {}
        self._log = log
        self._store = store
        self._kind = kind
        self._project = project
        self._written = written
        self._heads: OrderedDict[str, Document] = OrderedDict()

    async def run(self) -> None:
        """Try what was stalled once more, then consume until cancelled."""
        await self.lane.patiently(self._retry_stalled)
        await self.lane.run()

    async def _retry_stalled(self) -> None:
        self.stalled = {}
        marked = [stalled for stalled in await self._store.stalled() if stalled.kind == self._kind]
        for stalled in marked:
            address = Address(self._kind, stalled.project, stalled.id)
            head = (await self._store.heads([address.id])).get(address.id, {})
            await self._refold(address, head)

    async def _handle(self, events: Sequence[Recorded]) -> None:
        by_address: dict[Address, list[Recorded]] = {}
        for recorded in events:
            if recorded.is_tombstone:
                # It applies whatever version is stored, and to what is stalled as well.
                by_address[recorded.address] = [recorded]
                self.stalled.pop(recorded.address.id, None)
            elif recorded.address.id not in self.stalled:
                by_address.setdefault(recorded.address, []).append(recorded)
        await self._load_heads(address.id for address in by_address)
        folded = [one for address, own in by_address.items() if (one := await self._fold_next(address, own))]
        await self._write(folded)

    async def _undecodable(self, subject: str, seq: int, reason: str) -> None:
        try:
            address = parse(subject)
        except ValueError:
            logger.exception("not_an_aggregate", subject=subject, seq=seq, reason=reason)
            return
        await self._load_heads([address.id])
        head = self._heads.get(address.id, {})
        if seq > head.get("seq", 0):
            # What came before it may still be on its way in this very batch: fold the log up to the bad event first.
            await self._refold(address, head)

    async def _refold(self, address: Address, head: Document) -> None:
        """Fold from the log whatever follows the head; the log, unlike a delivery, is complete and in order."""
        events: list[Recorded] = []
        reason = None
        try:
            async for recorded in self._log.read(address, head.get("seq", 0)):
                events.append(recorded)  # noqa: PERF401 - what was read before an undecodable event counts
        except UndecodableError as error:
            reason = str(error)
        if events and (folded := await self._fold(address, head, events)):
            await self._write([folded])
        if reason:
            await self._stall(address, self._heads.get(address.id, head).get("version", 0), reason)

    async def _fold_next(self, address: Address, events: Sequence[Recorded]) -> Folded | None:
        """Apply the version rule to what was delivered."""
        head = self._heads.get(address.id, {})
        version, seq = head.get("version", 0), head.get("seq", 0)
        if events[-1].is_tombstone and events[-1].seq > seq:
            return await self._fold(address, head, events)
        new: list[Recorded] = []
        for recorded in events:
            if recorded.seq <= seq:
                continue  # a duplicate
            if recorded.version <= version:
                await self._stall(address, version, f"two events claim version {recorded.version}: the log has forked")
                return None
            if recorded.version > version + 1:
                return await self._fold_gap(address, head)
            new.append(recorded)
            version, seq = recorded.version, recorded.seq
        return await self._fold(address, head, new) if new else None

    async def _fold_gap(self, address: Address, head: Document) -> Folded | None:
        try:
            missing = [recorded async for recorded in self._log.read(address, head.get("seq", 0))]
        except UndecodableError:
            await self._refold(address, head)
            return None
        return await self._fold(address, head, missing) if missing else None

    async def _fold(self, address: Address, head: Document, events: Sequence[Recorded]) -> Folded | None:
        version = head.get("version", 0)
        try:
            changes = self._project(head if version else None, events)
        except Exception as error:  # noqa: BLE001 - whatever a fold cannot do concerns this one aggregate only
            if len(events) == 1:
                await self._stall(address, version, f"{events[0].type} at version {events[0].version}: {error!r}")
                return None
            await self._fold_one_by_one(address, head, events)
            return None
        return Folded(address, version, events[-1].version, events[-1].seq, changes)

    async def _fold_one_by_one(self, address: Address, head: Document, events: Sequence[Recorded]) -> None:
        """Keep what can be folded, up to the first event that cannot."""
        for recorded in events:
            folded = await self._fold(address, self._heads.get(address.id, head), [recorded])
            if folded is None:
                return
            await self._write([folded])
            if address.id in self.stalled:
                return

    async def _write(self, folded: Sequence[Folded]) -> None:
        if not folded:
            return
        try:
            refused = await self._store.write(folded)
        except ConflictError as error:
            # Another projector was faster: start again from what it wrote.
            self._heads.clear()
            raise UnavailableError(str(error)) from error
        applied = [one for one in folded if one.address.id not in refused]
        for one in applied:
            self._remember(one.address.id, document(one))
        for one in folded:
            if reason := refused.get(one.address.id):
                await self._stall(one.address, one.old_version, reason)
        for one in applied:
            await self._announce(one.address, one.version)
        if self._written and applied:
            await self._written(applied)

    async def _announce(self, address: Address, version: int) -> None:
        try:
            await self._log.client.publish(address.head_subject, str(version).encode())
        except CONNECTION_ERRORS as error:
            # Readers look once a second anyway.
            logger.warning("announcement_lost", error=str(error))

    async def _stall(self, address: Address, version: int, reason: str) -> None:
        stalled = Stalled(kind=address.kind, project=address.project, id=address.id, version=version, reason=reason)
        logger.error("stalled", **stalled.model_dump())
        await self._store.stall(stalled)
        self.stalled[address.id] = stalled
        self._heads.pop(address.id, None)
        await self._announce(address, version)

    async def _load_heads(self, ids: Iterable[str]) -> None:
        unknown = [one for one in ids if one not in self._heads]
        if unknown:
            found = await self._store.heads(unknown)
            for one in unknown:
                self._remember(one, found.get(one, {}))

    def _remember(self, aggregate_id: str, head: Document) -> None:
        self._heads[aggregate_id] = head
        self._heads.move_to_end(aggregate_id)
        while len(self._heads) > _HEADS_IN_MEMORY:
            self._heads.popitem(last=False)


def document(folded: Folded) -> dict[str, Any]:
    """Return the head as it is stored; a mark that it was stalled does not outlive the next fold."""
    return {
        **{name: value for name, value in folded.changes.head.items() if name != "stalled"},
        "_id": folded.address.id,
        "project": folded.address.project,
        "version": folded.version,
        "seq": folded.seq,
    }
