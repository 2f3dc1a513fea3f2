"""What the log holds of a session that its board has not read: messages, and in their place what cannot be read."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from craftlog.contracts.envelope import Recorded, UndecodableError
from craftlog.contracts.events import FlushRequested, MessageAppended, SessionCreated, SessionDeleted
from craftlog.contracts.messages import Message
from craftlog.contracts.subjects import Address
from craftlog.runtime.claims import UnreadableError, whole_message_of
from craftlog.runtime.log import Log, Undecodable
from craftlog.runtime.objects import Objects

_MESSAGE: Final = "MessageAppended."
# Without these nobody knows whether a session is to be observed.
_DECISIVE: Final = ("SessionCreated.", "SessionDeleted.")
_NOT_THERE: Final = "the log does not hold it"
_LONGEST_REASON: Final = 300


class LeftOutError(Exception):
    """What follows this stream sequence does not begin where the board stands."""


@dataclass(frozen=True, slots=True)
class Unread:
    """The next message of a session; without a ``message`` it cannot be read, and ``reason`` says why.

    ``seq`` is where in the stream its event is, where there is one.
    """

    position: int
    seq: int | None
    time: datetime | None = None
    message: Message | None = None
    reason: str = ""


class Reader:
    """Reads sessions from the log and the bucket. All methods raise UnavailableError where one cannot be reached."""

    def __init__(self, log: Log, objects: Objects) -> None:
        self._log = log
        self._objects = objects

    async def unread(
        self, session: Address, after_seq: int, through: int
    ) -> AsyncIterator[Unread | FlushRequested | SessionDeleted]:
        """Yield what follows the position ``through``, without a gap; nothing of a session that is not to be observed.

        Positions have no gaps: those that no event claims are those of the events that cannot be decoded. Of the last
        ones their type says whether they are messages.

        Raises:
            LeftOutError: messages are missing between ``through`` and what follows the sequence.
            UndecodableError: whether the session is to be observed cannot be decoded.
        """
        places = _Places(through, all_there=not after_seq)
        async for stored in self._log.read_all(session, after_seq):
            event = stored.event if isinstance(stored, Recorded) else None
            match event:
                case None:
                    places.lose(stored)
                case SessionCreated(disable_task_tracking=True):
                    return
                case SessionDeleted():
                    yield event
                case MessageAppended() | FlushRequested():
                    for missing in places.before(event):
                        yield missing
                    if isinstance(event, FlushRequested):
                        yield event
                    elif event.position > through:
                        yield await self._read(stored, event)
        for missing in places.last():
            yield missing

    async def again(self, session: Address, position: int, seq: int | None) -> Unread:
        """Return one message, read anew; ``seq`` is where its event is."""
        async for stored in self._log.read_all(session, seq - 1 if seq else 0):
            if isinstance(stored, Undecodable) or stored.event is None:
                if stored.seq == seq:
                    return Unread(position, seq, reason=_in_a_line(_undecodable(stored).reason))
            elif isinstance(stored.event, MessageAppended) and stored.event.position >= position:
                if stored.event.position == position:
                    return await self._read(stored, stored.event)
                break
        return Unread(position, seq, reason=_NOT_THERE)

    async def _read(self, stored: Recorded | Undecodable, appended: MessageAppended) -> Unread:
        where = appended.position, stored.seq, stored.time if isinstance(stored, Recorded) else None
        try:
            return Unread(*where, message=await whole_message_of(appended, self._objects))
        except UnreadableError as error:
            return Unread(*where, reason=str(error))


class _Places:
    """Whose the positions are that no event claims: those of what was lost between two that do.

    Args:
        through: how far the board has read, whose business those up to there are not.
        all_there: whether the session is read from its beginning; else from somewhere about ``through``.
    """

    def __init__(self, through: int, *, all_there: bool) -> None:
        self._through = through
        self._all_there = all_there
        self._at = 0 if all_there else through
        self._lost: list[Undecodable] = []

    def lose(self, stored: Undecodable | Recorded) -> None:
        """Note an event that cannot be decoded, which may be a message."""
        stored = _undecodable(stored)
        if _is(stored, *_DECISIVE):
            raise UndecodableError(stored.reason)
        self._lost.append(stored)

    def before(self, event: MessageAppended | FlushRequested) -> list[Unread]:
        """Return the unread messages that are missing before an event; what else was lost before it are none."""
        after = event.position - 1 if isinstance(event, MessageAppended) else event.through_position
        count = max(after - self._at, 0)
        if count and len(self._lost) != count and not self._all_there:
            raise LeftOutError
        likely = sorted(self._lost, key=lambda one: not _is(one, _MESSAGE))[:count]
        missing = self._as_unread(sorted(likely, key=lambda one: one.seq), count)
        self._at = max(self._at, event.position if isinstance(event, MessageAppended) else after)
        self._lost = []
        return missing

    def last(self) -> list[Unread]:
        """Return the unread messages at the end: those of what was lost that say so of themselves."""
        if self._lost and not self._all_there:
            raise LeftOutError
        messages = [one for one in self._lost if _is(one, _MESSAGE)]
        return self._as_unread(messages, len(messages))

    def _as_unread(self, lost: Sequence[Undecodable], count: int) -> list[Unread]:
        places = ((self._at + nth + 1, lost[nth] if nth < len(lost) else None) for nth in range(count))
        return [
            Unread(at, one.seq, reason=_in_a_line(one.reason)) if one else Unread(at, None, reason=_NOT_THERE)
            for at, one in places
            if at > self._through
        ]


def _undecodable(stored: Undecodable | Recorded) -> Undecodable:
    if isinstance(stored, Undecodable):
        return stored
    return Undecodable(stored.seq, stored.type, f"an event of the type {stored.type} is not known here")


def _is(stored: Undecodable, *types: str) -> bool:
    return (stored.type or "").startswith(types)


def _in_a_line(reason: str) -> str:
    return "; ".join(line.strip() for line in reason.splitlines()[:2])[:_LONGEST_REASON]
