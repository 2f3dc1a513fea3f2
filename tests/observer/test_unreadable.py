"""What becomes of messages that cannot be read, of calls without results, and of what operators ask about them."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from craftlog.contracts.envelope import UndecodableError, encode
from craftlog.contracts.events import (
    FlushRequested,
    MessageAppended,
    MessageDropped,
    MessageSkipped,
    MessageTakenUp,
    SessionCreated,
    SessionObserved,
    Spent,
    TaskOpened,
)
from craftlog.contracts.messages import Part, Stored
from craftlog.contracts.questions import ParkedAsked
from craftlog.contracts.readmodels import OBSERVER_DUE
from craftlog.contracts.subjects import Kind
from craftlog.llm.models import AnswerError, QuestionError
from craftlog.observer.asking import UnansweredError
from craftlog.observer.commands import BeginObserving, FinishObserving, OpenTask
from craftlog.observer.decider import INITIAL, decide, evolve
from craftlog.observer.parked import Parked
from craftlog.observer.projection import project, snapshot
from craftlog.observer.reading import Reader
from craftlog.observer.rules import RulesAgent
from craftlog.observer.store import Boards
from craftlog.observer.tab import Tab
from craftlog.runtime.desk import Desk, Rules
from craftlog.runtime.due import Item, failed
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.objects import key_of
from craftlog.runtime.work import SAME_ERROR_IS_POISON, Work
from craftlog.testing.examples import START, fresh
from craftlog.testing.waiting import until

SPENT = Spent(model="m", prompt="0a", calls=1, prompt_tokens=9, cached_tokens=0, completion_tokens=2)
MISSING = "its parts are not in the bucket"


def said(position, *parts, role="user"):
    parts = parts or (Part(type="text", text=f"Please write page {position}"),)
    return MessageAppended(message_id=f"m{position}", position=position, role=role, parts=parts)


def calling(position, *ids):
    return said(position, *(Part(type="tool-call", meta={"id": i, "name": "look"}) for i in ids), role="assistant")


def answering(position, *ids):
    return said(position, *(Part(type="tool-result", text="42", meta={"tool_call_id": one}) for one in ids))


def large(session, position):
    """Return a message whose parts should be in the bucket."""
    stored = Stored(key=key_of(session, f"{position:064}"), sha256=f"{position:064}", size_b=1)
    return MessageAppended(message_id=f"m{position}", position=position, role="user", parts_ref=stored)


async def put(world, message, body):
    await world.objects.put(message.parts_ref.key, body, "application/json")


TEXT = json.dumps([{"type": "text", "text": "Please write the lost page"}]).encode()


async def garble(world, session, kind="MessageAppended.v1"):
    """Append what is no event, and says that it is one of this type; return its stream sequence."""
    headers = {"ce-type": kind} if kind else None
    return (await world.log.client.jetstream().publish(session.subject, b"{not json", headers=headers)).seq


async def go_on(world, session, *events):
    """Append after what cannot be decoded, as somebody who can decode it would."""
    for event in events:
        now = datetime.now(UTC)
        headers, body = encode(session, 1, event, event_id=f"{session.id} {now}", time=now)
        await world.log.client.jetstream().publish(session.subject, body, headers=headers)


def item(session, **data):
    return Item(session.id, session.project, START, START, data)


async def events_of(world, session):
    return [one.event for one in await world.facts(session)]


async def board_of(world, session):
    return snapshot(project(None, await world.facts(session)).head)


async def skipped_in(world, session):
    return {at: skip.reason for at, skip in (await board_of(world, session)).skipped.items()}


class Noting:
    """An engine that opens one task for each message, and has no answer where the test says so."""

    engine = "noting"

    def __init__(self):
        self.batches = []
        self.stumbles_over = set()
        self.mute = False
        self.error = AnswerError("commands: Field required")

    async def observe(self, board, _session, messages):
        positions = [message.position for message in messages]
        if messages[0].message_id:  # else it is only asked whether it has an answer to anything
            self.batches.append(positions)
        if self.mute or (messages[0].message_id and self.stumbles_over.intersection(positions)):
            raise self.error
        tasks = [OpenTask(f"task-{at}", f"Message {at}", self.engine) for at in positions]
        return [BeginObserving(board.through_position), *tasks, FinishObserving(positions[-1], self.engine)]


async def tried(observer, one):
    """Have work done as its pool does, until it is done or the same error came too often."""
    for _ in range(3 * SAME_ERROR_IS_POISON):
        try:
            return await observer.perform(one)
        except UnansweredError as error:
            one = failed(one, one, error.public, START)
    raise AssertionError(f"never done: {one}")


class TestAnEventThatCannotBeDecoded:
    async def test_is_skipped_at_the_position_that_nobody_else_has(self, world):
        session, agent = fresh(Kind.SESSION), Noting()
        await world.append(session, SessionCreated(), said(1), said(2))
        seq = await garble(world, session, kind=None)
        await go_on(world, session, said(4), said(5))
        await world.observer(agent).perform(item(session))
        assert agent.batches == [[1, 2, 4, 5]]
        assert await skipped_in(world, session) == {3: f"stream sequence {seq}: header 'ce-type' is missing"}
        assert (await board_of(world, session)).through_position == 5
        facts = await world.facts(session)
        await world.observer(agent).perform(item(session))
        assert await world.facts(session) == facts

    async def test_is_skipped_at_the_end_where_it_says_that_it_is_a_message(self, world):
        session, agent = fresh(Kind.SESSION), Noting()
        await world.append(session, SessionCreated(), said(1))
        await garble(world, session)
        await world.observer(agent).perform(item(session))
        await go_on(world, session, said(3))
        await world.observer(agent).perform(item(session))
        assert agent.batches == [[1], [3]]
        assert [*await skipped_in(world, session)] == [2]

    @pytest.mark.parametrize("kind", [None, "SessionConfigured.v1"])
    async def test_is_no_message_where_none_is_missing(self, world, kind):
        session, agent = fresh(Kind.SESSION), Noting()
        await world.append(session, SessionCreated(), said(1))
        await garble(world, session, kind)
        await world.observer(agent).perform(item(session))
        await garble(world, session)
        await garble(world, session, kind)
        await go_on(world, session, said(3))
        await world.observer(agent).perform(item(session))
        assert agent.batches == [[1], [3]]
        assert [*await skipped_in(world, session)] == [2]

    async def test_is_found_where_the_mark_is_behind_it(self, world):
        session, agent = fresh(Kind.SESSION), Noting()
        await world.append(session, SessionCreated(), said(1))
        await world.observer(agent).perform(item(session))
        seq = await garble(world, session)
        await go_on(world, session, said(3), FlushRequested(through_position=3))
        await world.observer(agent).perform(item(session, seq=seq))
        assert agent.batches == [[1], [3]]
        assert [*await skipped_in(world, session)] == [2]

    async def test_of_a_type_that_is_not_known_here_is_one(self, world):
        session, agent = fresh(Kind.SESSION), Noting()
        await world.append(session, SessionCreated(), said(1))
        headers, body = encode(session, 3, said(2), event_id="e", time=START)
        headers["ce-type"] = "MessageAppended.v2"
        await world.log.client.jetstream().publish(session.subject, body, headers=headers)
        await world.observer(agent).perform(item(session))
        assert "MessageAppended.v2 is not known" in (await skipped_in(world, session))[2]
        answer = await operators(world, agent).answer(asked(session, "retry", 2))
        assert "MessageAppended.v2 is not known" in (answer.reason or "")

    async def test_that_says_whether_to_observe_stops_the_whole_session(self, world):
        session, agent = fresh(Kind.SESSION), Noting()
        await garble(world, session, "SessionCreated.v1")
        await go_on(world, session, said(1))
        with pytest.raises(UndecodableError):
            await world.observer(agent).perform(item(session))
        assert await world.facts(session) == []

    async def test_gives_the_rules_the_same_board_however_it_was_cut(self, world):
        one, other = fresh(Kind.SESSION), fresh(Kind.SESSION)
        boards = []
        for session, each in ((one, True), (other, False)):
            await world.append(session, SessionCreated())
            for position in range(1, 8):
                await (garble(world, session) if position == 4 else go_on(world, session, said(position)))
                if each:
                    await world.observer(RulesAgent()).perform(item(session))
            await world.observer(RulesAgent()).perform(item(session))
            board = await board_of(world, session)
            boards.append([(task.description, task.status, task.positions) for task in board.tasks.values()])
        assert boards[0] == boards[1]


class TestPartsThatAreNot:
    @pytest.mark.parametrize(
        ("body", "reason"),
        [(None, MISSING), (b"\0\0\0", "what the bucket has in the place of its parts cannot be read")],
        ids=["missing", "corrupt"],
    )
    async def test_cost_one_message_of_many(self, world, body, reason):
        session, agent = fresh(Kind.SESSION), Noting()
        lost = large(session, 2)
        if body:
            await put(world, lost, body)
        await world.append(session, SessionCreated(), said(1), lost, said(3))
        await world.observer(agent).perform(item(session))
        assert agent.batches == [[1, 3]]
        assert await skipped_in(world, session) == {2: reason}
        observed = [event for event in await events_of(world, session) if isinstance(event, SessionObserved)]
        assert [event.through_position for event in observed] == [3]

    async def test_wait_where_nobody_knows_whether_they_are(self, world, monkeypatch):
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(), large(session, 1))

        async def away(_):
            raise UnavailableError("S3 cannot be reached")

        monkeypatch.setattr(world.objects, "get", away)
        with pytest.raises(UnavailableError):
            await world.observer(Noting()).perform(item(session))
        assert await world.facts(session) == []


class TestAMessageWithoutAnAnswer:
    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (AnswerError("commands: Field required"), "to it: commands: Field required"),
            (
                QuestionError("sk-1234 may not ask this"),
                "to it: its endpoint refuses the question, or does not answer it",
            ),
        ],
    )
    async def test_is_skipped_once_it_was_asked_for_alone_often_enough(self, world, error, reason):
        session, agent = fresh(Kind.SESSION), Noting()
        agent.stumbles_over, agent.error = {3}, error
        await world.append(session, SessionCreated(), *map(said, range(1, 6)))
        assert await tried(world.observer(agent), item(session)) is None
        assert agent.batches.count([3]) == SAME_ERROR_IS_POISON
        assert (await skipped_in(world, session))[3].endswith(reason)
        assert [*(await board_of(world, session)).tasks] == [f"task-{at}" for at in (1, 2, 4, 5)]

    async def test_is_asked_for_at_once_alone_where_it_was_before(self, world):
        session, agent = fresh(Kind.SESSION), Noting()
        agent.stumbles_over = {1}
        await world.append(session, SessionCreated(), *map(said, range(1, 17)))
        await tried(world.observer(agent), item(session))
        assert len(agent.batches) == 5 + (SAME_ERROR_IS_POISON - 1) + 1

    async def test_is_not_skipped_where_the_model_has_no_answer_to_anything(self, world):
        session, agent = fresh(Kind.SESSION), Noting()
        agent.mute = True
        await world.append(session, SessionCreated(), said(1), said(2))
        with pytest.raises(UnavailableError, match="to anything"):
            await tried(world.observer(agent), item(session))
        assert await world.facts(session) == []


class TestCallsWithoutResults:
    async def test_are_kept_back_until_their_results_come(self, world):
        session, agent = fresh(Kind.SESSION), Noting()
        observer = world.observer(agent)
        await world.append(session, SessionCreated(), said(1), calling(2, "a", "b"), answering(3, "a"))
        left = await observer.perform(item(session))
        assert agent.batches == [[1]]
        assert left.due_at == left.since + timedelta(minutes=1)
        assert left.data["position"] == 2
        await world.append(session, answering(4, "b"))
        assert await observer.perform(left) is None
        assert agent.batches == [[1], [2, 3, 4]]

    async def test_are_not_kept_back_from_whoever_waits(self, world):
        session, agent = fresh(Kind.SESSION), Noting()
        await world.append(session, SessionCreated(), said(1), calling(2, "a"), FlushRequested(through_position=2))
        assert await world.observer(agent).perform(item(session)) is None
        await world.append(session, calling(3, "b"))
        left = await world.observer(agent).perform(item(session))
        assert agent.batches == [[1, 2]]
        assert left.data["position"] == 3

    async def test_are_not_kept_back_for_ever(self, world):
        session, agent = fresh(Kind.SESSION), Noting()
        await world.append(session, SessionCreated(), said(1), calling(2, "a"), ago=timedelta(minutes=2))
        await world.append(session, calling(3, "b"))
        left = await world.observer(agent).perform(item(session))
        assert agent.batches == [[1, 2]]
        assert left.data["position"] == 3

    async def test_stay_with_their_results_where_a_batch_ends(self, world):
        session, agent = fresh(Kind.SESSION), Noting()
        talk = [said(at) for at in range(1, 16)] + [calling(16, "a"), answering(17, "a"), said(18)]
        await world.append(session, SessionCreated(), *talk)
        await world.observer(agent).perform(item(session))
        assert agent.batches == [[*range(1, 16)], [16, 17, 18]]

    async def test_end_a_batch_where_there_are_too_many(self, world):
        session, agent = fresh(Kind.SESSION), Noting()
        ids = [f"c{number}" for number in range(100)]
        results = [answering(at, one) for at, one in enumerate(ids, start=2)]
        await world.append(session, SessionCreated(), calling(1, *ids), *results)
        left = await world.observer(agent).perform(item(session))
        await world.observer(agent).perform(left)
        assert (await board_of(world, session)).through_position == 101
        assert max(map(len, agent.batches)) <= 64

    async def test_are_observed_with_their_results_by_the_service(self, world, observing):
        session = fresh(Kind.SESSION)
        async with observing(observe_age=3600.0):
            await world.append(session, SessionCreated(), said(1), calling(2, "a"))
            await until(lambda: world.board(session, through_position=1))
            [due] = await until(lambda: world.database[OBSERVER_DUE].find({"_id": session.id, "tries": 0}).to_list())
            assert due["due_at"] > datetime.now(UTC) + timedelta(minutes=30)
            await world.append(session, answering(3, "a"))
            await until(lambda: world.board(session, through_position=3))
        ends = [
            event.through_position for event in await events_of(world, session) if isinstance(event, SessionObserved)
        ]
        assert ends == [1, 3]


def operators(world, agent, work=None, tab=None):
    desk = Desk(world.log, Rules(INITIAL, decide, evolve), Boards(world.database).snapshot)
    return Parked(work, desk, Reader(world.log, world.objects), agent, tab or Tab())


def asked(session, wanted, position=None):
    return ParkedAsked(project=session.project, session_id=session.id, position=position, wanted=wanted)


async def one_lost(world, agent):
    """Append three messages, the second of which has no parts, and have them observed; return that."""
    session = fresh(Kind.SESSION)
    lost = large(session, 2)
    await world.append(session, SessionCreated(), said(1), lost, said(3))
    await world.observer(agent).perform(item(session))
    return session, lost


class TestRetry:
    async def test_takes_up_what_can_be_read_now_once(self, world):
        agent = Noting()
        session, lost = await one_lost(world, agent)
        await put(world, lost, TEXT)
        ask = asked(session, "retry", 2)
        answers = await asyncio.gather(*(operators(world, agent).answer(ask) for _ in range(4)))
        assert any(one.found for one in answers)
        assert {one.reason for one in answers} == {None}
        assert not (await operators(world, agent).answer(ask)).found
        events = await events_of(world, session)
        assert [type(event) for event in events[-2:]] == [MessageTakenUp, TaskOpened]
        assert [type(event) for event in events].count(MessageTakenUp) == 1
        board = await board_of(world, session)
        assert [*board.tasks] == ["task-1", "task-3", "task-2"]
        assert (board.skipped, board.through_position) == ({}, 3)
        assert sum(used.messages for used in board.usage.values()) == 3

    async def test_leaves_parked_what_still_cannot_be_read_and_says_why(self, world):
        agent = Noting()
        session, lost = await one_lost(world, agent)
        ask = asked(session, "retry", 2)
        facts = await world.facts(session)
        answer = await operators(world, agent).answer(ask)
        assert (answer.found, answer.reason) == (True, MISSING)
        assert await world.facts(session) == facts
        await put(world, lost, b"nothing")
        assert "cannot be read" in (await operators(world, agent).answer(ask)).reason
        assert "cannot be read" in (await skipped_in(world, session))[2]
        await put(world, lost, TEXT)
        agent.stumbles_over = {2}
        assert "no usable answer" in (await operators(world, agent).answer(ask)).reason
        agent.stumbles_over = set()
        assert (await operators(world, agent).answer(ask)).reason is None

    async def test_says_what_it_took_in_vain_and_how_it_went_in_the_end(self, world):
        agent, tab = Noting(), Tab()
        session, lost = await one_lost(world, agent)
        await put(world, lost, TEXT)
        ask = asked(session, "retry", 2)
        agent.stumbles_over = {2}
        for _ in range(2):
            tab.put(session.id, SPENT)
            assert "no usable answer" in (await operators(world, agent, tab=tab).answer(ask)).reason
        agent.stumbles_over = set()
        tab.put(session.id, SPENT)
        assert (await operators(world, agent, tab=tab).answer(ask)).reason is None
        events = await events_of(world, session)
        said = [event.spent.calls for event in events if getattr(event, "spent", None)]
        assert said == [0, 1, 1, 1]
        [used] = (await board_of(world, session)).usage.values()
        assert (used.observations, used.messages, used.calls) == (2, 3, 3)

    async def test_of_an_event_finds_it_where_it_is(self, world):
        session, agent = fresh(Kind.SESSION), Noting()
        await world.append(session, SessionCreated(), said(1))
        seq = await garble(world, session)
        await go_on(world, session, said(3))
        await world.observer(agent).perform(item(session))
        answer = await operators(world, agent).answer(asked(session, "retry", 2))
        assert answer.reason == f"stream sequence {seq}: header 'ce-sequence' is missing"

    async def test_changes_nothing_for_the_rules_but_this_message(self, world):
        session = fresh(Kind.SESSION)
        lost = large(session, 2)
        await world.append(session, SessionCreated(), said(1), lost, said(3), said(4, role="assistant"))
        await world.observer(RulesAgent()).perform(item(session))
        before = await board_of(world, session)
        await put(world, lost, TEXT)
        assert (await operators(world, RulesAgent()).answer(asked(session, "retry", 2))).found
        after = await board_of(world, session)
        assert (after.memory, after.through_position) == (before.memory, 4)
        assert after.skipped == {}

    async def test_waits_for_a_bucket_that_is_away(self, world, monkeypatch):
        agent = Noting()
        session, _ = await one_lost(world, agent)

        async def away(_):
            raise UnavailableError("S3 cannot be reached", "at 10.0.0.1")

        monkeypatch.setattr(world.objects, "get", away)
        answer = await operators(world, agent).answer(asked(session, "retry", 2))
        assert answer.unavailable == "S3 cannot be reached"

    @pytest.mark.parametrize("wanted", ["retry", "drop"])
    async def test_finds_nothing_of_others(self, world, wanted):
        agent = Noting()
        session, _ = await one_lost(world, agent)
        stranger = ParkedAsked(project=fresh(Kind.SESSION).id, session_id=session.id, position=2, wanted=wanted)
        assert not (await operators(world, agent).answer(stranger)).found
        assert not (await operators(world, agent).answer(asked(session, wanted, 1))).found
        assert not (await operators(world, agent).answer(asked(session, wanted, 9))).found
        assert [*await skipped_in(world, session)] == [2]


class TestDrop:
    async def test_gives_a_message_up(self, world):
        agent = Noting()
        session, lost = await one_lost(world, agent)
        assert (await operators(world, agent).answer(asked(session, "drop", 2))).found
        await put(world, lost, TEXT)
        assert not (await operators(world, agent).answer(asked(session, "retry", 2))).found
        events = await events_of(world, session)
        assert isinstance(events[-1], MessageDropped)
        assert [type(event) for event in events].count(MessageSkipped) == 1


class TestASessionAsAWhole:
    async def test_is_parked_retried_and_dropped(self, world, monkeypatch, observing):
        monkeypatch.setattr("craftlog.runtime.due._DELAYS", (0.01,))
        session = fresh(Kind.SESSION)
        await garble(world, session, "SessionCreated.v1")
        async with observing() as parts:
            [work], answer = parts.works, parts.answers["parked"]
            await until(lambda: stalled(work))
            assert "SessionCreated" not in work.stalled[session.id].reason
            assert "header 'ce-sequence' is missing" in work.stalled[session.id].reason
        async with observing() as parts:
            [work], answer = parts.works, parts.answers["parked"]
            assert session.id in work.stalled
            assert (await answer(asked(session, "retry"))).found
            await until(lambda: stalled(work))
            assert not (await answer(ParkedAsked(project=session.id, session_id=session.id, wanted="drop"))).found
            assert (await answer(asked(session, "drop"))).found
            assert not work.stalled
            assert not (await answer(asked(session, "drop"))).found
            assert await world.database[OBSERVER_DUE].count_documents({}) == 0


async def stalled(work: Work) -> bool:
    return bool(work.stalled)
