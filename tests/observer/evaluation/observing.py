"""A conversation observed as the observer does it (its batches, its decider), with a log that is a list."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from craftlog.contracts.envelope import Recorded, event_id
from craftlog.contracts.events import Event, MessageAppended, SessionCreated
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.dialects.openai import to_canonical
from craftlog.observer.agent import Agent
from craftlog.observer.decider import INITIAL, State, decide, evolve
from craftlog.observer.observing import Observer
from craftlog.observer.reading import Reader
from craftlog.observer.tab import Tab
from craftlog.runtime.desk import Desk, Rules
from craftlog.runtime.due import Item
from craftlog.runtime.errors import ConflictError, StoreError
from craftlog.runtime.log import Draft, Position

_PROJECT: Final = event_id("evaluation")
_NOW: Final = datetime(2025, 1, 1, tzinfo=UTC)
_DELAYS: Final = (1.0, 2.0, 5.0, 10.0)  # seconds before another try


@dataclass
class ListedLog:
    """A log in memory, of as much as an observation needs."""

    recorded: list[Recorded] = field(default_factory=list)

    async def read(self, address: Address, after_seq: int = 0) -> AsyncIterator[Recorded]:
        for one in list(self.recorded):
            if one.address == address and one.seq > after_seq:
                yield one

    read_all = read

    async def append(self, address: Address, expected: Position, drafts: Sequence[Draft]) -> list[Recorded]:
        if sum(one.address == address for one in self.recorded) != expected.version:
            raise ConflictError(f"{address.id} has moved on")
        first = len(self.recorded) + 1
        new = [
            Recorded(address, expected.version + nth, first + nth - 1, draft.id, _name(draft.event), _NOW, draft.event)
            for nth, draft in enumerate(drafts, start=1)
        ]
        self.recorded += new
        return new


def _name(event: Event) -> str:
    return f"{type(event).__name__}.v1"


async def observe(agent: Agent, name: str, blobs: Sequence[dict[str, Any]]) -> tuple[State, str]:
    """Return the board of a conversation of OpenAI messages, and what kept it from being read to its end, if anything.

    All of it is due at once, as after a flush: the observer cuts it into batches.
    """
    log = ListedLog()
    session = Address(Kind.SESSION, _PROJECT, event_id(name))
    said = [SessionCreated(), *(appended(at, blob) for at, blob in enumerate(blobs, start=1))]
    await log.append(
        session, Position(), [Draft(event_id(name, str(at)), event, _NOW) for at, event in enumerate(said)]
    )
    desk = Desk(log, Rules(INITIAL, decide, evolve), _no_snapshot)
    observer = Observer(log, desk, Reader(log, None), agent, _no_age, tab=Tab())
    trouble = ""
    for delay in (*_DELAYS, 0.0):
        try:
            await observer.perform(Item(session.id, session.project, _NOW, _NOW))
        except StoreError as error:
            trouble = str(error)
            await asyncio.sleep(delay)
        else:
            trouble = ""
            break
    return (await desk.state(Address(Kind.BOARD, session.project, session.id))).state, trouble


async def _no_age(_: Address) -> timedelta:
    return timedelta()  # all of it is there


async def _no_snapshot(_: Address) -> None:
    return None


def appended(position: int, blob: dict[str, Any]) -> MessageAppended:
    """Return the event that appends an OpenAI message."""
    said = to_canonical(blob, {})
    return MessageAppended(
        message_id=event_id("message", str(position)),
        position=position,
        role=said.role,
        parts=said.parts,
        meta=said.meta,
    )
