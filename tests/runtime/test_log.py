"""The log on a real nats-server: what is stored, what is refused, and what a lost answer means."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from craftlog.contracts.envelope import UndecodableError
from craftlog.contracts.events import FlushRequested, SessionCreated, SessionDeleted
from craftlog.contracts.subjects import STREAM, Address, Kind
from craftlog.runtime.errors import ConflictError, UnavailableError
from craftlog.runtime.log import Draft, Log, Position, patiently
from craftlog.testing.examples import PROJECT
from craftlog.testing.servers import Server

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def draft(event=None, event_id=None):
    return Draft(event_id or str(uuid4()), event or SessionCreated(), NOW)


async def stored(log, address):
    return [recorded async for recorded in log.read(address)]


class TestPrepare:
    async def test_declares_a_stream_that_never_throws_anything_away(self, log: Log):
        config = (await log.jetstream.stream_info(STREAM)).config
        assert (config.max_age, config.max_msgs, config.max_bytes) == (0, -1, -1)
        assert config.allow_atomic
        assert config.allow_direct
        assert not config.allow_rollup_hdrs

    async def test_may_be_repeated(self, log: Log, address: Address):
        await log.append(address, Position(), [draft()])
        await log.prepare()
        assert len(await stored(log, address)) == 1


class TestAppend:
    async def test_stores_all_events_of_a_decision_in_consecutive_versions(self, log: Log, address: Address):
        appended = await log.append(address, Position(), [draft(), draft(FlushRequested(through_position=0)), draft()])
        assert [recorded.version for recorded in appended] == [1, 2, 3]
        assert await stored(log, address) == appended

    @pytest.mark.parametrize("size", [1, 3])
    async def test_is_refused_when_the_aggregate_has_moved_on(self, log: Log, address: Address, size: int):
        await log.append(address, Position(), [draft()])
        with pytest.raises(ConflictError):
            await log.append(address, Position(), [draft() for _ in range(size)])
        assert len(await stored(log, address)) == 1

    @pytest.mark.parametrize("size", [1, 3])
    async def test_a_repeat_whose_answer_was_lost_is_a_success(self, log: Log, address: Address, size: int):
        drafts = [draft() for _ in range(size)]
        first = await log.append(address, Position(), drafts)
        assert await log.append(address, Position(), drafts) == first
        assert len(await stored(log, address)) == size

    async def test_a_repeat_that_goes_with_more_than_was_stored_is_not_said_to_be_stored(
        self, log: Log, address: Address
    ):
        late = draft()
        await log.append(address, Position(), [late])
        for more in ([late, draft()], [late, draft(), draft()]):
            with pytest.raises(ConflictError):
                await log.append(address, Position(), more)
        assert [recorded.id for recorded in await stored(log, address)] == [late.id]

    @pytest.mark.parametrize("size", [1, 2])
    async def test_a_rival_with_the_same_ids_and_other_words_is_not_taken_for_a_repeat(
        self, log: Log, address: Address, size: int
    ):
        ids = [str(uuid4()) for _ in range(3)]
        appended = await log.append(address, Position(), [draft(event_id=one) for one in ids])
        for other in (FlushRequested(through_position=0), SessionCreated(configs={"said": "otherwise"})):
            with pytest.raises(ConflictError):
                await log.append(address, Position(), [draft(other, one) for one in ids[:size]])
        assert await stored(log, address) == appended

    async def test_a_repeat_is_recognised_after_the_servers_memory_of_message_ids_is_gone(
        self, log: Log, address: Address
    ):
        once = draft()
        first = await log.append(address, Position(), [once])
        config = (await log.jetstream.stream_info(STREAM)).config
        config.duplicate_window = 0.1
        await log.jetstream.update_stream(config)
        other = Address(Kind.SESSION, PROJECT, str(uuid4()))
        for _ in range(50):
            await log.append(other, (await position_of(log, other)), [draft()])
        assert await log.append(address, Position(), [once]) == first

    async def test_an_event_that_is_stored_already_is_not_said_to_be_stored_again(self, log: Log, address: Address):
        once = draft()
        appended = await log.append(address, Position(), [once])
        with pytest.raises(ConflictError):
            await log.append(address, Position(1, appended[0].seq), [once])

    async def test_a_batch_cut_in_two_by_a_broken_connection_begins_anew(
        self, log: Log, address: Address, monkeypatch: pytest.MonkeyPatch
    ):
        send, cut = log.client._send_command, []

        async def broken(command: bytes) -> None:
            if b"Nats-Batch-Id" in command and not cut:
                cut.append(command)
            else:
                await send(command)

        monkeypatch.setattr(log.client, "_send_command", broken)
        appended = await log.append(address, Position(), [draft(), draft()])
        assert cut
        assert await stored(log, address) == appended

    async def test_refuses_more_events_than_a_batch_can_hold(self, log: Log, address: Address):
        with pytest.raises(ValueError, match="at most 1000"):
            await log.append(address, Position(), [draft() for _ in range(1001)])

    async def test_says_that_the_log_is_unavailable_when_it_is(self, log: Log, address: Address, server: Server):
        server.kill()
        with pytest.raises(UnavailableError):
            await log.append(address, Position(), [draft()])

    async def test_survives_a_kill_of_the_server(self, log: Log, address: Address, server: Server):
        await log.append(address, Position(), [draft()])
        server.kill()
        server.start()
        found = []

        async def look():
            found[:] = await stored(log, address)

        async with asyncio.timeout(30):
            await patiently(look)
        assert len(found) == 1


class TestRead:
    async def test_yields_only_what_follows(self, log: Log, address: Address):
        appended = await log.append(address, Position(), [draft() for _ in range(700)])
        assert [one async for one in log.read(address, appended[599].seq)] == appended[600:]

    async def test_says_which_stored_message_is_not_an_event(self, log: Log, address: Address):
        await log.client.jetstream().publish(address.subject, b"not an event")
        with pytest.raises(UndecodableError, match="sequence 1"):
            await stored(log, address)

    async def test_last_is_the_newest_event_or_none(self, log: Log, address: Address):
        assert await log.last(address) is None
        appended = await log.append(address, Position(), [draft(), draft()])
        assert await log.last(address) == appended[-1]


class TestErase:
    async def test_leaves_the_tombstone_and_no_byte_of_the_rest(self, log: Log, address: Address, tmp_path: Path):
        word = "the-word-that-must-go"
        created = SessionCreated(configs={"note": word})
        await log.append(address, Position(), [draft(created), draft(), draft(SessionDeleted())])
        assert is_on_disk(tmp_path, word)
        assert await log.erase(address, keep=lambda recorded: recorded is not None and recorded.is_tombstone) == 2
        assert [recorded.version for recorded in await stored(log, address)] == [3]
        assert not is_on_disk(tmp_path, word)

    async def test_may_be_repeated_and_erases_what_cannot_be_decoded(self, log: Log, address: Address):
        await log.client.jetstream().publish(address.subject, b"not an event")
        assert await log.erase(address, keep=lambda _: False) == 1
        assert await log.erase(address, keep=lambda _: False) == 0


async def position_of(log: Log, address: Address) -> Position:
    last = await log.last(address)
    return Position(last.version, last.seq) if last else Position()


def is_on_disk(folder: Path, word: str) -> bool:
    return any(word.encode() in file.read_bytes() for file in folder.rglob("*") if file.is_file())
