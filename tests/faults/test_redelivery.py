"""Every event comes one to three times and in any order: boards do not show it."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.faults import runs
from tests.faults.observers import granted, observing
from tests.faults.sessions import all_heard, boards, filled, nothing_due, observed_once
from tests.faults.world import Document, World

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import Event, MessagesLinked, SessionObserved, TaskOpened, TaskProgressed, TaskStarted
from craftlog.contracts.questions import Stalled
from craftlog.contracts.subjects import Address, Kind
from craftlog.observer.projection import project
from craftlog.runtime.log import Log
from craftlog.runtime.projector import Folded, Projector, document
from craftlog.testing.examples import DISK_ID, SESSION_ID, START
from craftlog.testing.examples import PROJECT as SOMEBODY
from craftlog.testing.scripted_model import scripted_model

PROJECT = "redelivered"


class Stored:
    """A log that says what it holds, and a read model in memory."""

    def __init__(self, history: Sequence[Recorded]) -> None:
        self.client = self
        self.documents: dict[str, Document] = {}
        self._history = history

    def new_inbox(self) -> str:
        return "inbox"

    async def publish(self, *_: object) -> None:
        """Announce to nobody."""

    async def read(self, address: Address, after_seq: int = 0) -> AsyncIterator[Recorded]:
        for past in self._history:
            if past.address == address and past.seq > after_seq:
                yield past

    async def heads(self, ids: Sequence[str]) -> dict[str, Document]:
        return {one: self.documents[one] for one in ids if one in self.documents}

    async def write(self, batch: Sequence[Folded]) -> dict[str, str]:
        self.documents |= {one.address.id: document(one) for one in batch}
        return {}

    async def stall(self, stalled: Stalled) -> None:
        raise AssertionError(stalled.reason)

    async def stalled(self) -> list[Stalled]:
        return []


def observed(through: int) -> list[Event]:
    """Return a few facts, of which none can be left out or come before another."""
    task = f"t{through}"
    return [
        TaskOpened(task_id=task, order=through, description=f"Task {through}", engine="m"),
        TaskStarted(task_id=task),
        TaskProgressed(task_id=task, note="one"),
        TaskProgressed(task_id=task, note="two"),
        MessagesLinked(task_id=task, positions=(through,)),
        SessionObserved(through_position=through, engine="m"),
    ]


def history() -> list[Recorded]:
    """Return the facts of two boards, which alternate in the log."""
    events = [event for through in (1, 2) for event in observed(through)]
    addresses = [Address(Kind.BOARD, SOMEBODY, one) for one in (SESSION_ID, DISK_ID)]
    return [
        Recorded(
            address=address,
            version=version,
            seq=2 * version + place,
            id=f"{address.id}{version}",
            type="",
            time=START,
            event=event,
        )
        for version, event in enumerate(events, start=1)
        for place, address in enumerate(addresses)
    ]


HISTORY = history()


def folded(deliveries: Sequence[Sequence[Recorded]]) -> dict[str, Any]:
    """Return the read model after these deliveries."""
    stored = Stored(HISTORY)
    projector = Projector(cast("Log", stored), stored, durable="boards", kind=Kind.BOARD, project=project)

    async def deliver() -> None:
        for delivery in deliveries:
            await projector._handle(delivery)

    asyncio.run(deliver())
    return stored.documents


@given(times=st.lists(st.integers(1, 3), min_size=len(HISTORY), max_size=len(HISTORY)), chance=st.randoms())
def test_a_read_model_is_the_same(times: list[int], chance: random.Random) -> None:
    deliveries: list[list[Recorded]] = [[]]
    coming = [past for past, count in zip(HISTORY, times, strict=True) for _ in range(count)]
    chance.shuffle(coming)
    for past in coming:
        deliveries[-1].append(past)
        if chance.random() < 1 / 4:
            deliveries.append([])
    assert folded(deliveries) == folded([HISTORY])


@pytest.mark.parametrize("seed", [1, 2])
async def test_boards_are_as_in_peace(seed: int, world: World, in_peace: dict[int, Document]) -> None:
    with scripted_model(granted) as model, observing(world.stack, model, "--scramble", seed):
        sessions = await filled(world, range(runs.HOW_MANY))
        read = await boards(world, sessions)
        await all_heard(world)
        await nothing_due(world)
        assert await boards(world, sessions) == read
    assert read == in_peace
    await observed_once(world, sessions.values())
