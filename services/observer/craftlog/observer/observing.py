"""The due work of a session: what its board has not read yet is read, shown to an agent, and decided on."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from craftlog.contracts.envelope import UndecodableError
from craftlog.contracts.events import FlushRequested, MessageAppended, SessionCreated, SessionDeleted
from craftlog.contracts.messages import Message
from craftlog.contracts.subjects import Address, Kind
from craftlog.llm.models import AnswerError, ModelAwayError, QuestionError
from craftlog.observer.agent import Agent
from craftlog.observer.commands import Command, DeleteBoard, FinishObserving
from craftlog.observer.decider import GoneError, OutrunError, State
from craftlog.observer.usage import dated
from craftlog.runtime.claims import message_of
from craftlog.runtime.desk import Desk
from craftlog.runtime.due import Item
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.log import Log
from craftlog.runtime.objects import Objects

_AT_ONCE: Final = 16  # messages an observation
_MOST_COMMANDS: Final = 900  # a decision has at most 1,000 events

logger = structlog.get_logger()


class Observer:
    """Does the due work of one session."""

    def __init__(
        self,
        log: Log,
        desk: Desk[State, Command],
        objects: Objects,
        agent: Agent,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._log = log
        self._desk = desk
        self._objects = objects
        self._agent = agent
        self._clock = clock
        self._in_hand: set[str] = set()

    def in_hand(self, session_id: str) -> bool:
        """Tell whether a session is being observed right now."""
        return session_id in self._in_hand

    async def perform(self, item: Item) -> Item | None:
        """Observe what the board has not read yet, or end the board of a deleted session.

        Killed anywhere and done again, nothing is doubled: how far the board has read is a fact in the log.

        Raises:
            UnavailableError: the log, MongoDB, the bucket or the model cannot be reached.
            AnswerError, QuestionError: the model has no answer to even one message.
            UndecodableError: a stored event is none; what came before it was observed.
        """
        session = Address(Kind.SESSION, item.project, item.key)
        self._in_hand.add(item.key)
        try:
            if item.data.get("deleted"):
                await self._end(session)
            else:
                await self._catch_up(session, item.data.get("seq", 0))
        finally:
            self._in_hand.discard(item.key)
        return None

    async def _catch_up(self, session: Address, seq: int) -> None:
        through = (await self._state(session)).through_position
        # The first look begins with the first event, which says whether the session is to be observed at all.
        if not (through and seq and await self._observe_from(session, seq, through)):
            await self._observe_from(session, 0, through)

    async def _observe_from(self, session: Address, seq: int, through: int) -> bool:
        """Observe what follows a stream sequence; False where that leaves a message out, and nothing was done."""
        unread: list[MessageAppended] = []
        try:
            async for recorded in self._log.read(session, seq):
                match recorded.event:
                    case SessionCreated(disable_task_tracking=True):
                        return True
                    case SessionDeleted():
                        await self._end(session)
                        return True
                    case MessageAppended(position=position) as appended if position > through:
                        if position > through + len(unread) + 1:
                            return False
                        unread.append(appended)
                    case FlushRequested(through_position=position) if position > through + len(unread):
                        return False
                if len(unread) == _AT_ONCE:
                    through, unread = await self._observe(session, unread), []
        except UndecodableError:
            await self._observe(session, unread)
            raise
        await self._observe(session, unread)
        return True

    async def _observe(self, session: Address, unread: Sequence[MessageAppended]) -> int:
        """Have messages observed and return how far the board has read then, which may be further."""
        state = await self._state(session)
        messages = [await message_of(one, self._objects) for one in unread if one.position > state.through_position]
        while messages and not state.deleted:
            proposed, through = await self._propose(session, state, messages)
            today = self._clock().date().isoformat()
            commands = [dated(command, today) for command in proposed]
            try:
                await self._desk.transact(_board(session), commands, cause=f"observe:{session.id}:{through}")
            except (OutrunError, GoneError) as refusal:
                logger.info("outrun", session=session.id, reason=str(refusal))
            state = await self._state(session)
            messages = [message for message in messages if message.position > state.through_position]
        return state.through_position

    async def _propose(self, session: Address, state: State, messages: Sequence[Message]) -> tuple[list[Command], int]:
        """Ask the agent about as many of the messages as it can answer for, and as one decision can hold."""
        fewer = messages[: len(messages) // 2]
        try:
            commands = await self._agent.observe(state, session, messages)
        except ModelAwayError as away:
            # An endpoint may repeat a piece of the key or of the prompt: not for everybody.
            raise UnavailableError("the model does not answer", away) from away
        except (AnswerError, QuestionError) as error:
            if not fewer:
                raise
            logger.info("asked_again_with_fewer", session=session.id, messages=len(messages), reason=str(error))
            return await self._propose(session, state, fewer)
        if len(commands) > _MOST_COMMANDS and fewer:
            return await self._propose(session, state, fewer)
        finish = commands[-1]
        return commands, finish.through if isinstance(finish, FinishObserving) else state.through_position

    async def _end(self, session: Address) -> None:
        """Put the tombstone, also where no board ever was, so that an observation in flight loses; erase the rest."""
        await self._desk.transact(_board(session), [DeleteBoard()], cause=f"delete:{session.id}")
        await self._log.erase(_board(session), lambda past: past is not None and past.is_tombstone)

    async def _state(self, session: Address) -> State:
        return (await self._desk.state(_board(session))).state


def _board(session: Address) -> Address:
    return Address(Kind.BOARD, session.project, session.id)
