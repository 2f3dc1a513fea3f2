"""Answers operators: has what is parked tried again, or gives it up."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from craftlog.contracts.questions import ParkedAnswered, ParkedAsked
from craftlog.contracts.subjects import Address, Kind
from craftlog.llm.models import AnswerError, QuestionError
from craftlog.observer.agent import Agent
from craftlog.observer.asking import UnansweredError, ask
from craftlog.observer.commands import BeginObserving, Command, DropMessage, FinishObserving, SkipMessage, TakeUpMessage
from craftlog.observer.decider import GoneError, NotParkedError, Rejected, State
from craftlog.observer.reading import Reader, Unread
from craftlog.observer.tab import Tab
from craftlog.observer.usage import dated, on
from craftlog.runtime.desk import Decided, Desk
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.work import Work

_TRIES: Final = 5


class Parked:
    """What the observer has parked: work on sessions, and messages that their boards go on without."""

    def __init__(
        self,
        work: Work,
        desk: Desk[State, Command],
        reader: Reader,
        agent: Agent,
        tab: Tab,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._work = work
        self._desk = desk
        self._reader = reader
        self._agent = agent
        self._tab = tab
        self._clock = clock

    async def answer(self, asked: ParkedAsked) -> ParkedAnswered:
        """Do what is wanted. Asked again for what was done, there is no such thing."""
        session = Address(Kind.SESSION, asked.project, asked.session_id)
        try:
            if asked.position is None:
                do = self._work.retry if asked.wanted == "retry" else self._work.drop
                return ParkedAnswered(found=await do(session.id, session.project))
            if asked.wanted == "retry":
                return await self._retry(session, asked.position)
            return await self._drop(session, asked.position)
        except (NotParkedError, GoneError):
            return ParkedAnswered(found=False)
        except UnavailableError as error:
            return ParkedAnswered(found=True, unavailable=error.public)

    async def _drop(self, session: Address, position: int) -> ParkedAnswered:
        cause = f"drop:{session.id}:{position}"
        decided = await self._desk.transact(_board(session), [DropMessage(position)], cause=cause)
        return ParkedAnswered(found=True, version=decided.position.version)

    async def _retry(self, session: Address, position: int) -> ParkedAnswered:
        """Read a message anew: its results and that it was read are one decision, which only one of several gets."""
        for _ in range(_TRIES):
            # Nothing is decided: that makes sure that it is the newest state.
            board = await self._desk.transact(_board(session), [], cause=f"look:{session.id}")
            skip = board.state.skipped.get(position)
            if skip is None or skip.dropped:
                raise NotParkedError(f"The message at {position} is not parked.")
            unread = await self._reader.again(session, position, skip.seq)
            try:
                commands = await self._observed(session, board.state, unread)
            except UnansweredError as error:
                return await self._keep(session, board, replace(unread, reason=error.reason))
            if not commands:
                return await self._keep(session, board, unread)
            cause = f"take up:{session.id}:{position}"
            try:
                with self._tab.taken(session.id) as spent:
                    said = [dated(command, spent, self._today()) for command in commands]
                    decided = await self._desk.transact(_board(session), said, cause=cause)
            except (NotParkedError, GoneError):
                raise
            except Rejected:
                continue  # the board has moved on
            return ParkedAnswered(found=True, version=decided.position.version)
        raise UnavailableError("the board is busy")

    async def _observed(self, session: Address, state: State, unread: Unread) -> list[Command]:
        """Return what one message means for the board, nothing where it cannot be read."""
        if unread.message is None:
            return []
        # By itself: what the engine remembers is of later messages, and stays as it is.
        alone = replace(state, through_position=unread.position - 1, memory={})
        try:
            commands = await ask(self._agent, alone, session, [unread.message])
        except (AnswerError, QuestionError) as error:
            raise UnansweredError(unread.position, error) from error
        taken = TakeUpMessage(unread.position, self._agent.engine)
        return [taken, *(one for one in commands if not isinstance(one, BeginObserving | FinishObserving))]

    async def _keep(self, session: Address, board: Decided[State], unread: Unread) -> ParkedAnswered:
        cause = f"skip:{session.id}:{unread.position}:{board.position.version}"
        with self._tab.taken(session.id) as spent:
            said = spent and on(self._today(), spent)
            skip = SkipMessage(unread.position, unread.reason, unread.seq, said)
            decided = await self._desk.transact(_board(session), [skip], cause=cause)
        return ParkedAnswered(found=True, reason=unread.reason, version=decided.position.version)

    def _today(self) -> str:
        return self._clock().date().isoformat()


def _board(session: Address) -> Address:
    return Address(Kind.BOARD, session.project, session.id)
