"""Sessions and boards in, lessons out: marks sessions due, files what they teach, ends what was deleted."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import (
    CONFIRM,
    FlushRequested,
    MessageAppended,
    Provenance,
    SessionCreated,
    SessionDeleted,
    SessionObserved,
    SpaceConfigured,
    SpaceConnected,
    SpaceCreated,
    SpaceDeleted,
)
from craftlog.contracts.subjects import Address, Kind, parse
from craftlog.learner.agent import Agent, Lesson, Skip, TaskToLearn
from craftlog.learner.decider import Command
from craftlog.learner.decider.lessons import FileSop, SkipLesson
from craftlog.learner.decider.refusals import RejectedError
from craftlog.learner.decider.state import State
from craftlog.learner.endings import end, forget
from craftlog.learner.sessions import Sessions
from craftlog.learner.store import Pupil, Pupils
from craftlog.runtime.desk import Desk
from craftlog.runtime.due import Item
from craftlog.runtime.log import Log

logger = structlog.get_logger()

Clock = Callable[[], datetime]

_SPACE: Final = {"space": "deleted"}  # of an item that is no session's


class Diary(Protocol):
    """Where due work is noted (craftlog.runtime.work.Work)."""

    async def mark(self, items: Sequence[Item]) -> None:
        """Make work due."""
        ...

    async def forget(self, keys: Sequence[str]) -> None:
        """Drop what is noted, parked or not."""
        ...


class Listener:
    """Consumes events of sessions, boards and spaces: notes who teaches which space, and marks what is to be done."""

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

    async def on_space(self, events: Sequence[Recorded]) -> None:
        """Have the trees of deleted spaces ended."""
        now = self._clock()
        gone = [
            Item(recorded.address.id, recorded.address.project, now, now, _SPACE, recorded.traceparent)
            for recorded in events
            if isinstance(recorded.event, SpaceDeleted)
        ]
        if gone:
            await self._diary.mark(gone)

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
    """Does the due work of one session, or of a deleted space.

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

    async def perform(self, item: Item) -> Item | None:
        """Give every finished task of a session its lesson, or forget what a deleted one taught, or end a tree.

        Returns it for another look later where the session is not ready. Killed anywhere and done again, nothing is
        doubled: the lesson of a task is a fact that is checked first.

        Raises:
            UnavailableError: the log, MongoDB or the bucket cannot be reached.
        """
        if item.data == _SPACE:
            await end(self._log, self._desk, Address(Kind.TREE, item.project, item.key))
            return None
        pupil = await self._pupils.get(item.key)
        if pupil is None:
            return None
        if pupil.deleted:
            for space_id in pupil.spaces:
                await forget(self._log, self._desk, Address(Kind.TREE, pupil.project, space_id), pupil.session_id)
            await self._pupils.forget(pupil.session_id)
            return None
        again_at = await self._learn(pupil)
        return replace(item, due_at=again_at) if again_at else None

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
        space = await self._log.last(Address(Kind.SPACE, pupil.project, pupil.space_id))
        # The tree of a deleted one is about to end, and takes no lesson after that.
        for task in waiting if not (space and space.is_tombstone) else ():
            to_learn = await self._sessions.task(pupil.session_id, known, task, transcript)
            await self._teach(tree, to_learn, confirm=_wants_confirmation(space))
        return None

    async def _teach(self, tree: Address, task: TaskToLearn, *, confirm: bool) -> None:
        lesson = await self._agent.distil(task)
        cause = f"lesson:{tree.id}:{task.task_id}"
        try:
            await self._desk.transact(tree, [self._command(tree.id, task, lesson, confirm=confirm)], cause=cause)
        except RejectedError as refusal:
            skip = self._command(tree.id, task, Skip(f"The skill was refused: {refusal}."), confirm=False)
            await self._desk.transact(tree, [skip], cause=f"{cause}:refused")

    def _command(self, space_id: str, task: TaskToLearn, lesson: Lesson, *, confirm: bool) -> Command:
        engine = self._agent.engine
        if isinstance(lesson, Skip):
            return SkipLesson(task.task_id, task.session_id, lesson.reason, engine)
        return FileSop(
            space_id=space_id,
            page_title=lesson.page_title,
            use_when=lesson.use_when,
            preferences=lesson.preferences,
            tool_sops=lesson.tool_sops,
            provenance=Provenance(
                session_id=task.session_id,
                task_id=task.task_id,
                message_ids=tuple(message.message_id for message in task.messages),
                engine=engine,
            ),
            confirm=confirm,
        )


def _wants_confirmation(space: Recorded | None) -> bool:
    """Tell whether a space's newest event, which says all that is configured, asks for a person."""
    match space.event if space else None:
        case SpaceCreated(configs=configs) | SpaceConfigured(configs=configs):
            return (configs or {}).get(CONFIRM) is True
        case _:
            return False
