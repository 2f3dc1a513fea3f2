"""The learner on real servers of its own, in this process, so that a test can break any part of it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from craftlog.contracts.events import (
    Event,
    FlushRequested,
    MessageAppended,
    MessagesLinked,
    SessionCreated,
    SessionObserved,
    TaskFailed,
    TaskOpened,
    TaskStarted,
    TaskSucceeded,
)
from craftlog.contracts.messages import Message
from craftlog.contracts.readmodels import BLOCKS, LESSONS, TREES, Document
from craftlog.contracts.subjects import Address, Kind
from craftlog.learner.app import LearnerSettings, start
from craftlog.runtime.service import Running
from craftlog.testing.backing import Backing, backing, running
from craftlog.testing.examples import PROJECT
from craftlog.testing.servers import S3


@dataclass
class World(Backing[LearnerSettings]):
    """What the learner touches, and a space to teach."""

    space: Address = field(default_factory=lambda: Address(Kind.TREE, PROJECT, str(uuid4())))

    async def say(
        self, session: Address, messages: Sequence[Message], *, space: bool = True, ago: timedelta = timedelta()
    ) -> None:
        """Append a session with these messages, connected to the space or not."""
        created = SessionCreated(space_id=self.space.id if space else None)
        said = [MessageAppended(**dict(message)) for message in messages]
        await self.append(session, created, *said, ago=ago)

    async def observe(self, session: Address, last: int, *tasks: tuple[str, str, Sequence[int]]) -> None:
        """Append a board with these tasks (id, status, positions), which was read through ``last``."""
        events: list[Event] = []
        for order, (task_id, status, positions) in enumerate(tasks, start=1):
            events.append(TaskOpened(task_id=task_id, order=order, description="Do it well", engine="rules"))
            events += [TaskStarted(task_id=task_id), MessagesLinked(task_id=task_id, positions=tuple(positions))]
            events += [TaskSucceeded(task_id=task_id)] if status == "success" else []
            events += [TaskFailed(task_id=task_id, reason="no")] if status == "failed" else []
        board = Address(Kind.BOARD, session.project, session.id)
        await self.append(board, *events, SessionObserved(through_position=last, engine="rules"))

    async def flush(self, session: Address, through: int) -> None:
        """Have somebody wait for the board."""
        await self.append(session, FlushRequested(through_position=through))

    async def lessons(self, count: int, space: Address | None = None) -> list[Document]:
        """Return the lessons of a space, oldest first, once there are so many and the read model has all of the log."""
        found, head, last = (
            await self.children(LESSONS, space),
            await self.head(space),
            await self.log.last(space or self.space),
        )
        return found if len(found) == count and last and head.get("version") == last.version else []

    async def children(self, collection: str, space: Address | None = None) -> list[Document]:
        """Return the documents of a space."""
        wanted = {"space_id": (space or self.space).id}
        return await self.database[collection].find(wanted).sort("created_at").to_list(None)

    async def blocks(self, kind: str, space: Address | None = None) -> list[Document]:
        """Return the blocks of a space of one type."""
        return [block for block in await self.children(BLOCKS, space) if block["type"] == kind]

    async def head(self, space: Address | None = None) -> Document:
        """Return the tree of a space."""
        return await self.database[TREES].find_one({"_id": (space or self.space).id}) or {}

    async def types(self, space: Address | None = None) -> list[str]:
        """Return the types of the events of the tree, without their version."""
        return [recorded.type.split(".")[0] async for recorded in self.log.read(space or self.space)]


@pytest.fixture
async def world(tmp_path: Path, mongo_url: str, s3: S3) -> AsyncIterator[World]:
    async with backing(World, LearnerSettings, tmp_path, mongo_url, s3) as world:
        yield world


Learning = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def learner(world: World) -> Learning:
    """Give `async with learner() as parts:`, which runs the learner in the block, with other settings or without."""

    @asynccontextmanager
    async def serving(**changes: Any) -> AsyncIterator[Running]:
        async with (
            start(world.settings.model_copy(update=changes), world.log) as parts,
            running(part.run for part in (*parts.projectors, *parts.lanes, *parts.works)),
        ):
            yield parts

    return serving
