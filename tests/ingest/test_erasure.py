"""What was deleted is gone from the log's files, the read models and the bucket, whoever was killed on the way."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from operator import attrgetter
from typing import Any

import pytest

from craftlog.contracts.events import (
    ArtifactStored,
    DiskCreated,
    DiskDeleted,
    MessageAppended,
    SessionCreated,
    SessionDeleted,
    SpaceConfigured,
    SpaceCreated,
    SpaceDeleted,
)
from craftlog.contracts.messages import Part
from craftlog.contracts.readmodels import DISKS, SESSIONS, SPACES
from craftlog.contracts.subjects import Address, Kind
from craftlog.ingest.handlers import LATE, Eraser, LateSweep
from craftlog.ingest.store import Erasures
from craftlog.runtime.errors import RefusedError, UnavailableError
from craftlog.runtime.objects import Objects, key_of, prefix_of
from craftlog.testing.examples import example, fresh
from craftlog.testing.waiting import until

SECRET = "the-word-that-must-not-stay"  # noqa: S105 - a marker to look for


def whispered(most: int) -> list[MessageAppended]:
    return [
        example(MessageAppended, position=n, message_id=f"m{n}", parts=(Part(type="text", text=f"{SECRET} {n}"),))
        for n in range(1, most + 1)
    ]


async def whisper(world, messages: int = 5) -> Address:
    """Store a session with a secret in every place that can hold one."""
    session = fresh(Kind.SESSION)
    await world.append(session, SessionCreated(configs={"told": SECRET}), *whispered(messages))
    for name in ("a", "b"):
        await world.objects.put(key_of(session, name), SECRET.encode(), "text/plain")
    return session


async def bucket(world, address: Address) -> list[str]:
    where = {"bucket_name": world.objects.bucket, "prefix": prefix_of(address), "recursive": True}
    found = await asyncio.to_thread(lambda: list(world.objects._client.list_objects(**where)))
    return [str(one.object_name) for one in found]


async def is_erased(world, collection: str, address: Address) -> bool:
    # In this order: the list has it before the head is marked.
    deleted = await world.head(collection, address, deleted=True)
    return bool(deleted) and address not in await Erasures(world.database).due()


async def assert_nothing_is_left(world, address: Address) -> None:
    assert [past.is_tombstone async for past in world.log.read(address)] == [True]
    assert not world.stored_in_log(SECRET)
    assert SECRET not in await world.stored_in_mongo()
    assert await bucket(world, address) == []


class TestErasure:
    async def test_a_deleted_space_is_nowhere(self, world, ingest):
        async with ingest():
            space = fresh(Kind.SPACE)
            configured = SpaceConfigured(configs={"again": SECRET})
            await world.append(space, SpaceCreated(configs={"told": SECRET}), configured, SpaceDeleted())
            await until(lambda: is_erased(world, SPACES, space))
        await assert_nothing_is_left(world, space)

    async def test_a_deleted_session_is_nowhere(self, world, ingest):
        async with ingest() as parts:
            session = await whisper(world)
            await until(lambda: world.head(SESSIONS, session, messages=5))
            assert world.stored_in_log(SECRET)
            assert SECRET in await world.stored_in_mongo()
            assert len(await bucket(world, session)) == 2
            await world.append(session, SessionDeleted())
            await until(lambda: is_erased(world, SESSIONS, session))
            await parts.probes["erasure"]()
        await assert_nothing_is_left(world, session)
        assert (await world.head(SESSIONS, session)).keys() == {"_id", "project", "version", "seq", "deleted"}

    async def test_it_is_enough_that_ingest_runs_later(self, world, ingest):
        session = await whisper(world)
        await world.append(session, SessionDeleted())
        async with ingest():
            await until(lambda: is_erased(world, SESSIONS, session))
        await assert_nothing_is_left(world, session)

    async def test_a_deleted_disk_is_nowhere(self, world, ingest):
        disk = fresh(Kind.DISK)
        async with ingest():
            await world.append(disk, DiskCreated(), example(ArtifactStored, meta={"told": SECRET}))
            await world.objects.put(key_of(disk, "a"), SECRET.encode(), "text/plain")
            await until(lambda: world.head(DISKS, disk, version=2))
            await world.append(disk, DiskDeleted())
            await until(lambda: is_erased(world, DISKS, disk))
        await assert_nothing_is_left(world, disk)

    async def test_a_session_that_could_not_be_read_any_further_goes_like_any_other(self, world, ingest):
        session = await whisper(world)
        await world.append(session, example(MessageAppended, position=77))
        async with ingest() as parts:

            async def is_stalled() -> bool:
                return session.id in parts.projectors[0].stalled

            await until(is_stalled)
            await world.append(session, SessionDeleted())
            await until(lambda: is_erased(world, SESSIONS, session))
            assert parts.projectors[0].stalled == {}
        await assert_nothing_is_left(world, session)

    async def test_its_neighbours_keep_everything(self, world, ingest):
        doomed, kept = await whisper(world), await whisper(world)
        await world.append(doomed, SessionDeleted())
        async with ingest():
            await until(lambda: is_erased(world, SESSIONS, doomed))
            head = await until(lambda: world.head(SESSIONS, kept, messages=5))
        assert not head["deleted"]
        assert [past.version async for past in world.log.read(kept)] == [1, 2, 3, 4, 5, 6]
        assert len(await bucket(world, kept)) == 2


class KilledError(BaseException):
    """Stands for SIGKILL: nothing in the eraser may answer it."""


def deadly(step: Callable[..., Any], after: int) -> Callable[..., Any]:
    """The same step, but whoever takes it more often than that is dead."""
    taken = count(1)

    async def take(*args: Any) -> Any:
        if next(taken) > after:
            raise KilledError
        return await step(*args)

    return take


class TestKilled:
    @pytest.mark.parametrize(
        ("owner", "step", "after"),
        [
            ("log.jetstream", "delete_msg", 0),
            ("log.jetstream", "delete_msg", 3),
            ("objects", "delete_prefix", 0),
            ("erasures", "erased", 0),
        ],
    )
    async def test_between_two_steps_the_next_one_finishes(self, world, ingest, monkeypatch, owner, step, after):
        session = await whisper(world)
        await world.append(session, SessionDeleted())
        async with ingest(erasing=False):
            await until(lambda: world.head(SESSIONS, session, deleted=True))
        world.erasures = Erasures(world.database)
        whose = attrgetter(owner)(world)
        with monkeypatch.context() as patch:
            patch.setattr(whose, step, deadly(getattr(whose, step), after))
            with pytest.raises(KilledError):
                await Eraser(world.log, world.erasures, world.objects).run()
        assert not await is_erased(world, SESSIONS, session)
        async with ingest():
            await until(lambda: is_erased(world, SESSIONS, session))
        await assert_nothing_is_left(world, session)

    async def test_in_the_middle_of_a_long_session_the_next_process_finishes(self, world):
        session = await whisper(world, messages=400)
        await world.append(session, SessionDeleted())
        async with ingest_process(world) as process:
            await until(lambda: fewer_than(world, session, 350))
            process.kill()
            await process.wait()
        assert await fewer_than(world, session, 350)
        assert not await fewer_than(world, session, 2), "it was faster than the kill"
        async with ingest_process(world):
            await until(lambda: is_erased(world, SESSIONS, session))
        await assert_nothing_is_left(world, session)


async def fewer_than(world, address: Address, most: int) -> bool:
    return len([past async for past in world.log.read(address)]) < most


@asynccontextmanager
async def ingest_process(world) -> AsyncIterator[asyncio.subprocess.Process]:
    settings = world.settings.model_dump() | {"s3_secret_key": world.settings.s3_secret_key.get_secret_value()}
    env = {f"CRAFTLOG_{name.upper()}": str(value) for name, value in settings.items() if value is not None}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "craftlog.ingest", env=os.environ | env)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            assert await process.wait() == 0


class TestClosedDoors:
    @pytest.mark.parametrize("refusal", [UnavailableError("S3 is down"), RefusedError("S3 says no")])
    async def test_a_bucket_that_is_down_holds_up_nothing_but_itself(self, world, ingest, monkeypatch, refusal):
        doomed = await whisper(world)
        await world.append(doomed, SessionDeleted())
        with monkeypatch.context() as patch:
            patch.setattr(Objects, "delete_prefix", AsyncRaise(refusal))
            async with ingest() as parts:
                await until(lambda: world.head(SESSIONS, doomed, deleted=True))
                later = await whisper(world)
                await until(lambda: world.head(SESSIONS, later, messages=5))
                reason = await until(lambda: complaint(parts.probes["erasure"]))
                assert reason == f"1 deleted are not erased yet: {refusal}"
                patch.undo()
                await until(lambda: is_erased(world, SESSIONS, doomed))
                assert not await complaint(parts.probes["erasure"])
        assert await bucket(world, doomed) == []


class TestLate:
    async def test_an_object_that_was_put_after_the_erasure_goes_as_well(self, world, ingest):
        disk, session = fresh(Kind.DISK), await whisper(world)
        await world.append(disk, DiskCreated(), DiskDeleted())
        await world.append(session, SessionDeleted())
        async with ingest():
            await until(lambda: is_erased(world, DISKS, disk))
            await until(lambda: is_erased(world, SESSIONS, session))
            for address in (disk, session):
                await world.objects.keep(address, SECRET.encode(), "text/plain")
        erasures, now = Erasures(world.database), datetime.now(UTC)
        late = LateSweep(erasures, world.objects)
        await late.sweep(now)
        assert [len(await bucket(world, address)) for address in (disk, session)] == [1, 1]
        await late.sweep(now + LATE)
        assert [await bucket(world, address) for address in (disk, session)] == [[], []]
        assert await erasures.erased_before(now + LATE) == []

    async def test_what_could_not_be_swept_is_swept_the_next_time(self, world, ingest, monkeypatch):
        disk = fresh(Kind.DISK)
        await world.append(disk, DiskCreated(), DiskDeleted())
        async with ingest():
            await until(lambda: is_erased(world, DISKS, disk))
        await world.objects.keep(disk, SECRET.encode(), "text/plain")
        late, then = LateSweep(Erasures(world.database), world.objects), datetime.now(UTC) + LATE
        with monkeypatch.context() as patch:
            patch.setattr(Objects, "delete_prefix", AsyncRaise(UnavailableError("S3 is down")))
            await late.sweep(then)
            assert await complaint(late.probe) == "1 erased are not swept once more yet: S3 is down"
        await late.sweep(then)
        assert await bucket(world, disk) == []
        assert not await complaint(late.probe)

    async def test_what_is_refused_for_good_is_in_nobodys_way_and_shown(self, world, ingest, monkeypatch):
        disks = sorted((fresh(Kind.DISK) for _ in range(3)), key=lambda disk: disk.id)
        for disk in disks:
            await world.append(disk, DiskCreated(), DiskDeleted())
        async with ingest():
            for disk in disks:
                await until(lambda disk=disk: is_erased(world, DISKS, disk))
        for disk in disks:
            await world.objects.keep(disk, SECRET.encode(), "text/plain")
        erasures = Erasures(world.database)
        late, then, sweep = LateSweep(erasures, world.objects), datetime.now(UTC) + LATE, Objects.delete_prefix

        async def refusing(objects: Objects, prefix: str) -> int:
            if prefix == prefix_of(disks[0]):
                raise RefusedError("S3 refuses", "AccessDenied")
            return await sweep(objects, prefix)

        monkeypatch.setattr(Objects, "delete_prefix", refusing)
        await late.sweep(then)
        assert [len(await bucket(world, disk)) for disk in disks] == [1, 0, 0]
        assert await erasures.erased_before(then) == disks[:1]
        assert await complaint(late.probe) == "1 erased are not swept once more yet: S3 refuses: AccessDenied"


class AsyncRaise:
    """A method that always fails in the same way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def __call__(self, *_: Any) -> None:
        raise self.error


async def complaint(probe: Callable[[], Any]) -> str:
    try:
        await probe()
    except UnavailableError as error:
        return str(error)
    return ""
