"""Decisions under the lock, with rivals that really append to the same stream."""

import asyncio

import pytest

import craftlog.runtime.desk
from craftlog.contracts.subjects import Address
from craftlog.runtime.desk import Desk, Rules, Snapshot
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.jetstream import read
from craftlog.runtime.log import Log
from craftlog.testing.servers import Server

PATIENCE = 30.0
FOR_EVER = 3600.0


async def versions(log, address):
    return [recorded.version async for recorded in log.read(address)]


class TestTransact:
    async def test_appends_what_was_decided_and_returns_the_state_after_it(self, desk: Desk, address: Address):
        decided = await desk.transact(address, ["create", "a", "b"], cause="one")
        assert decided.state.messages == 2
        assert [recorded.version for recorded in decided.recorded] == [1, 2, 3]
        assert decided.position.version == 3

    async def test_all_of_the_commands_happen_or_none(self, desk: Desk, address: Address, log: Log, unknown_error):
        with pytest.raises(unknown_error):
            await desk.transact(address, ["create", "a", "refuse"], cause="one")
        assert await versions(log, address) == []

    async def test_is_quiet_on_a_repeat(self, desk: Desk, address: Address, log: Log):
        await desk.transact(address, ["create"], cause="one")
        assert (await desk.transact(address, ["create"], cause="two")).recorded == []
        assert await versions(log, address) == [1]

    async def test_five_hundred_rivals_for_one_aggregate_lose_nothing(
        self, desk: Desk, rival: Desk, address: Address, log: Log
    ):
        await desk.transact(address, ["create"], cause="create")
        desks = [desk, rival]
        every = [desks[n % 2].transact(address, [f"text {n}"], cause=f"append {n}") for n in range(500)]
        decided = await asyncio.gather(*every)
        assert sorted(one.recorded[0].version for one in decided) == list(range(2, 502))
        assert await versions(log, address) == list(range(1, 502))

    async def test_callers_with_more_events_than_one_batch_holds_are_served_in_turn(
        self, desk: Desk, address: Address, log: Log
    ):
        await desk.transact(address, ["create"], cause="create")
        sizes = [1, 1, 500, 1, 500, 500, 1]
        decided = await asyncio.gather(
            *(desk.transact(address, ["text"] * size, cause=f"{n}") for n, size in enumerate(sizes))
        )
        stored = [recorded.version for one in decided for recorded in one.recorded]
        assert stored == (await versions(log, address))[1:] == list(range(2, sum(sizes) + 2))
        assert [len(one.recorded) for one in decided] == sizes

    async def test_a_refusal_of_one_waiting_caller_is_not_the_others(self, desk: Desk, address: Address, unknown_error):
        await desk.transact(address, ["create"], cause="create")
        commands = ["a", "refuse", "b"]
        answers = await asyncio.gather(
            *(desk.transact(address, [command], cause=command) for command in commands), return_exceptions=True
        )
        assert isinstance(answers[1], unknown_error)
        assert [answers[0].position.version, answers[2].position.version] == [2, 3]

    async def test_does_not_refuse_from_an_outdated_state(
        self, desk: Desk, rival: Desk, address: Address, unknown_error
    ):
        with pytest.raises(unknown_error):
            await desk.transact(address, ["a"], cause="before")
        await rival.transact(address, ["create"], cause="create")
        assert (await desk.transact(address, ["a"], cause="after")).position.version == 2

    async def test_a_caller_who_hangs_up_takes_nobody_along(self, desk: Desk, address: Address, log: Log):
        await desk.transact(address, ["create"], cause="create")
        leaving = asyncio.ensure_future(desk.transact(address, ["a"], cause="a"))
        staying = asyncio.ensure_future(desk.transact(address, ["b"], cause="b"))
        await asyncio.sleep(0)
        leaving.cancel()
        assert (await staying).recorded
        assert await versions(log, address) == [1, 2, 3]

    async def test_starts_from_a_snapshot_and_reads_only_what_follows(
        self, desk: Desk, address: Address, log: Log, rules: Rules
    ):
        first = await desk.transact(address, ["create", "a"], cause="one")
        await desk.transact(address, ["b"], cause="two")

        async def snapshot(_):
            return Snapshot(first.state, first.position.version, first.position.seq)

        other = Desk(log, rules, snapshot)
        assert (await other.transact(address, ["c"], cause="three")).state.messages == 3

    async def test_reads_the_log_from_the_start_when_the_snapshot_is_out_of_reach(
        self, desk: Desk, address: Address, log: Log, rules: Rules
    ):
        await desk.transact(address, ["create", "a"], cause="one")

        async def snapshot(_):
            raise UnavailableError("no database")

        assert (await Desk(log, rules, snapshot).state(address)).state.messages == 1

    async def test_knows_nothing_for_sure_after_the_log_was_away(
        self, desk: Desk, rival: Desk, address: Address, server: Server
    ):
        await desk.transact(address, ["create"], cause="create")
        server.kill()
        with pytest.raises(UnavailableError):
            await desk.transact(address, ["a"], cause="a")
        server.start()
        await rival.transact(address, ["b"], cause="b")
        assert (await desk.transact(address, ["c"], cause="c")).state.messages >= 2


async def batches(log, address):
    """Return of each event the atomic batch that it was stored with, None where it was alone."""
    stored = read(log.client, address.subject, 0)
    return [message.headers.get("Nats-Batch-Id") async for message in stored]


class Upload:
    """A caller who says that it is coming, and comes when it may."""

    def __init__(self, desk: Desk, address: Address, text: str) -> None:
        self.may_come = asyncio.Event()
        self.task = asyncio.create_task(self._come(desk, address, text))

    async def _come(self, desk, address, text):
        with desk.expecting(address):
            await self.may_come.wait()
            if text == "fails":
                raise ValueError(text)
        return await desk.transact(address, [text], cause=text)


class TestExpecting:
    @pytest.fixture
    async def created(self, desk: Desk, address: Address, monkeypatch: pytest.MonkeyPatch) -> Address:
        await desk.transact(address, ["create"], cause="create")
        monkeypatch.setattr(craftlog.runtime.desk, "_MOMENT", FOR_EVER)
        return address

    async def test_who_waits_goes_along_with_those_who_come_soon(self, desk: Desk, created: Address, log: Log):
        uploads = [Upload(desk, created, text) for text in "abcd"]
        await asyncio.sleep(0)
        first = asyncio.create_task(desk.transact(created, ["first"], cause="first"))
        for upload in uploads:
            assert (await asyncio.wait([first], timeout=0.02))[1], "it went alone"
            upload.may_come.set()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(first, *(upload.task for upload in uploads))
        _, *together = await batches(log, created)
        assert len(together) == 5
        assert len(set(together)) == 1
        assert together[0] is not None

    async def test_nobody_waits_for_who_fails_on_the_way(self, desk: Desk, created: Address):
        uploads = [Upload(desk, created, "fails") for _ in range(4)]
        await asyncio.sleep(0)
        first = asyncio.create_task(desk.transact(created, ["first"], cause="first"))
        assert (await asyncio.wait([first], timeout=0.02))[1], "it waited for nobody"
        for upload in uploads:
            upload.may_come.set()
        async with asyncio.timeout(PATIENCE):
            assert (await first).recorded
        assert all(await asyncio.gather(*(upload.task for upload in uploads), return_exceptions=True))

    @pytest.mark.parametrize(("others", "moment"), [("ab", FOR_EVER), ("abcd", 0.01)], ids=["for a few", "long"])
    async def test_nobody_waits(
        self, desk: Desk, created: Address, monkeypatch: pytest.MonkeyPatch, others: str, moment: float
    ):
        monkeypatch.setattr(craftlog.runtime.desk, "_MOMENT", moment)
        uploads = [Upload(desk, created, text) for text in others]
        await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            assert (await desk.transact(created, ["first"], cause="first")).recorded
        for upload in uploads:
            upload.may_come.set()
            await upload.task
