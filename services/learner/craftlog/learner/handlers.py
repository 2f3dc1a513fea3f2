"""Sessions and boards in, lessons out: marks sessions due, files what they teach, forgets what deleted ones taught."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import (
    FlushRequested,
    LessonSkipped,
    MessageAppended,
    PageAdded,
    SessionCreated,
    SessionDeleted,
    SessionForgotten,
    SessionObserved,
    SopFiled,
    SpaceConnected,
)
from craftlog.contracts.subjects import Address, Kind, parse
from craftlog.learner.agent import Agent, Lesson, Skip, TaskToLearn
from craftlog.learner.decider import Command, FileSop, ForgetSession, RejectedError, SkipLesson, State
from craftlog.learner.sessions import Sessions
from craftlog.learner.store import Pupil, Pupils
from craftlog.runtime.desk import Desk
from craftlog.runtime.log import Log
from craftlog.runtime.work import Item

logger = structlog.get_logger()

Clock = Callable[[], datetime]


class Diary(Protocol):
    """Where due work is noted (craftlog.runtime.work.Work)."""

    async def mark(self, items: Sequence[Item]) -> None:
        """Make work due."""
        ...

    async def forget(self, keys: Sequence[str]) -> None:
        """Drop what is noted, parked or not."""
        ...


class Listener:
    """Consumes session and board events: notes who teaches which space, and marks the session due."""

    def __init__(self, pupils: Pupils, diary: Diary, clock: Clock = lambda: datetime.now(UTC)) -> None:
        self._pupils = pupils
        self._diary = diary
        self._clock = clock

    async def on_session(self, events: Sequence[Recorded]) -> None:
        """Note connections and deletions; a flush means that nobody waits for the session to fall silent."""
        await self._pupils.note(events)
        if gone := [recorded.address.id for recorded in events if isinstance(recorded.event, SessionDeleted)]:
            # Whatever stood in the way of learning from it, nothing shall stand in the way of forgetting it.
            await self._diary.forget(gone)
        await self._mark(
            (recorded.address, recorded.traceparent)
            for recorded in events
            if isinstance(recorded.event, SpaceConnected | SessionDeleted | FlushRequested)
            or (isinstance(recorded.event, SessionCreated) and recorded.event.space_id)
        )

    async def on_board(self, events: Sequence[Recorded]) -> None:
        """Look at a session whenever it was observed."""
        observed = (recorded for recorded in events if isinstance(recorded.event, SessionObserved))
        await self._mark((recorded.address, recorded.traceparent) for recorded in observed)

    async def on_undecodable(self, subject: str, seq: int, reason: str) -> None:
        """Have the session looked at, which fails and is parked with its reason."""
        logger.error("undecodable", subject=subject, seq=seq, reason=reason)
        try:
            await self._mark([(parse(subject), None)])
        except ValueError:
            # Nobody of ours wrote it, and there is nothing to look at.
            logger.warning("not_an_aggregate", subject=subject)

    async def _mark(self, causes: Iterable[tuple[Address, str | None]]) -> None:
        now = self._clock()
        due = {
            address.id: Item(address.id, address.project, due_at=now, since=now, traceparent=traceparent)
            for address, traceparent in causes
        }
        if due:
            await self._diary.mark(list(due.values()))


class Learner:
    """Does the due work of one session.

    Args:
        idle: how long a session must be silent before its tasks count as they stand, unless it was flushed: a finished
            task may be taken up again, and it teaches only once.
    """

    def __init__(
        self,
        log: Log,
        desk: Desk[State, Command],
        pupils: Pupils,
        sessions: Sessions,
        agent: Agent,
        *,
        idle: timedelta,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._log = log
        self._desk = desk
        self._pupils = pupils
        self._sessions = sessions
        self._agent = agent
        self._idle = idle
        self._clock = clock

    async def perform(self, item: Item) -> datetime | None:
        """Give every finished task of a session its lesson, or forget what a deleted one taught.

        Returns when to look again where the session is not ready. Killed anywhere and done again, nothing is doubled:
        the lesson of a task is a fact that is checked first.

        Raises:
            UnavailableError: the log, MongoDB or the bucket cannot be reached.
        """
        pupil = await self._pupils.get(item.key)
        if pupil is None:
            return None
        if pupil.deleted:
            await self._forget(pupil)
            return None
        return await self._learn(pupil)

    async def _learn(self, pupil: Pupil) -> datetime | None:
        whose = pupil.project, pupil.session_id
        tree = Address(Kind.TREE, pupil.project, pupil.space_id)
        last = await self._sessions.last(*whose)
        if last is None or last.is_tombstone:
            return None  # the news of its deletion is on its way
        spoken = last.event.position if isinstance(last.event, MessageAppended) else 0
        if spoken and (silent_at := last.time + self._idle) > self._clock():
            # Nothing but the newest event is read of a session that goes on, or a long one would be read for ever.
            return silent_at
        known = await self._sessions.board(*whose)
        settled = (await self._desk.state(tree)).state.settled
        waiting = [task for task in known.finished if task.id not in settled]
        if not waiting:
            return None
        if known.through_position < spoken:
            return self._clock() + self._idle
        transcript = await self._sessions.transcript(*whose)
        settles_at = transcript.settles_at(known.through_position, self._clock(), self._idle)
        if settles_at > self._clock():
            return settles_at
        for task in waiting:
            await self._teach(tree, await self._sessions.task(pupil.session_id, known, task, transcript))
        return None

    async def _teach(self, tree: Address, task: TaskToLearn) -> None:
        lesson = await self._agent.distil(task)
        cause = f"lesson:{tree.id}:{task.task_id}"
        try:
            await self._desk.transact(tree, [self._command(tree.id, task, lesson)], cause=cause)
        except RejectedError as refusal:
            skip = self._command(tree.id, task, Skip(f"The skill was refused: {refusal}."))
            await self._desk.transact(tree, [skip], cause=f"{cause}:refused")

    def _command(self, space_id: str, task: TaskToLearn, lesson: Lesson) -> Command:
        engine = self._agent.engine
        if isinstance(lesson, Skip):
            return SkipLesson(task.task_id, task.session_id, lesson.reason, engine)
        return FileSop(
            space_id=space_id,
            task_id=task.task_id,
            session_id=task.session_id,
            page_title=lesson.page_title,
            use_when=lesson.use_when,
            preferences=lesson.preferences,
            tool_sops=lesson.tool_sops,
            message_ids=tuple(message.message_id for message in task.messages),
            engine=engine,
        )

    async def _forget(self, pupil: Pupil) -> None:
        for space_id in pupil.spaces:
            tree = Address(Kind.TREE, pupil.project, space_id)
            cause = f"forget:{space_id}:{pupil.session_id}"
            await self._desk.transact(tree, [ForgetSession(pupil.session_id)], cause=cause)
            await self._log.erase(tree, lambda recorded: not _taught_by(recorded, pupil.session_id))
            # Pages last: whoever reads the log in between must not meet a skill without its page.
            removed = await self._removed_pages(tree, pupil.session_id)
            await self._log.erase(tree, lambda recorded, removed=removed: not _makes_page(recorded, removed))  # type: ignore[misc] # bound at once
        await self._pupils.forget(pupil.session_id)

    async def _removed_pages(self, tree: Address, session_id: str) -> set[str]:
        """Return the pages that were removed with a session; it is their tools' names that they are called by."""
        forgotten = [
            recorded.event async for recorded in self._log.read(tree) if isinstance(recorded.event, SessionForgotten)
        ]
        return {page for event in forgotten if event.session_id == session_id for page in event.removed_pages}


def _taught_by(recorded: Recorded | None, session_id: str) -> bool:
    match recorded.event if recorded else None:
        case SopFiled(provenance=origin):
            return origin.session_id == session_id
        case LessonSkipped(session_id=taught_by):
            return taught_by == session_id
        case _:
            return False


def _makes_page(recorded: Recorded | None, pages: set[str]) -> bool:
    return recorded is not None and isinstance(recorded.event, PageAdded) and recorded.event.block_id in pages
