"""The due work of a session: what its board has not read yet is read, shown to an agent, and decided on."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Final

import structlog

from craftlog.contracts.events import FlushRequested, SessionDeleted
from craftlog.contracts.subjects import Address, Kind
from craftlog.observer.agent import Agent
from craftlog.observer.asking import UnansweredError, is_to_blame, propose, unanswered
from craftlog.observer.commands import BeginObserving, Command, DeleteBoard, FinishObserving, SkipMessage
from craftlog.observer.cutting import LONGEST, Run
from craftlog.observer.decider import GoneError, OutrunError, State
from craftlog.observer.reading import LeftOutError, Reader, Unread
from craftlog.observer.tab import Tab
from craftlog.observer.usage import dated, on
from craftlog.runtime.desk import Desk
from craftlog.runtime.due import Item
from craftlog.runtime.log import Log

_AT_ONCE: Final = 16  # messages an observation
_IN_A_ROW: Final = 4  # observations of one session while others wait for their turn

logger = structlog.get_logger()


class Observer:
    """Does the due work of one session.

    Args:
        age: how long the messages of a session may wait at most, those too whose calls have no results yet.
        tab: has what the agent's answers took.
    """

    def __init__(
        self,
        log: Log,
        desk: Desk[State, Command],
        reader: Reader,
        agent: Agent,
        age: Callable[[Address], Awaitable[timedelta]],
        *,
        tab: Tab,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._log = log
        self._desk = desk
        self._reader = reader
        self._agent = agent
        self._tab = tab
        self._age = age
        self._clock = clock
        self._in_hand: set[str] = set()

    def in_hand(self, session_id: str) -> bool:
        """Tell whether a session is being observed right now."""
        return session_id in self._in_hand

    async def perform(self, item: Item) -> Item | None:
        """Observe what the board has not read yet, or end the board of a deleted session.

        Returns what is left to be looked at: calls at the end whose results have not come. Killed anywhere and done
        again, nothing is doubled: how far the board has read is a fact in the log.

        Raises:
            UnavailableError: the log, MongoDB, the bucket or the model cannot be reached.
            UnansweredError: the model has no answer to a message; what comes before it was observed.
            UndecodableError: the event that says whether to observe the session is none.
        """
        session = Address(Kind.SESSION, item.project, item.key)
        self._in_hand.add(item.key)
        try:
            if not item.data.get("deleted"):
                return await self._catch_up(session, item)
            await self._end(session)
        finally:
            self._in_hand.discard(item.key)
        return None

    async def _catch_up(self, session: Address, item: Item) -> Item | None:
        seq = item.data.get("seq", 0)
        # The first look begins with the first event, which says whether the session is to be observed at all.
        if seq and (through := (await self._state(session)).through_position):
            with suppress(LeftOutError):
                return await self._observe_from(session, item, seq, through)
        return await self._observe_from(session, item, 0, (await self._state(session)).through_position)

    async def _observe_from(self, session: Address, item: Item, seq: int, through: int) -> Item | None:
        """Observe what follows a stream sequence and return what is left; raises LeftOutError as the reader does."""
        unread: list[Unread] = []
        flushed, done = 0, 0
        async for news in self._reader.unread(session, seq, through):
            match news:
                case SessionDeleted():
                    await self._end(session)
                    return None
                case FlushRequested(through_position=through_position):
                    flushed = through_position
                case Unread():
                    unread.append(news)
            while count := _batch(unread, item):
                unread = await self._observe(session, item, unread, count)
                done += 1
                if done >= _IN_A_ROW and unread:
                    return _kept(item, unread[0], self._clock())
        while unread:
            run = _run(unread)
            kept = [at for at in run.open() if unread[at].position > flushed]
            waits = await self._waits(session, unread, kept) if kept else {}
            count = 1 if _is_alone(unread, item) else run.end(_AT_ONCE, list(waits))
            if not count and len(unread) < LONGEST:
                return _kept(item, unread[0], min(waits.values()))
            unread = await self._observe(session, item, unread, count or _AT_ONCE)
        return None

    async def _waits(self, session: Address, unread: Sequence[Unread], calls: Sequence[int]) -> dict[int, datetime]:
        """Return until when the calls among these wait for their results: those that may still wait."""
        age, now = await self._age(session), self._clock()
        until = {at: time + age for at in calls if (time := unread[at].time)}
        return {at: time for at, time in until.items() if time > now}

    async def _observe(self, session: Address, item: Item, unread: Sequence[Unread], count: int) -> list[Unread]:
        """Have the first so many messages observed, and return those that are left: the board may be further."""
        state, batch = await self._state(session), list(unread[:count])
        while (batch := [one for one in batch if one.position > state.through_position]) and not state.deleted:
            try:
                commands, through = await self._decision(session, item, state, batch)
            except UnansweredError as error:
                if not await is_to_blame(self._agent, session, item, error):
                    raise
                given_up = Unread(error.position, batch[0].seq, reason=error.reason)
                batch = [given_up if one.position == error.position else one for one in batch]
                continue
            cause = f"observe:{session.id}:{through}"
            try:
                with self._tab.taken(session.id) as spent:
                    said = [dated(command, spent, self._today()) for command in commands]
                    await self._desk.transact(_board(session), said, cause=cause)
            except (OutrunError, GoneError) as refusal:
                logger.info("outrun", session=session.id, reason=str(refusal))
            state = await self._state(session)
        return [one for one in unread[count:] if one.position > state.through_position]

    async def _decision(
        self, session: Address, item: Item, state: State, batch: Sequence[Unread]
    ) -> tuple[list[Command], int]:
        """Return what to do to the board, and through which position that reads; it skips what cannot be read."""
        if lead := list(takewhile(lambda one: one.message is None, batch)):
            # By itself, so that it is done with whatever becomes of the others.
            end = lead[-1].position
            finish = FinishObserving(end, self._agent.engine, state.memory)
            return [BeginObserving(state.through_position), *map(_skip, lead), finish], end
        messages = [one.message for one in batch if one.message]
        commands, through = await propose(self._agent, state, session, messages, item)
        skips = [_skip(one) for one in batch if one.message is None and one.position < through]
        return [*skips, *commands], through

    async def _end(self, session: Address) -> None:
        """Put the tombstone, also where no board ever was, so that an observation in flight loses; erase the rest."""
        with self._tab.taken(session.id) as spent:
            end = DeleteBoard(spent and on(self._today(), spent))
            await self._desk.transact(_board(session), [end], cause=f"delete:{session.id}")
        await self._log.erase(_board(session), lambda past: past is not None and past.is_tombstone)

    def _today(self) -> str:
        return self._clock().date().isoformat()

    async def _state(self, session: Address) -> State:
        return (await self._desk.state(_board(session))).state


def _batch(unread: Sequence[Unread], item: Item) -> int:
    """Return how many messages can go while others follow, 0 where it takes more of them to know."""
    if unread and _is_alone(unread, item):
        return 1
    if len(unread) <= _AT_ONCE:
        return 0
    run = _run(unread)
    if run.is_whole(_AT_ONCE):
        return _AT_ONCE
    return (run.end(_AT_ONCE, run.open()) or _AT_ONCE) if len(unread) > LONGEST else 0


def _is_alone(unread: Sequence[Unread], item: Item) -> bool:
    """Tell whether the session waits because of its next message: then that is asked for without the others."""
    return item.error == unanswered(unread[0].position)


def _run(unread: Sequence[Unread]) -> Run:
    return Run([one.message for one in unread])


def _kept(item: Item, first: Unread, until: datetime) -> Item:
    """Return the work that is left where messages are kept back."""
    data = {**item.data, "seq": (first.seq or 1) - 1, "position": first.position}
    return replace(item, due_at=until, since=first.time or item.since, data=data)


def _skip(unread: Unread) -> SkipMessage:
    return SkipMessage(unread.position, unread.reason, unread.seq)


def _board(session: Address) -> Address:
    return Address(Kind.BOARD, session.project, session.id)
