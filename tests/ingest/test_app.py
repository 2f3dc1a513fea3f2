"""Ingest on real servers: what was appended is read, whenever it was appended."""

from collections.abc import Mapping
from typing import Any

from craftlog.contracts.events import (
    ArtifactRemoved,
    ArtifactStored,
    DiskCreated,
    MessageAppended,
    SessionCreated,
    SpaceConnected,
    SpaceCreated,
)
from craftlog.contracts.messages import Part
from craftlog.contracts.readmodels import ARTIFACTS, DISKS, MESSAGES, SESSIONS, SPACES
from craftlog.contracts.subjects import Kind
from craftlog.testing.examples import SPACE_ID, example, fresh
from craftlog.testing.waiting import until


def said(first: int, last: int) -> list[MessageAppended]:
    return [
        example(MessageAppended, position=n, message_id=f"m{n}", parts=(Part(type="text", text=f"message {n}"),))
        for n in range(first, last + 1)
    ]


class TestReading:
    async def test_a_session_is_read_in_order_with_all_its_messages(self, world, ingest):
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(configs={"a.b": {"$c": None}}), *said(1, 600))
        async with ingest():
            await world.append(session, *said(601, 620), SpaceConnected(space_id=SPACE_ID))
            head = await until(lambda: world.head(SESSIONS, session, version=622))
            stored = await world.database[MESSAGES].find({"session_id": session.id}).sort("position").to_list(None)
        assert (head["messages"], head["configs"], head["space_id"]) == (620, {"a.b": {"$c": None}}, SPACE_ID)
        assert [message["parts"][0]["text"] for message in stored] == [f"message {n}" for n in range(1, 621)]
        assert [message["_id"] for message in stored] == [f"{session.id}/m{n}" for n in range(1, 621)]

    async def test_a_disk_holds_what_was_put_last(self, world, ingest):
        disk = fresh(Kind.DISK)
        async with ingest():
            await world.append(disk, DiskCreated(), example(ArtifactStored), example(ArtifactStored, filename="b.txt"))
            await until(lambda: world.head(DISKS, disk, version=3))
            await world.append(disk, example(ArtifactRemoved), example(ArtifactStored, filename="b.txt", meta={}))
            await until(lambda: world.head(DISKS, disk, version=5))
            stored = await world.database[ARTIFACTS].find({"disk_id": disk.id}).to_list(None)
        assert [(one["path"], one["filename"], one["meta"]) for one in stored] == [("/reports/", "b.txt", {})]

    async def test_a_space_is_read(self, world, ingest):
        space = fresh(Kind.SPACE)
        async with ingest():
            await world.append(space, SpaceCreated(configs={"a": 1}))
            head = await until(lambda: world.head(SPACES, space, version=1))
        assert head["configs"] == {"a": 1}

    async def test_ingest_that_starts_again_goes_on_where_it_was(self, world, ingest):
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(), *said(1, 3))
        async with ingest():
            await until(lambda: world.head(SESSIONS, session, version=4))
        await world.append(session, *said(4, 6))
        async with ingest():
            head = await until(lambda: world.head(SESSIONS, session, version=7))
        assert head["messages"] == 6
        assert await world.database[MESSAGES].count_documents({"session_id": session.id}) == 6


class TestStall:
    async def test_a_session_that_cannot_be_folded_stands_still_and_the_others_go_on(self, world, ingest):
        broken, sound = fresh(Kind.SESSION), fresh(Kind.SESSION)
        await world.append(broken, SessionCreated(), *said(1, 1), *said(5, 5))
        await world.append(sound, SessionCreated(), *said(1, 2))
        async with ingest() as parts:
            await until(lambda: world.head(SESSIONS, sound, version=3))
            stalled: Mapping[str, Any] = parts.projectors[0].stalled
            assert stalled[broken.id].version == 2
            assert "message at position 5, expected 2" in stalled[broken.id].reason
            head = await world.head(SESSIONS, broken)
        assert (head["version"], head["messages"]) == (2, 1)
