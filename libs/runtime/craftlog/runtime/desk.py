"""Where decisions about one kind of aggregate are made: one at a time for each aggregate, on its newest state."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from typing import Final, Generic, TypeVar

from craftlog.contracts.envelope import Recorded, event_id
from craftlog.contracts.events import Event
from craftlog.contracts.subjects import Address
from craftlog.runtime.errors import ConflictError, UnavailableError
from craftlog.runtime.jetstream import MOST_IN_BATCH
from craftlog.runtime.log import Draft, Log, Position
from craftlog.runtime.telemetry import traceparent

S = TypeVar("S")
C = TypeVar("C")

_MOST_CALLERS_IN_A_RUN: Final = 500
_CONFLICTS_BEFORE_GIVING_UP: Final = 20
# An append of fewer costs the log more than one for each: ADR 9.
_WORTH_WAITING_FOR: Final = 4
_MOMENT: Final = 0.01  # seconds


@dataclass(frozen=True)
class Rules(Generic[S, C]):
    """A decider: the state before any event, what a command means, and what an event does to the state. All pure."""

    initial: S
    decide: Callable[[S, C], Sequence[Event]]
    evolve: Callable[[S, Event], S]


@dataclass(frozen=True)
class Snapshot(Generic[S]):
    """A state as a read model holds it, so that a decider need not start from the first event."""

    state: S
    version: int
    seq: int


@dataclass(frozen=True)
class Decided(Generic[S]):
    """The state after a decision, where it stands, and the events that were new (none where nothing was)."""

    state: S
    position: Position
    recorded: list[Recorded] = field(default_factory=list)


@dataclass(slots=True)
class _Waiting(Generic[S, C]):
    commands: Sequence[C]
    cause: str
    traceparent: str | None
    answer: asyncio.Future[Decided[S]]


@dataclass(frozen=True, slots=True)
class _Verdict(Generic[S, C]):
    """What one caller's commands came to: the state after them and the events to append, or a refusal."""

    waiting: _Waiting[S, C]
    state: S
    drafts: Sequence[Draft] = ()
    refusal: Exception | None = None


@dataclass(slots=True)
class _Seat(Generic[S, C]):
    """One aggregate's queue and its newest known state; ``known`` is None before the first load and after a doubt.

    ``expected`` is how many callers are about to come; ``all_came`` is made by who waits for them.
    """

    known: Decided[S] | None = None
    waiting: deque[_Waiting[S, C]] = field(default_factory=deque)
    clerk: asyncio.Task[None] | None = None
    expected: int = 0
    all_came: asyncio.Event | None = None

    async def gather(self) -> None:
        """Where several callers are about to come, wait a moment for them: they can go along with those who wait."""
        if not self.expected or len(self.waiting) + self.expected < _WORTH_WAITING_FOR:
            return
        self.all_came = asyncio.Event()
        with suppress(TimeoutError):
            async with asyncio.timeout(_MOMENT):
                await self.all_came.wait()


class Desk(Generic[S, C]):
    """Decide commands under the log's lock; appends that wait for the same aggregate go as one run of versions.

    Args:
        log: where decisions are appended.
        rules: the decider.
        snapshot: gives the state that a read model holds, or None; where it raises UnavailableError the log is read
            from the start.
        clock: gives the time of new events.
        seats: how many aggregates' states are kept in memory.
    """

    def __init__(
        self,
        log: Log,
        rules: Rules[S, C],
        snapshot: Callable[[Address], Awaitable[Snapshot[S] | None]],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seats: int = 10_000,
    ) -> None:
        self._log = log
        self._rules = rules
        self._snapshot = snapshot
        self._clock = clock
        self._most_seats = seats
        self._seats: OrderedDict[Address, _Seat[S, C]] = OrderedDict()

    async def transact(self, address: Address, commands: Sequence[C], *, cause: str) -> Decided[S]:
        """Decide the commands in turn on the newest state and append all their events, all or none.

        The ids of the events derive from ``cause`` and their ordinal: a repeat with the same cause that lost its answer
        is recognised. On a lock conflict the commands are decided again on the new state.

        Raises:
            UnavailableError: the log cannot be reached, or the aggregate is too busy; it may or may not be stored.
            Exception: whatever ``decide`` raises; nothing is stored then.
        """
        seat = self._seat(address)
        answer: asyncio.Future[Decided[S]] = asyncio.get_running_loop().create_future()
        seat.waiting.append(_Waiting(commands, cause, traceparent(), answer))
        if seat.clerk is None:
            # A task of its own, so that a caller who hangs up takes nobody else's append along.
            seat.clerk = asyncio.create_task(self._serve(address, seat))
        return await answer

    @contextmanager
    def expecting(self, address: Address) -> Iterator[None]:
        """Say that commands are about to come, right after the block: others may wait a moment to go along with them.

        The block should be a matter of milliseconds.
        """
        seat = self._seat(address)
        seat.expected += 1
        try:
            yield
        finally:
            seat.expected -= 1
            if seat.all_came and not seat.expected:
                seat.all_came.set()

    async def state(self, address: Address) -> Decided[S]:
        """Return the newest state that this process knows, loaded where it knows none."""
        seat = self._seat(address)
        if seat.known is None:
            loaded = await self._load(address)
            # Whoever finished first wins: an append may have moved the seat on meanwhile.
            seat.known = seat.known or loaded
        return Decided(seat.known.state, seat.known.position)

    def _seat(self, address: Address) -> _Seat[S, C]:
        seat = self._seats.setdefault(address, _Seat())
        self._seats.move_to_end(address)
        while len(self._seats) > self._most_seats:
            oldest, idle = next(iter(self._seats.items()))
            if idle.clerk:
                break
            del self._seats[oldest]
        return seat

    async def _serve(self, address: Address, seat: _Seat[S, C]) -> None:
        """Serve the queue until it is empty."""
        run: list[_Waiting[S, C]] = []
        try:
            while seat.waiting:
                await seat.gather()
                run = [seat.waiting.popleft()]
                while seat.waiting and len(run) < _MOST_CALLERS_IN_A_RUN:
                    run.append(seat.waiting.popleft())
                served = await self._decide_run(address, seat, run)
                seat.waiting.extendleft(reversed(run[served:]))
        except Exception as error:  # noqa: BLE001 - every waiting caller gets the reason, none waits for ever
            seat.known = None
            for waiting in (*run, *seat.waiting):
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            seat.waiting.clear()
        finally:
            seat.clerk = None

    async def _decide_run(self, address: Address, seat: _Seat[S, C], run: Sequence[_Waiting[S, C]]) -> int:
        """Serve as many callers as one batch of the log can hold, and return how many those are."""
        for attempt in range(_CONFLICTS_BEFORE_GIVING_UP):
            start = seat.known = seat.known or await self._load(address)
            verdicts = self._decide_all(start.state, run)
            drafts = [draft for verdict in verdicts for draft in verdict.drafts]
            try:
                recorded = await self._append(address, start, drafts)
            except ConflictError:
                seat.known = await self._catch_up(address, start)
                await asyncio.sleep(0.002 * attempt)
                continue
            self._answer(seat, start.position, verdicts, recorded)
            return len(verdicts)
        tries = _CONFLICTS_BEFORE_GIVING_UP
        raise UnavailableError(f"{address.kind} {address.id} is too busy: {tries} conflicts in a row")

    async def _append(self, address: Address, start: Decided[S], drafts: Sequence[Draft]) -> list[Recorded]:
        """Append, or where nothing is new make sure that this was decided on the newest state.

        Only an append proves that; a refusal from an outdated state would be wrong.
        """
        if drafts:
            return await self._log.append(address, start.position, drafts)
        async for _ in self._log.read(address, start.position.seq):
            raise ConflictError(f"{address.kind} {address.id} has moved on")
        return []

    def _decide_all(self, state: S, run: Sequence[_Waiting[S, C]]) -> list[_Verdict[S, C]]:
        """Decide each in turn on the state that the one before it left; a refusal concerns its own caller only.

        Those for whom the batch has no room are left out.
        """
        now, room = self._clock(), MOST_IN_BATCH
        verdicts: list[_Verdict[S, C]] = []
        for waiting in run:
            try:
                after, events = self._decide(state, waiting.commands)
            except Exception as refusal:  # noqa: BLE001 - a refusal has the decider's own type and goes to its caller
                verdicts.append(_Verdict(waiting, state, refusal=refusal))
                continue
            if len(events) > room and verdicts:
                break  # the next run is this caller's
            state, room = after, room - len(events)
            drafts = [
                Draft(event_id(waiting.cause, str(ordinal)), event, now, waiting.traceparent)
                for ordinal, event in enumerate(events)
            ]
            verdicts.append(_Verdict(waiting, state, drafts))
        return verdicts

    def _decide(self, state: S, commands: Sequence[C]) -> tuple[S, list[Event]]:
        events: list[Event] = []
        for command in commands:
            new = self._rules.decide(state, command)
            state = reduce(self._rules.evolve, new, state)
            events += new
        return state, events

    @staticmethod
    def _answer(
        seat: _Seat[S, C], position: Position, verdicts: Sequence[_Verdict[S, C]], recorded: Sequence[Recorded]
    ) -> None:
        taken = 0
        for verdict in verdicts:
            own = list(recorded[taken : taken + len(verdict.drafts)])
            taken += len(own)
            position = Position(own[-1].version, own[-1].seq) if own else position
            seat.known = Decided(verdict.state, position)
            answer = verdict.waiting.answer
            if answer.done():
                continue  # the caller hung up
            if verdict.refusal:
                answer.set_exception(verdict.refusal)
            else:
                answer.set_result(Decided(verdict.state, position, own))

    async def _load(self, address: Address) -> Decided[S]:
        try:
            snapshot = await self._snapshot(address)
        except UnavailableError:
            snapshot = None
        if snapshot is None:
            return await self._catch_up(address, Decided(self._rules.initial, Position()))
        return await self._catch_up(address, Decided(snapshot.state, Position(snapshot.version, snapshot.seq)))

    async def _catch_up(self, address: Address, known: Decided[S]) -> Decided[S]:
        state, position = known.state, known.position
        async for recorded in self._log.read(address, position.seq):
            if recorded.event is not None:
                state = self._rules.evolve(state, recorded.event)
            position = Position(recorded.version, recorded.seq)
        return Decided(state, position)
