"""Session events in, due work out: sessions are marked due as they fill or fall silent."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import FlushRequested, MessageAppended, SessionConfigured, SessionCreated, SessionDeleted
from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address, parse
from craftlog.observer.settings import Patience, observing_of
from craftlog.runtime.due import Item

_NEVER: Final = datetime.max.replace(tzinfo=UTC)

logger = structlog.get_logger()

Clock = Callable[[], datetime]


class Diary(Protocol):
    """Where due work is noted (craftlog.runtime.work.Work)."""

    def get(self, key: str) -> Item | None:
        """Return what is noted for a session."""
        ...

    async def mark(self, items: Sequence[Item]) -> None:
        """Make work due, or due at another time."""
        ...

    async def forget(self, keys: Sequence[str]) -> None:
        """Drop what is noted, parked or not."""
        ...


class OwnSettings(Protocol):
    """What projects and sessions have set for themselves (craftlog.observer.store.OwnSettings)."""

    async def of(self, ids: Iterable[str]) -> dict[str, Document]:
        """Return what is known of these projects and sessions."""
        ...

    async def note(self, configured: Recorded, known: Document | None) -> Document | None:
        """Take in what was said of a session's configs, and return what is known of the session then."""
        ...

    async def forget(self, session_ids: Sequence[str]) -> None:
        """Drop what is known of these sessions."""
        ...


class Listener:
    """Consumes session events and marks sessions due; it observes nothing itself.

    Args:
        patience: that of the deployment, for whoever has set nothing.
        in_hand: tells whether a session is being observed right now.
    """

    def __init__(
        self,
        diary: Diary,
        patience: Patience,
        settings: OwnSettings,
        in_hand: Callable[[str], bool],
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._diary = diary
        self._patience = patience
        self._settings = settings
        self._in_hand = in_hand
        self._clock = clock

    async def on_session(self, events: Sequence[Recorded]) -> None:
        """Take in what happened to sessions; taking it in again makes work due that is found to be done."""
        due: dict[str, Item] = {}
        gone: list[str] = []
        own = await self._own(events)
        for recorded in events:
            key = recorded.address.id
            known = due.get(key) or self._diary.get(key)
            match recorded.event:
                case MessageAppended(position=position):
                    patience = self._patience.under(own.get(recorded.address.project)).under(own.get(key))
                    buffered = self._buffered(known, recorded, position, patience)
                    due[key] = replace(buffered, traceparent=recorded.traceparent)
                case SessionCreated() | SessionConfigured():
                    own[key] = await self._settings.note(recorded, own.get(key))
                case FlushRequested():
                    at_once = self._at_once(known, recorded.address, {"seq": recorded.seq - 1})
                    due[key] = replace(at_once, traceparent=recorded.traceparent)
                case SessionDeleted():
                    at_once = self._at_once(None, recorded.address, {"deleted": True})
                    due[key] = replace(at_once, traceparent=recorded.traceparent)
                    gone.append(key)
                case _:
                    pass
        if gone:
            # Whatever stood in the way of observing it, nothing shall stand in the way of forgetting it.
            await self._diary.forget(gone)
            await self._settings.forget([key for key in gone if own.get(key)])
        if due:
            await self._diary.mark(list(due.values()))

    async def on_undecodable(self, subject: str, seq: int, reason: str) -> None:
        """Have the session looked at, which goes on without what cannot be read, or is parked with the reason."""
        logger.error("undecodable", subject=subject, seq=seq, reason=reason)
        try:
            await self._diary.mark([self._at_once(None, parse(subject), {})])
        except ValueError:
            # Nobody of ours wrote it, and there is nothing to look at.
            logger.warning("not_an_aggregate", subject=subject)

    async def _own(self, events: Sequence[Recorded]) -> dict[str, Document | None]:
        """Return what is set by those whom these events are about, and to whom it matters: in one look."""
        ids: set[str] = set()
        for recorded in events:
            match recorded.event:
                case MessageAppended():
                    ids |= {recorded.address.id, recorded.address.project}
                case SessionConfigured() | SessionDeleted():
                    ids.add(recorded.address.id)
                case SessionCreated() if observing_of(recorded):
                    ids.add(recorded.address.id)
                case _:
                    pass
        return {**(await self._settings.of(ids) if ids else {})}

    def _buffered(self, known: Item | None, recorded: Recorded, position: int, patience: Patience) -> Item:
        """Return when a session with one more message is due; ``data`` says where its unread messages begin."""
        now = self._clock()
        written = min(recorded.time, now)
        if known is None or (known.due_at <= now and self._in_hand(known.key)):
            seq = known.data.get("seq", 0) if known else recorded.seq - 1
            data = {"seq": seq, "position": position}
            known = Item(recorded.address.id, recorded.address.project, due_at=_NEVER, since=written, data=data)
        elif known.due_at <= now or known.error:
            return known  # it waits for its turn, or after an error
        if position - known.data.get("position", position) + 1 >= patience.messages:
            return replace(known, due_at=now)
        return replace(known, due_at=min(written + patience.idle, known.since + patience.age))

    def _at_once(self, known: Item | None, address: Address, data: Document) -> Item:
        now = self._clock()
        return replace(known, due_at=now) if known else Item(address.id, address.project, now, now, data)
