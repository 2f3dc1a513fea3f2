"""Appends that share a commit, on a real nats-server: each caller's answer is true, whatever becomes of the others."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import nats
import pytest

from craftlog.contracts.envelope import Recorded, event_id
from craftlog.contracts.events import FlushRequested, SessionCreated, SessionDeleted
from craftlog.contracts.subjects import Address, Kind
from craftlog.runtime import jetstream
from craftlog.runtime.desk import Decided, Desk, Rules
from craftlog.runtime.errors import ConflictError, UnavailableError
from craftlog.runtime.jetstream import Append, PublishError, publish
from craftlog.runtime.log import Draft, Log, Position, patiently
from craftlog.testing.examples import PROJECT
from craftlog.testing.servers import Server

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MANY = 40


def an_address() -> Address:
    return Address(Kind.SESSION, PROJECT, str(uuid4()))


def draft(event=None, traceparent=None) -> Draft:
    return Draft(str(uuid4()), event or SessionCreated(), NOW, traceparent)


def an_append(subject: str, expected_seq: int = 0, message_id: str | None = None) -> Append:
    return Append(subject, [({"ce-id": message_id or str(uuid4())}, b"{}")], expected_seq)


async def stored(log: Log, address: Address) -> list:
    return [recorded async for recorded in log.read(address)]


async def batch_of(log: Log, address: Address) -> str | None:
    """Return the id of the batch that an aggregate's last event came in."""
    return [one async for one in jetstream.read(log.client, address.subject, 0)][-1].headers.get("Nats-Batch-Id")


async def all_at_once(log: Log, appends: Sequence[tuple[Address, Position, Sequence[Draft]]]) -> list:
    """Append all in one tick behind one that is under way, so that all wait for it; return what came of each."""
    ahead = asyncio.ensure_future(log.append(an_address(), Position(), [draft()]))
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*(log.append(*one) for one in appends), return_exceptions=True)
    await ahead
    return answers


@asynccontextmanager
async def another_log(server: Server) -> AsyncIterator[Log]:
    """Give the log of another process."""
    client = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    try:
        yield Log(client)
    finally:
        with suppress(ConnectionError):
            await client.close()


class TestTheServer:
    """What nats-server does with a batch, which its documents leave open and we rely on."""

    @pytest.mark.parametrize("at", [0, 3, 7])
    async def test_checks_the_lock_of_every_message_and_stores_none_when_one_is_stale(self, log: Log, at: int):
        addresses = [an_address() for _ in range(8)]
        appends = [an_append(address.subject, 77 if n == at else 0) for n, address in enumerate(addresses)]
        with pytest.raises(PublishError, match="wrong last sequence"):
            await publish(log.client, *appends)
        assert (await log.jetstream.stream_info("CRAFTLOG")).state.messages == 0

    async def test_refuses_two_locks_on_one_subject(self, log: Log, address: Address):
        with pytest.raises(PublishError, match="10164"):
            await publish(log.client, an_append(address.subject), an_append(address.subject))

    async def test_refuses_an_event_that_is_stored_already_and_forgets_the_ids_of_those_beside_it(self, log: Log):
        known, unknown = str(uuid4()), str(uuid4())
        await publish(log.client, an_append(an_address().subject, message_id=known))
        with pytest.raises(PublishError, match="10201"):
            await publish(
                log.client,
                an_append(an_address().subject, message_id=unknown),
                an_append(an_address().subject, message_id=known),
            )
        assert await publish(log.client, an_append(an_address().subject, message_id=unknown)) == 2

    async def test_is_not_sent_a_header_that_would_end_before_its_end(self, log: Log, address: Address):
        forged = Append(address.subject, [({"ce-id": "1\r\nNats-Rollup: all"}, b"{}"), ({"ce-id": "2"}, b"{}")], 0)
        with pytest.raises(ValueError, match="line break"):
            await publish(log.client, forged)

    async def test_remembers_the_ids_of_a_batch(self, log: Log):
        ids = [str(uuid4()) for _ in range(2)]
        await publish(log.client, *(an_append(an_address().subject, message_id=one) for one in ids))
        for one in ids:
            with pytest.raises(PublishError, match="10201"):
                await publish(log.client, an_append(an_address().subject, message_id=one))


class TestTogether:
    async def test_one_that_nobody_waits_for_goes_plainly(self, log: Log, address: Address):
        await log.append(address, Position(), [draft()])
        assert await batch_of(log, address) is None

    async def test_those_that_wait_share_a_batch_and_each_learns_what_is_its_own(self, log: Log):
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        decisions = [
            [draft(traceparent=trace)],
            [draft(), draft(FlushRequested(through_position=0)), draft(SessionDeleted())],
            *([draft()] for _ in range(MANY)),
        ]
        appends = [(an_address(), Position(), drafts) for drafts in decisions]
        answers = await all_at_once(log, appends)
        for (address, _, drafts), answer in zip(appends, answers, strict=True):
            assert await stored(log, address) == answer
            assert [recorded.id for recorded in answer] == [one.id for one in drafts]
            assert [recorded.version for recorded in answer] == list(range(1, len(drafts) + 1))
        assert len({await batch_of(log, address) for address, _, _ in appends}) == 1

    async def test_a_few_that_wait_go_plainly(self, log: Log):
        appends = [(an_address(), Position(), [draft()]) for _ in range(3)]
        await all_at_once(log, appends)
        assert {await batch_of(log, address) for address, _, _ in appends} == {None}

    async def test_a_batch_has_at_most_a_thousand_messages(self, log: Log):
        appends = [(an_address(), Position(), [draft() for _ in range(150)]) for _ in range(12)]
        answers = await all_at_once(log, appends)
        assert [len(answer) for answer in answers] == [150] * 12
        assert sorted(Counter([await batch_of(log, address) for address, _, _ in appends]).values()) == [6, 6]

    async def test_a_batch_stays_small_enough_to_be_answered_in_time(self, log: Log):
        drafts = [draft(SessionCreated(configs={"large": "x" * 200_000})) for _ in range(MANY)]
        appends = [(an_address(), Position(), [one]) for one in drafts]
        answers = await all_at_once(log, appends)
        assert [answer[0].id for answer in answers] == [one.id for one in drafts]
        assert len({await batch_of(log, address) for address, _, _ in appends}) == 2

    async def test_one_stale_lock_concerns_nobody_else(self, log: Log):
        addresses = [an_address() for _ in range(MANY)]
        await log.append(addresses[7], Position(), [draft()])
        answers = await all_at_once(log, [(address, Position(), [draft()]) for address in addresses])
        assert isinstance(answers.pop(7), ConflictError)
        assert [answer[0].version for answer in answers] == [1] * (MANY - 1)
        assert [len(await stored(log, address)) for address in addresses] == [1] * MANY

    async def test_after_each_refusal_in_a_row_more_commits_pass_before_a_batch_is_tried_again(
        self, log: Log, monkeypatch: pytest.MonkeyPatch
    ):
        rival, send, tried = an_address(), log.client._send_command, []

        async def watched(command: bytes) -> None:
            tried.extend([True] * command.count(b"Nats-Batch-Sequence: 1\r\n"))
            await send(command)

        async def batches(*more: tuple[Address, Position, Sequence[Draft]]) -> int:
            tried.clear()
            await all_at_once(log, [*more, *((an_address(), Position(), [draft()]) for _ in range(MANY))])
            return len(tried)

        monkeypatch.setattr(log.client, "_send_command", watched)
        await log.append(rival, Position(), [draft()])
        stale = (rival, Position(), [draft()])
        assert [await batches(stale) for _ in range(9)] == [1, 0, 0, 1, 0, 0, 0, 0, 1]
        assert [await batches() for _ in range(10)] == [0] * 8 + [1, 1]
        assert [await batches(stale) for _ in range(4)] == [1, 0, 0, 1]

    @pytest.mark.parametrize("size", [1, 3])
    async def test_a_repeat_whose_answer_was_lost_is_a_success_and_concerns_nobody_else(self, log: Log, size: int):
        appends = [(an_address(), Position(), [draft() for _ in range(size)]) for _ in range(MANY)]
        first = await log.append(*appends[7])
        answers = await all_at_once(log, appends)
        assert answers[7] == first
        for (address, _, _), answer in zip(appends, answers, strict=True):
            assert await stored(log, address) == answer

    async def test_an_event_that_is_stored_already_is_not_said_to_be_stored_again(self, log: Log):
        once = draft()
        address = an_address()
        [recorded] = await log.append(address, Position(), [once])
        others = [(an_address(), Position(), [draft()]) for _ in range(MANY)]
        answers = await all_at_once(log, [(address, Position(1, recorded.seq), [once]), *others])
        assert isinstance(answers[0], ConflictError)
        assert all(isinstance(answer, list) for answer in answers[1:])

    async def test_what_cannot_be_sent_at_all_concerns_nobody_else(self, log: Log):
        appends = [(an_address(), Position(), [draft()]) for _ in range(MANY)]
        appends[7] = (an_address(), Position(), [draft(traceparent="00\r\nNats-Rollup: all"), draft()])
        answers = await all_at_once(log, appends)
        assert isinstance(answers.pop(7), ValueError)
        assert all(isinstance(answer, list) for answer in answers)

    async def test_two_rivals_for_one_aggregate_never_meet_in_a_batch(self, log: Log):
        addresses = [an_address() for _ in range(MANY)]
        answers = await all_at_once(log, [(address, Position(), [draft()]) for address in (*addresses, *addresses)])
        assert Counter(type(answer) for answer in answers) == {list: MANY, ConflictError: MANY}
        assert [len(await stored(log, address)) for address in addresses] == [1] * MANY

    async def test_a_caller_who_hangs_up_before_it_is_sent_stores_nothing_and_takes_nobody_along(self, log: Log):
        ahead = asyncio.ensure_future(log.append(an_address(), Position(), [draft()]))
        await asyncio.sleep(0)
        addresses = [an_address() for _ in range(MANY)]
        waiting = [asyncio.ensure_future(log.append(address, Position(), [draft()])) for address in addresses]
        await asyncio.sleep(0)
        waiting[7].cancel()
        ahead.cancel()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(answers.pop(7), asyncio.CancelledError)
        assert all(isinstance(answer, list) for answer in answers)
        assert await stored(log, addresses[7]) == []

    async def test_waits_while_others_have_as_many_batches_open_as_a_stream_may_have(self, log: Log, address: Address):
        opened = [
            {"Nats-Batch-Id": str(uuid4()), "Nats-Batch-Sequence": "1", "Nats-Msg-Id": str(uuid4())} for _ in range(50)
        ]
        for headers in opened:
            await log.client.request(an_address().subject, b"", headers=headers)
        appending = asyncio.ensure_future(log.append(address, Position(), [draft(), draft()]))
        refused = await log.client.request(
            an_address().subject, b"", headers={"Nats-Batch-Id": "one more", "Nats-Batch-Sequence": "1"}
        )
        assert b"10210" in refused.data  # which the first message of a batch is told, if it asks for an answer
        commit = {**opened[0], "Nats-Batch-Sequence": "2", "Nats-Batch-Commit": "1", "Nats-Msg-Id": str(uuid4())}
        await log.client.request(an_address().subject, b"", headers=commit)
        assert [recorded.version for recorded in await appending] == [1, 2]


class TestLostAnswers:
    @pytest.mark.parametrize("size", [1, 3])
    async def test_each_looks_itself_up(self, log: Log, monkeypatch: pytest.MonkeyPatch, size: int):
        request = log.client.request

        async def deaf(*args: object, headers: dict[str, str], **options: object) -> object:
            answer = await request(*args, headers=headers, **options)
            if "Nats-Batch-Commit" in headers:
                raise nats.errors.TimeoutError
            return answer

        monkeypatch.setattr(log.client, "request", deaf)
        appends = [(an_address(), Position(), [draft() for _ in range(size)]) for _ in range(MANY)]
        for (address, _, _), answer in zip(appends, await all_at_once(log, appends), strict=True):
            assert await stored(log, address) == answer

    async def test_what_was_not_stored_is_not_said_to_be(self, log: Log, monkeypatch: pytest.MonkeyPatch):
        request = log.client.request

        async def mute(*args: object, headers: dict[str, str] | None = None, **options: object) -> object:
            if "Nats-Batch-Commit" in (headers or {}):
                raise nats.errors.TimeoutError
            return await request(*args, headers=headers, **options)

        appends = [(an_address(), Position(), [draft()]) for _ in range(MANY)]
        await log.append(appends[0][0], Position(), [draft()])
        with monkeypatch.context() as patch:
            patch.setattr(log.client, "request", mute)
            answers = await all_at_once(log, appends)
        assert isinstance(answers[0], ConflictError)
        assert {type(answer) for answer in answers[1:]} == {UnavailableError}
        again = await all_at_once(log, appends)
        assert [len(await stored(log, address)) for address, _, _ in appends] == [1] * MANY
        assert all(isinstance(answer, list) for answer in again[1:])


class TestManyDesks:
    """Two processes whose desks append to the same aggregates, two events a decision."""

    async def test_lose_nothing_to_each_other(self, log: Log, server: Server, rules: Rules):
        async with another_log(server) as other:
            addresses, appends = await began(log), 5
            answers = await raced([Desk(log, rules, nothing), Desk(other, rules, nothing)], addresses, appends)
        assert all(isinstance(answer, Decided) for answer in answers.values())
        await assert_true(log, addresses, answers)
        assert [len(await stored(log, address)) for address in addresses] == [1 + 2 * 2 * appends] * len(addresses)

    @pytest.mark.parametrize("seed", range(3))
    async def test_get_true_answers_though_the_server_is_killed_over_a_batch(
        self, log: Log, server: Server, rules: Rules, monkeypatch: pytest.MonkeyPatch, seed: int
    ):
        monkeypatch.setattr(jetstream, "TIMEOUT", 1.0)
        chance, request, kills = random.Random(seed), log.client.request, [20, 10]  # noqa: S311 - no secret

        def kill() -> None:
            server.kill()
            server.start()

        async def fatal(*args: object, headers: dict[str, str] | None = None, **options: object) -> object:
            if "Nats-Batch-Commit" in (headers or {}) and kills:
                kills[-1] -= 1
                if not kills[-1]:
                    kills.pop()
                    asyncio.get_running_loop().call_later(chance.uniform(0, 0.02), kill)
            return await request(*args, headers=headers, **options)

        addresses = await began(log)
        monkeypatch.setattr(log.client, "request", fatal)
        async with another_log(server) as other:
            answers = await raced([Desk(log, rules, nothing), Desk(other, rules, nothing)], addresses, 20)
        assert not kills
        assert Counter(type(answer) for answer in answers.values())[Decided] > len(answers) / 2
        await assert_true(log, addresses, answers)


async def began(log: Log) -> list[Address]:
    addresses = [an_address() for _ in range(MANY)]
    await all_at_once(log, [(address, Position(), [draft()]) for address in addresses])
    return addresses


async def raced(desks: Sequence[Desk], addresses: Sequence[Address], count: int) -> dict[tuple[Address, str], object]:
    """Append so often from each desk to each aggregate; return by aggregate and cause what came of it."""
    answers: dict[tuple[Address, str], object] = {}

    async def append(desk: Desk, address: Address, who: str) -> None:
        for n in range(count):
            cause = f"{address.id} {who} {n}"
            try:
                answers[address, cause] = await desk.transact(address, [f"{cause}, a", f"{cause}, b"], cause=cause)
            except UnavailableError as error:
                answers[address, cause] = error

    await asyncio.gather(*(append(desk, address, str(n)) for n, desk in enumerate(desks) for address in addresses))
    return answers


async def assert_true(log: Log, addresses: Sequence[Address], answers: Mapping[tuple[Address, str], object]) -> None:
    """Assert that versions are gapless, and each decision stored once if said to be, else once or not at all."""
    for address in addresses:
        events: list[Recorded] = []
        await patiently(partial(_read, log, address, events))
        assert [recorded.version for recorded in events] == list(range(1, len(events) + 1))
        ids = [recorded.id for recorded in events]
        assert len(set(ids)) == len(ids)
        for (of, cause), answer in answers.items():
            if of == address:
                own = [recorded for recorded in events if recorded.id in {event_id(cause, "0"), event_id(cause, "1")}]
                assert own == answer.recorded if isinstance(answer, Decided) else len(own) in {0, 2}


async def _read(log: Log, address: Address, events: list[Recorded]) -> None:
    events[:] = await stored(log, address)


async def nothing(_: Address) -> None:
    """Give no snapshot."""
