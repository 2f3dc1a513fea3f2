"""Reads a session and its board from the log: what there is to learn from, and whether it is complete."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import FlushRequested, MessageAppended
from craftlog.contracts.subjects import Address, Kind
from craftlog.learner import board
from craftlog.learner.agent import TaskToLearn
from craftlog.learner.board import Board, Task
from craftlog.runtime.claims import message_of
from craftlog.runtime.log import Log
from craftlog.runtime.objects import Objects

_FIRST: Final = 100
_LAST: Final = 400


@dataclass(frozen=True, slots=True)
class Transcript:
    """A session's messages as they were appended, by position, and the position it was last flushed through."""

    appended: dict[int, MessageAppended]
    last_at: datetime | None
    flushed: int

    def settles_at(self, through: int, now: datetime, idle: timedelta) -> datetime:
        """Return when a board that has read ``through`` is what it will be, as far as anybody can tell.

        That is once it has read all messages, and either somebody flushed after the last or nothing came for ``idle``.
        """
        last = max(self.appended, default=0)
        if through < last:
            return now + idle
        return now if self.flushed >= last or self.last_at is None else self.last_at + idle


class Sessions:
    """Sessions of the log. All methods raise UnavailableError when the log or the bucket cannot be reached."""

    def __init__(self, log: Log, objects: Objects) -> None:
        self._log = log
        self._objects = objects

    async def board(self, project: str, session_id: str) -> Board:
        """Return the tasks of a session."""
        address = Address(Kind.BOARD, project, session_id)
        return board.fold([recorded.event async for recorded in self._log.read(address) if recorded.event])

    async def last(self, project: str, session_id: str) -> Recorded | None:
        """Return the newest event of a session."""
        return await self._log.last(Address(Kind.SESSION, project, session_id))

    async def transcript(self, project: str, session_id: str) -> Transcript:
        """Return what was appended to a session."""
        address = Address(Kind.SESSION, project, session_id)
        appended, last_at, flushed = dict[int, MessageAppended](), None, 0
        async for recorded in self._log.read(address):
            match recorded.event:
                case MessageAppended() as event:
                    appended[event.position], last_at = event, recorded.time
                case FlushRequested(through_position=position):
                    flushed = max(flushed, position)
                case _:
                    pass
        return Transcript(appended, last_at, flushed)

    async def task(self, session_id: str, known: Board, task: Task, transcript: Transcript) -> TaskToLearn:
        """Return a task with its messages, of which a very long one has the first and the last."""
        linked = [transcript.appended[at] for at in sorted(task.positions) if at in transcript.appended]
        # NOTE: a task's beginning says what was wanted, its end what worked.
        bounded = linked if len(linked) <= _FIRST + _LAST else [*linked[:_FIRST], *linked[-_LAST:]]
        return TaskToLearn(
            session_id=session_id,
            task_id=task.id,
            description=task.description,
            status=task.status,
            progresses=tuple(task.progresses),
            preferences=tuple(task.preferences),
            previous=tuple(known.before(task)),
            messages=tuple([await message_of(event, self._objects) for event in bounded]),
        )
