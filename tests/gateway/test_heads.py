"""Reading your own writes, with a log and a MongoDB that are real and a projector that is this test."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from craftlog.contracts.messages import Asset
from craftlog.contracts.readmodels import BOARDS, OBSERVER_DUE, SESSIONS, Document
from craftlog.contracts.subjects import Address, Kind, waited
from craftlog.gateway import flushing, heads
from craftlog.gateway.appending import append, keyed
from craftlog.gateway.auth import DEFAULT_PROJECT
from craftlog.gateway.decider.disk import CreateDisk, DeleteDisk, StoreArtifact
from craftlog.gateway.decider.session_commands import AppendMessages, CreateSession, DeleteSession, NewMessage
from craftlog.gateway.dialects.openai import to_canonical
from craftlog.gateway.errors import MissingError, UnfinishedError
from craftlog.gateway.flushing import flush
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.routes_message import get as get_messages
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.mongo import Database
from craftlog.testing.waiting import until

OTHER_PROJECT = "00000000-0000-4000-8000-000000000002"
SOON = 0.05
NEVER = 0.3
REASON = {"version": 1, "reason": "it cannot be folded"}


async def session(gateway: Gateway, messages: int = 0) -> Address:
    address = Address(Kind.SESSION, DEFAULT_PROJECT, str(uuid4()))
    said = tuple(NewMessage(str(uuid4()), "user", (), {}) for _ in range(messages))
    await gateway.sessions.transact(address, [CreateSession(), AppendMessages(said)], cause=address.id)
    return address


async def project(gateway: Gateway, database: Database, address: Address, **head: object) -> None:
    """Write a head as its projector would, and announce it."""
    collection = database[SESSIONS if address.kind is Kind.SESSION else BOARDS]
    document: Document = {"_id": address.id, "project": DEFAULT_PROJECT, "seq": 1, **head}
    await collection.replace_one({"_id": address.id}, document, upsert=True)
    await gateway.log.client.publish(address.head_subject, str(head.get("version", 0)).encode())


class TestHurry:
    async def test_who_waits_for_a_read_model_says_so(self, gateway: Gateway, database: Database) -> None:
        said = await gateway.log.client.subscribe(waited(Kind.SESSION))
        address = await session(gateway)
        reading = asyncio.create_task(gateway.heads.seen(address))
        await said.next_msg(30)
        await project(gateway, database, address, version=1)
        assert (await reading).head["version"] == 1

    async def test_who_finds_it_there_says_nothing(self, gateway: Gateway, database: Database) -> None:
        said = await gateway.log.client.subscribe(waited(Kind.SESSION))
        address = await session(gateway)
        await project(gateway, database, address, version=1)
        await gateway.heads.seen(address)
        await gateway.log.client.publish(waited(Kind.SESSION), b"the test")
        assert (await said.next_msg(30)).data == b"the test"


class TestIsCovered:
    async def test_is_so_once_what_the_log_has_was_announced(self, gateway: Gateway) -> None:
        address = Address(Kind.DISK, DEFAULT_PROJECT, str(uuid4()))
        assert not await gateway.heads.is_covered(address)
        await gateway.disks.transact(address, [CreateDisk()], cause=address.id)
        assert not await gateway.heads.is_covered(address)
        await announce(gateway, address, 1)
        assert await gateway.heads.is_covered(address)
        asset = Asset(bucket="b", s3_key="k", etag="e", sha256="0" * 64, mime="text/plain", size_b=1)
        await gateway.disks.transact(address, [StoreArtifact("/", "a", asset, {})], cause="a")
        assert not await gateway.heads.is_covered(address)
        await announce(gateway, address, 2)
        assert await gateway.heads.is_covered(address)

    async def test_is_not_so_of_what_is_built_anew(self, gateway: Gateway) -> None:
        address = Address(Kind.DISK, DEFAULT_PROJECT, str(uuid4()))
        await gateway.disks.transact(address, [CreateDisk()], cause=address.id)
        await announce(gateway, address, 1)
        await announce(gateway, address, 0)
        assert not await gateway.heads.is_covered(address)

    async def test_is_not_so_of_what_was_deleted(self, gateway: Gateway) -> None:
        address = Address(Kind.DISK, DEFAULT_PROJECT, str(uuid4()))
        await gateway.disks.transact(address, [CreateDisk(), DeleteDisk()], cause=address.id)
        await announce(gateway, address, 2)
        assert not await gateway.heads.is_covered(address)

    async def test_remembers_no_more_than_it_may(self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(heads, "_MOST_ANNOUNCEMENTS", 2)
        for _ in range(5):
            await announce(gateway, Address(Kind.DISK, DEFAULT_PROJECT, str(uuid4())), 1)
            await announce(gateway, Address(Kind.SESSION, DEFAULT_PROJECT, str(uuid4())), 1)
        assert len(gateway.heads._announcements) == 2


async def announce(gateway: Gateway, address: Address, version: int) -> None:
    await gateway.log.client.publish(address.head_subject, str(version).encode())
    await gateway.log.client.flush()
    await asyncio.sleep(0)


class TestSeen:
    async def test_waits_until_the_read_model_has_reached_the_log(
        self, gateway: Gateway, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # So that only an announcement can end the waiting.
        monkeypatch.setattr(heads, "_LOOK_EVERY", 60.0)
        address = await session(gateway, messages=2)
        await project(gateway, database, address, version=2)
        seen = asyncio.create_task(gateway.heads.seen(address))
        await asyncio.sleep(SOON)
        assert not seen.done()
        await project(gateway, database, address, version=3)
        assert (await seen).head["version"] == 3
        assert (await seen).stalled is None

    async def test_looks_by_itself_where_nothing_is_announced(self, gateway: Gateway, database: Database) -> None:
        address = await session(gateway)
        seen = asyncio.create_task(gateway.heads.seen(address))
        await asyncio.sleep(SOON)
        await database[SESSIONS].insert_one({"_id": address.id, "project": DEFAULT_PROJECT, "version": 1})
        assert (await seen).head["version"] == 1

    async def test_gives_up_after_its_budget(self, gateway: Gateway) -> None:
        address = await session(gateway)
        with pytest.raises(UnavailableError, match="is behind"):
            await gateway.heads.seen(address, budget=NEVER)
        assert gateway.heads._waiting == {}

    async def test_of_a_stalled_one_is_what_was_folded_before(self, gateway: Gateway, database: Database) -> None:
        address = await session(gateway, messages=2)
        await project(gateway, database, address, version=2, stalled=REASON)
        assert (await gateway.heads.seen(address)).stalled == 2

    async def test_of_one_that_stalled_at_once_is_nothing(self, gateway: Gateway, database: Database) -> None:
        address = await session(gateway)
        await project(gateway, database, address, stalled=REASON)
        with pytest.raises(UnavailableError, match="it cannot be folded"):
            await gateway.heads.seen(address)

    async def test_of_nothing_is_missing(self, gateway: Gateway) -> None:
        nowhere = Address(Kind.SESSION, DEFAULT_PROJECT, str(uuid4()))
        with pytest.raises(MissingError):
            await gateway.heads.seen(nowhere)
        assert await gateway.heads.seen_or_none(nowhere) is None

    async def test_of_a_deleted_one_is_missing(self, gateway: Gateway) -> None:
        address = await session(gateway)
        await gateway.sessions.transact(address, [DeleteSession()], cause="the end")
        with pytest.raises(MissingError):
            await gateway.heads.seen(address)

    async def test_of_one_that_is_deleted_just_after_the_log_was_asked_is_missing(
        self, gateway: Gateway, database: Database
    ) -> None:
        address = await session(gateway)
        await project(gateway, database, address, version=2, deleted=True)
        with pytest.raises(MissingError):
            await gateway.heads.seen(address)

    async def test_a_head_belongs_to_its_project(self, gateway: Gateway, database: Database) -> None:
        address = await session(gateway)
        await project(gateway, database, address, version=1)
        assert await gateway.heads.head(address)
        assert await gateway.heads.head(Address(Kind.SESSION, OTHER_PROJECT, address.id)) is None


class TestMessages:
    async def test_of_a_session_that_is_being_erased_are_missing_and_not_fewer(
        self, gateway: Gateway, database: Database
    ) -> None:
        address = await session(gateway, messages=2)
        await project(gateway, database, address, version=3, messages=2)
        with pytest.raises(MissingError, match="just deleted"):
            await get_messages(gateway=gateway, project=DEFAULT_PROJECT, session_id=address.id)


class TestFlush:
    async def test_waits_until_the_board_has_read_everything(self, gateway: Gateway, database: Database) -> None:
        address, board = await with_board(gateway, database, through=1)
        flushed = asyncio.create_task(flush(gateway, address, connected))
        await asyncio.sleep(SOON)
        assert not flushed.done()
        await project(gateway, database, board, version=2, through_position=2)
        assert await flushed == (200, "")

    async def test_says_how_far_it_got_and_asks_only_once(self, gateway: Gateway, database: Database) -> None:
        address, _ = await with_board(gateway, database, through=1)
        await database[OBSERVER_DUE].insert_one({"_id": address.id, "due_at": datetime.now(UTC)})
        for _ in range(2):
            with pytest.raises(UnfinishedError, match="1 of 2 messages are observed; ask again"):
                await flush(gateway, address, connected, budget=NEVER)
        assert [past.type async for past in gateway.log.read(address)][3:] == ["FlushRequested.v1"]

    async def test_ends_when_the_client_hangs_up(self, gateway: Gateway, database: Database) -> None:
        address, _ = await with_board(gateway, database, through=1)
        await flush(gateway, address, hung_up)
        await asyncio.sleep(0)
        assert gateway.heads._waiting == {}

    async def test_says_at_which_version_the_board_stands_still(self, gateway: Gateway, database: Database) -> None:
        address, board = await with_board(gateway, database, through=1)
        await project(gateway, database, board, version=1, through_position=1, stalled=REASON)
        assert await flush(gateway, address, connected) == (500, "the board stands still at version 1")

    async def test_names_what_nobody_could_read(self, gateway: Gateway, database: Database) -> None:
        address, board = await with_board(gateway, database, through=1)
        skipped = [
            {"position": 1, "reason": "it is no event"},
            {"position": 2, "reason": "it is too long", "dropped": True},
        ]
        await project(gateway, database, board, version=2, through_position=2, skipped=skipped)
        said = "parked messages by position: 1 (it is no event)"
        assert await flush(gateway, address, connected) == (200, said)

    async def test_says_why_it_waits_and_when_to_ask_again(self, gateway: Gateway, database: Database) -> None:
        address, _ = await with_board(gateway, database, through=1)
        due_at = datetime.now(UTC) + timedelta(seconds=30)
        due = {"_id": address.id, "project": DEFAULT_PROJECT, "due_at": due_at, "error": "the model does not answer"}
        await database[OBSERVER_DUE].insert_one(due)
        with pytest.raises(UnfinishedError, match="waiting because of: the model does not answer; next att") as waits:
            await flush(gateway, address, connected, budget=NEVER)
        assert waits.value.headers is not None
        assert 25 <= int(waits.value.headers["Retry-After"]) <= 30

    async def test_ends_where_the_session_is_parked(
        self, gateway: Gateway, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(flushing, "_LOOK_FOR_PARKED_EVERY", SOON)
        address, _ = await with_board(gateway, database, through=1)
        parked = {"_id": address.id, "project": DEFAULT_PROJECT, "error": "it cannot be read", "parked": True}
        await database[OBSERVER_DUE].insert_one(parked)
        said = "1 of 2 messages are observed; the rest is parked: it cannot be read"
        assert await flush(gateway, address, connected) == (500, said)

    async def test_leaves_nothing_behind_where_many_hang_up(self, gateway: Gateway, database: Database) -> None:
        address, _ = await with_board(gateway, database, through=1)
        before = asyncio.all_tasks()
        hang_up = asyncio.Event()

        async def hanging_up() -> dict[str, str]:
            await hang_up.wait()
            return {"type": "http.disconnect"}

        flushed = [asyncio.create_task(flush(gateway, address, hanging_up)) for _ in range(50)]
        await asyncio.sleep(SOON)
        assert len(asyncio.all_tasks()) >= len(before) + 50
        hang_up.set()
        await asyncio.gather(*flushed)

        async def nobody_waits() -> bool:
            return not asyncio.all_tasks() - before and gateway.heads._waiting == {}

        await until(nobody_waits, flushing.FLUSH_BUDGET / 2)  # by itself the waiting ends later

    async def test_of_a_session_deleted_meanwhile_is_missing(self, gateway: Gateway, database: Database) -> None:
        address, board = await with_board(gateway, database, through=1)
        flushed = asyncio.create_task(flush(gateway, address, connected))
        await asyncio.sleep(SOON)
        await project(gateway, database, board, version=2, deleted=True)
        with pytest.raises(MissingError):
            await flushed


async def with_board(gateway: Gateway, database: Database, through: int) -> tuple[Address, Address]:
    """Return a session of two messages, and its board that has read some of them."""
    address = await session(gateway, messages=2)
    board = Address(Kind.BOARD, address.project, address.id)
    await project(gateway, database, board, version=1, through_position=through)
    return address, board


async def connected() -> dict[str, str]:
    return await asyncio.get_running_loop().create_future()


async def hung_up() -> dict[str, str]:
    return {"type": "http.disconnect"}


class TestAppendOnce:
    async def test_says_that_it_cannot_read_what_its_key_stored_where_the_read_model_stands_still(
        self, gateway: Gateway, database: Database
    ) -> None:
        address = await session(gateway)
        message = to_canonical({"role": "user", "content": "hello"}, {})
        key = keyed("one", "POST messages", {})
        await append(gateway, address, [message], size=0, key=key)
        await project(gateway, database, address, version=1, stalled=REASON)
        with pytest.raises(UnavailableError, match="cannot be read now"):
            await append(gateway, address, [message], size=0, key=key)
