"""Messages in, boards out: marks sessions due as they fill or fall silent, and has what is due observed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog

from craftlog.contracts.envelope import Recorded, UndecodableError
from craftlog.contracts.events import FlushRequested, MessageAppended, SessionCreated, SessionDeleted
from craftlog.contracts.messages import Message
from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address, Kind, parse
from craftlog.llm.models import AnswerError, ModelAwayError, QuestionError
from craftlog.observer.agent import Agent
from craftlog.observer.commands import Command, DeleteBoard, FinishObserving
from craftlog.observer.decider import GoneError, OutrunError, State
from craftlog.runtime.claims import message_of
from craftlog.runtime.desk import Desk
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.log import Log
from craftlog.runtime.objects import Objects
from craftlog.runtime.work import Item

_AT_ONCE: Final = 16  # messages an observation
_MOST_COMMANDS: Final = 900  # a decision has at most 1,000 events

_NEVER: Final = datetime.max.replace(tzinfo=UTC)

logger = structlog.get_logger()

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Patience:
    """When a session's new messages are due: at ``messages`` of them, after ``idle``, at the latest after ``age``."""

    messages: int
    idle: timedelta
    age: timedelta


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


class Listener:
    """Consumes session events and marks sessions due; it observes nothing itself.

    Args:
        in_hand: tells whether a session is being observed right now.
    """

    def __init__(
        self,
        diary: Diary,
        patience: Patience,
        in_hand: Callable[[str], bool],
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._diary = diary
        self._patience = patience
        self._in_hand = in_hand
        self._clock = clock

    async def on_session(self, events: Sequence[Recorded]) -> None:
        """Take in what happened to sessions; taking it in again makes work due that is found to be done."""
        due: dict[str, Item] = {}
        gone: list[str] = []
        for recorded in events:
            key = recorded.address.id
            known = due.get(key) or self._diary.get(key)
            match recorded.event:
                case MessageAppended(position=position):
                    due[key] = replace(self._buffered(known, recorded, position), traceparent=recorded.traceparent)
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
        if due:
            await self._diary.mark(list(due.values()))

    async def on_undecodable(self, subject: str, seq: int, reason: str) -> None:
        """Have the session looked at, which fails and is parked with its reason."""
        logger.error("undecodable", subject=subject, seq=seq, reason=reason)
        try:
            await self._diary.mark([self._at_once(None, parse(subject), {})])
        except ValueError:
            # Nobody of ours wrote it, and there is nothing to look at.
            logger.warning("not_an_aggregate", subject=subject)

    def _buffered(self, known: Item | None, recorded: Recorded, position: int) -> Item:
        """Return when a session with one more message is due; ``data`` says where its unread messages begin."""
        now = self._clock()
        written = min(recorded.time, now)
        if known is None or (known.due_at <= now and self._in_hand(known.key)):
            seq = known.data.get("seq", 0) if known else recorded.seq - 1
            data = {"seq": seq, "position": position}
            known = Item(recorded.address.id, recorded.address.project, due_at=_NEVER, since=written, data=data)
        elif known.due_at <= now or known.error:
            return known  # it waits for its turn, or after an error
        if position - known.data.get("position", position) + 1 >= self._patience.messages:
            return replace(known, due_at=now)
        return replace(known, due_at=min(written + self._patience.idle, known.since + self._patience.age))

    def _at_once(self, known: Item | None, address: Address, data: Document) -> Item:
        now = self._clock()
        return replace(known, due_at=now) if known else Item(address.id, address.project, now, now, data)


class Observer:
    """Does the due work of one session."""

    def __init__(self, log: Log, desk: Desk[State, Command], objects: Objects, agent: Agent) -> None:
        self._log = log
        self._desk = desk
        self._objects = objects
        self._agent = agent
        self._in_hand: set[str] = set()

    def in_hand(self, session_id: str) -> bool:
        """Tell whether a session is being observed right now."""
        return session_id in self._in_hand

    async def perform(self, item: Item) -> datetime | None:
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
            commands, through = await self._propose(session.id, state, messages)
            try:
                await self._desk.transact(_board(session), commands, cause=f"observe:{session.id}:{through}")
            except (OutrunError, GoneError) as refusal:
                logger.info("outrun", session=session.id, reason=str(refusal))
            state = await self._state(session)
            messages = [message for message in messages if message.position > state.through_position]
        return state.through_position

    async def _propose(self, session_id: str, state: State, messages: Sequence[Message]) -> tuple[list[Command], int]:
        """Ask the agent about as many of the messages as it can answer for, and as one decision can hold."""
        fewer = messages[: len(messages) // 2]
        try:
            commands = await self._agent.observe(state, session_id, messages)
        except ModelAwayError as away:
            # An endpoint may repeat a piece of the key or of the prompt: not for everybody.
            raise UnavailableError("the model does not answer", away) from away
        except (AnswerError, QuestionError) as error:
            if not fewer:
                raise
            logger.info("asked_again_with_fewer", session=session_id, messages=len(messages), reason=str(error))
            return await self._propose(session_id, state, fewer)
        if len(commands) > _MOST_COMMANDS and fewer:
            return await self._propose(session_id, state, fewer)
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
