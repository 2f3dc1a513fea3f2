"""When a session is due, and what becomes of it when several things happen at once."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest

from craftlog.contracts.envelope import event_id
from craftlog.contracts.events import (
    BoardDeleted,
    FlushRequested,
    MessageAppended,
    SessionConfigured,
    SessionCreated,
    SessionDeleted,
    SessionObserved,
    Spent,
    Used,
)
from craftlog.contracts.messages import Message, Part, Stored
from craftlog.contracts.subjects import Kind
from craftlog.observer.decider import INITIAL, decide, evolve
from craftlog.observer.handlers import Listener
from craftlog.observer.projection import project, snapshot
from craftlog.observer.rules import RulesAgent, read
from craftlog.observer.settings import Patience, observing_of
from craftlog.observer.tab import Tab
from craftlog.runtime.due import Item
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.objects import key_of
from craftlog.testing.examples import SESSION, START, TENANT, fresh, recorded
from craftlog.testing.waiting import until

IDLE, AGE = timedelta(seconds=4), timedelta(seconds=60)
KEY = SESSION.id


class Diary:
    """What is due, in memory."""

    def __init__(self):
        self.items = {}
        self.forgotten = []

    def get(self, key):
        return self.items.get(key)

    async def mark(self, items):
        self.items |= {item.key: item for item in items}

    async def forget(self, keys):
        self.forgotten += keys
        for key in keys:
            self.items.pop(key, None)


class Own:
    """What projects and sessions have set, in memory."""

    def __init__(self):
        self.settings = {}
        self.looked_for = []

    async def of(self, ids):
        self.looked_for.append(set(ids))
        return {one: self.settings[one] for one in ids if one in self.settings}

    async def note(self, configured, _known):
        return {"observing": observing_of(configured)} if observing_of(configured) else None

    async def forget(self, session_ids):
        for one in session_ids:
            del self.settings[one]


def said(position, seconds=0):
    """Return a message that was appended so many seconds after START; versions begin after SessionCreated."""
    event = MessageAppended(message_id=f"m{position}", position=position, role="user")
    return replace(recorded(SESSION, position + 1, event, seq=100 + position), time=START + timedelta(seconds=seconds))


def happened(event, seq=200):
    return recorded(SESSION, 9, event, seq=seq)


class Listening:
    """A listener whose clock and hands the test moves."""

    def __init__(self):
        self.now = START
        self.diary = Diary()
        self.own = Own()
        self.in_hand = False
        self._listener = Listener(
            self.diary, Patience(16, IDLE, AGE), self.own, in_hand=lambda _: self.in_hand, clock=lambda: self.now
        )

    def set(self, address, **observing):
        self.own.settings[address.id] = {"observing": observing}
        return self

    async def hear(self, *events, at=0):
        self.now = START + timedelta(seconds=at)
        await self._listener.on_session(events)
        return self.due

    async def stumble(self, subject=SESSION.subject):
        await self._listener.on_undecodable(subject, 300, "no JSON")

    @property
    def due(self):
        """Seconds after START at which the session is due."""
        return (self.diary.items[KEY].due_at - START).total_seconds() if KEY in self.diary.items else None


class TestDue:
    async def test_is_a_session_when_it_falls_silent(self):
        listening = Listening()
        assert await listening.hear(said(1)) == 4
        assert await listening.hear(said(2, seconds=3), at=3) == 7

    async def test_is_a_session_at_the_latest_a_minute_after_its_first_unread_message(self):
        listening = Listening()
        for second in range(0, 58, 3):
            await listening.hear(said(1, seconds=second), at=second)
        assert await listening.hear(said(2, seconds=59), at=59) == 60

    async def test_is_a_session_at_once_with_a_full_buffer(self):
        listening = Listening()
        assert await listening.hear(*map(said, range(1, 16))) == 4
        assert await listening.hear(said(16), at=1) == 1

    async def test_is_a_session_at_once_when_somebody_waits(self):
        listening = Listening()
        await listening.hear(said(1))
        assert await listening.hear(happened(FlushRequested(through_position=1)), at=1) == 1
        assert await Listening().hear(happened(FlushRequested(through_position=1)), at=1) == 1

    async def test_is_not_put_off_by_messages_that_come_while_it_waits_for_its_turn(self):
        listening = Listening()
        await listening.hear(said(1), happened(FlushRequested(through_position=1)))
        assert await listening.hear(said(2, seconds=1), at=1) == 0

    async def test_is_not_put_off_by_messages_that_come_after_an_error(self):
        listening = Listening()
        await listening.hear(said(1))
        listening.diary.items[KEY] = replace(listening.diary.items[KEY], due_at=START + 9 * IDLE, error="down", tries=3)
        await listening.hear(said(2), at=1)
        assert listening.diary.items[KEY].tries == 3
        assert await listening.hear(happened(FlushRequested(through_position=2)), at=2) == 2

    async def test_begins_anew_for_messages_that_come_while_it_is_observed(self):
        listening = Listening()
        await listening.hear(said(1), happened(FlushRequested(through_position=1)))
        listening.in_hand = True
        assert await listening.hear(said(2, seconds=1), at=1) == 5
        assert await listening.hear(*(said(position, seconds=1) for position in range(3, 17)), at=1) == 5
        assert await listening.hear(said(17, seconds=2), at=2) == 2
        assert listening.diary.items[KEY].data["seq"] == 100

    async def test_is_what_was_written_long_ago_at_once(self):
        assert await Listening().hear(said(1), at=3600) <= 3600

    async def test_is_a_deleted_session_whatever_stood_in_the_way(self):
        listening = Listening()
        await listening.hear(said(1))
        assert await listening.hear(said(2), happened(SessionDeleted()), at=1) == 1
        assert listening.diary.forgotten == [KEY]
        assert listening.diary.items[KEY].data == {"deleted": True}

    async def test_is_nothing_else(self):
        assert await Listening().hear(happened(SessionCreated())) is None

    async def test_is_a_session_with_an_event_that_is_none(self):
        listening = Listening()
        await listening.stumble()
        assert listening.due == 0

    async def test_is_nothing_where_somebody_else_wrote_beside_our_subjects(self):
        listening = Listening()
        await listening.stumble("craftlog.v1.session.0.nobody.nothing")
        assert not listening.diary.items


class TestOwnSettings:
    """Each threshold, set for the deployment (16, 4 s, 60 s), a project or a session."""

    @pytest.mark.parametrize("owner", [TENANT, SESSION], ids=["project", "session"])
    async def test_say_how_many_messages_are_waited_for(self, owner):
        listening = Listening().set(owner, messages=2)
        assert await listening.hear(said(1)) == 4
        assert await listening.hear(said(2), at=1) == 1

    @pytest.mark.parametrize("owner", [TENANT, SESSION], ids=["project", "session"])
    async def test_say_how_long_silence_is(self, owner):
        listening = Listening().set(owner, idle=1.5)
        assert await listening.hear(said(1)) == 1.5
        assert await listening.hear(said(2, seconds=1), at=1) == 2.5

    @pytest.mark.parametrize("owner", [TENANT, SESSION], ids=["project", "session"])
    async def test_say_what_is_the_latest(self, owner):
        listening = Listening().set(owner, age=6)
        assert await listening.hear(said(1)) == 4
        assert await listening.hear(said(2, seconds=3), at=3) == 6

    async def test_of_a_session_come_before_those_of_its_project_one_by_one(self):
        listening = Listening().set(TENANT, messages=2, idle=1, age=2).set(SESSION, messages=3, idle=5)
        assert await listening.hear(said(1)) == 2
        assert await listening.hear(said(2, seconds=1), at=1) == 2
        assert await listening.hear(said(3, seconds=1), at=1) == 1

    @pytest.mark.parametrize("observing", [{"idle": 0}, {"age": 0}, {"messages": 1}])
    async def test_of_no_patience_make_a_session_due_at_once(self, observing):
        assert await Listening().set(SESSION, **observing).hear(said(1), at=1) <= 1

    async def test_of_much_patience_wait_for_more_than_the_deployment_would(self):
        listening = Listening().set(TENANT, messages=100, idle=600, age=3600)
        assert await listening.hear(*map(said, range(1, 100))) == 600
        assert await listening.hear(said(100), at=1) == 1

    async def test_hold_from_the_message_after_them_on(self):
        configured = happened(SessionConfigured(configs={"observing": {"idle": 1}}))
        listening = Listening()
        assert await listening.hear(said(1), configured) == 4
        assert await Listening().hear(said(1), configured, said(2)) == 1

    async def test_that_were_taken_away_hold_no_more(self):
        listening = Listening().set(SESSION, idle=1)
        assert await listening.hear(said(1), happened(SessionConfigured(configs={})), said(2)) == 4

    async def test_of_other_sessions_and_projects_mean_nothing(self):
        listening = Listening().set(fresh(Kind.SESSION), idle=1).set(fresh(Kind.PROJECT), idle=1)
        assert await listening.hear(said(1)) == 4

    async def test_are_looked_up_once_a_batch_where_they_matter(self):
        listening = Listening()
        other = fresh(Kind.SESSION)
        await listening.hear(
            said(1), said(2), recorded(other, 1, SessionCreated(configs={"a": 1})), recorded(other, 2, SessionDeleted())
        )
        await listening.hear(recorded(other, 1, SessionCreated()), happened(FlushRequested(through_position=2)))
        assert listening.own.looked_for == [{KEY, SESSION.project, other.id}]

    async def test_go_with_their_session(self):
        listening = Listening().set(SESSION, idle=1)
        await listening.hear(said(1), happened(SessionDeleted()))
        assert listening.own.settings == {}


def conversation(*texts):
    """Return messages of user and agent in turns."""
    roles = ["user", "assistant"] * len(texts)
    return [
        MessageAppended(message_id=f"m{at}", position=at, role=roles[at - 1], parts=(Part(type="text", text=text),))
        for at, text in enumerate(texts, start=1)
    ]


TALK = conversation("Please fix the failing test", "It passes now.", "Great. Now write a changelog", "It is written.")


def item(session, **data):
    return Item(session.id, session.project, START, START, data)


def board_of(talk, session):
    """Return the board that observing all messages at once leads to."""
    heard = [Message(**dict(event)) for event in talk]
    events = []
    state = INITIAL
    for command in read(state, session.id, heard):
        new = decide(state, command)
        state = reduce(evolve, new, state)
        events += new
    return state


async def state_in_log(world, session):
    # What it took counts to the day on which a test runs.
    return replace(snapshot(project(None, await world.facts(session)).head), usage={})


class TestPerform:
    async def test_observes_what_is_new_and_is_quiet_when_nothing_is(self, world):
        session = fresh(Kind.SESSION)
        observer = world.observer(RulesAgent())
        await world.append(session, SessionCreated(), *TALK[:2])
        await observer.perform(item(session))
        await world.append(session, *TALK[2:])
        last = await world.log.last(session)
        await observer.perform(item(session, seq=last.seq - 2))
        assert await state_in_log(world, session) == board_of(TALK, session)
        facts = await world.facts(session)
        await observer.perform(item(session))
        await world.observer(RulesAgent()).perform(item(session))
        assert await world.facts(session) == facts

    async def test_reads_from_the_beginning_where_its_mark_leaves_messages_out(self, world):
        session = fresh(Kind.SESSION)
        observer = world.observer(RulesAgent())
        await world.append(session, SessionCreated(), *TALK[:1])
        await observer.perform(item(session))
        await world.append(session, *TALK[1:])
        last = await world.log.last(session)
        await observer.perform(item(session, seq=last.seq - 1))
        assert (await state_in_log(world, session)).through_position == 4

    async def test_reads_from_the_beginning_where_a_flush_says_that_there_is_more(self, world):
        session = fresh(Kind.SESSION)
        observer = world.observer(RulesAgent())
        await world.append(session, SessionCreated(), *TALK[:1])
        await observer.perform(item(session))
        await world.append(session, *TALK[1:], FlushRequested(through_position=4))
        last = await world.log.last(session)
        await observer.perform(item(session, seq=last.seq - 1))
        assert (await state_in_log(world, session)).through_position == 4

    async def test_gives_the_same_board_in_many_observations(self, world):
        session = fresh(Kind.SESSION)
        talk = conversation(*["Please write another page", "It is written."] * 25)
        await world.append(session, SessionCreated(), *talk)
        await world.observer(RulesAgent()).perform(item(session))
        observed = [one.event.through_position for one in await world.facts(session) if is_observed(one)]
        assert observed == [16, 32, 48, 50]
        assert await state_in_log(world, session) == board_of(talk, session)

    async def test_lets_others_have_a_turn_before_it_has_read_all_of_a_long_session(self, world):
        session, observer = fresh(Kind.SESSION), world.observer(RulesAgent())
        talk = conversation(*["Please write another page", "It is written."] * 40)
        await world.append(session, SessionCreated(), *talk)
        left = await observer.perform(item(session))
        assert (await state_in_log(world, session)).through_position == 64
        assert left.due_at <= datetime.now(UTC)
        assert await observer.perform(left) is None
        assert await state_in_log(world, session) == board_of(talk, session)

    async def test_never_observes_a_session_that_asked_not_to_be(self, world):
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(disable_task_tracking=True), *TALK)
        last = await world.log.last(session)
        await world.observer(RulesAgent()).perform(item(session, seq=last.seq - 1))
        assert await world.facts(session) == []

    async def test_reads_large_messages_from_the_bucket(self, world):
        session = fresh(Kind.SESSION)
        body = json.dumps([{"type": "text", "text": "Please count the words of this: " + "word " * 60_000}]).encode()
        stored = Stored(key=key_of(session, "0" * 64), sha256="0" * 64, size_b=len(body))
        await world.objects.put(stored.key, body, "application/json")
        large = MessageAppended(message_id="m1", position=1, role="user", parts_ref=stored)
        await world.append(session, SessionCreated(), large, TALK[1])
        await world.observer(RulesAgent()).perform(item(session))
        [task] = (await state_in_log(world, session)).tasks.values()
        assert task.description.startswith("Please count the words of this: word word")

    async def test_cuts_an_observation_that_one_decision_cannot_hold(self, world):
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(), *conversation(*["Please write a page", "Written."] * 4))
        await world.observer(Verbose(300)).perform(item(session))
        observed = [one.event.through_position for one in await world.facts(session) if is_observed(one)]
        assert len(observed) > 1
        assert observed[-1] == 8

    async def test_can_hold_what_the_busiest_agent_did(self, world):
        session = fresh(Kind.SESSION)
        calls = tuple(
            Part(type="tool-call", meta={"id": f"c{n}", "name": f"write_{n}", "arguments": "{}"}) for n in range(60)
        )
        plan = "My plan:\n" + "\n".join(f"{n}. Write {n} pages" for n in range(1, 21))
        busy = [
            event.model_copy(update={"parts": (*event.parts, *calls)}) if event.role == "assistant" else event
            for event in conversation(*["Please write them all", plan] * 16)
        ]
        # The calls of the last message have no results, which somebody who waits does not wait for.
        await world.append(session, SessionCreated(), *busy, FlushRequested(through_position=32))
        await world.observer(RulesAgent()).perform(item(session))
        assert await state_in_log(world, session) == board_of(busy, session)


class Verbose:
    """Says so much of each message that sixteen are too many for one decision."""

    def __init__(self, commands):
        self.engine = "rules"
        self._commands = commands

    async def observe(self, board, session, messages):
        begin, *others = read(board, session.id, messages)
        return [begin] * (self._commands * len(messages)) + others


class Halting:
    """The rules, except that the test says when they answer; ``error`` is raised once."""

    engine = "rules"

    def __init__(self, error=None):
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()
        self.times = 0
        self._error = error

    async def observe(self, board, session, messages):
        self.times += 1
        self.asked.set()
        await self.answer.wait()
        if self._error:
            error, self._error = self._error, None
            raise error
        return read(board, session.id, messages)


SPENT = Spent(model="m", prompt="0a", calls=2, prompt_tokens=9, cached_tokens=0, completion_tokens=1)


async def calls_in_log(world, session):
    return [past.event.spent.calls for past in await world.facts(session) if is_observed(past)]


def is_observed(past):
    return isinstance(past.event, SessionObserved)


class TestTogether:
    async def test_of_two_observers_one_wins_and_the_other_adds_nothing(self, world):
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(), *TALK)
        slow, fast = Halting(), RulesAgent()
        late = asyncio.create_task(world.observer(slow).perform(item(session)))
        await slow.asked.wait()
        await world.observer(fast).perform(item(session))
        facts = await world.facts(session)
        slow.answer.set()
        await late
        assert await world.facts(session) == facts
        assert await state_in_log(world, session) == board_of(TALK, session)

    async def test_of_two_observers_the_late_one_says_later_what_it_paid(self, world):
        session, tab = fresh(Kind.SESSION), Tab()
        await world.append(session, SessionCreated(), *TALK[:3])
        slow = Halting()
        observer = world.observer(slow, tab)
        late = asyncio.create_task(observer.perform(item(session)))
        await slow.asked.wait()
        tab.put(session.id, SPENT)
        await world.observer(RulesAgent()).perform(item(session))
        slow.answer.set()
        await late
        assert await calls_in_log(world, session) == [0]
        await world.append(session, TALK[3])
        for _ in range(2):
            await observer.perform(item(session))
        assert await calls_in_log(world, session) == [0, 2]

    async def test_of_two_observers_the_late_one_goes_on_where_the_other_stopped(self, world):
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(), *TALK[:3])
        slow = Halting()
        other = world.observer(RulesAgent())
        first = asyncio.create_task(world.observer(slow).perform(item(session)))
        await slow.asked.wait()
        await world.append(session, TALK[3])
        await other.perform(item(session))
        slow.answer.set()
        await first
        assert await state_in_log(world, session) == board_of(TALK, session)

    async def test_an_agent_that_fails_costs_nothing_but_time(self, world):
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(), *TALK)
        agent = Halting(error=UnavailableError("the model is down"))
        agent.answer.set()
        observer = world.observer(agent)
        with pytest.raises(UnavailableError):
            await observer.perform(item(session))
        assert await world.facts(session) == []
        assert not observer.in_hand(session.id)
        await observer.perform(item(session))
        assert await state_in_log(world, session) == board_of(TALK, session)

    async def test_a_session_deleted_during_its_observation_leaves_nothing(self, world):
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(), *TALK)
        agent = Halting()
        observer = world.observer(agent)
        observing = asyncio.create_task(observer.perform(item(session)))
        await agent.asked.wait()
        assert observer.in_hand(session.id)
        await world.append(session, SessionDeleted())
        await world.observer(RulesAgent()).perform(item(session, deleted=True))
        agent.answer.set()
        await observing
        [tombstone] = await world.facts(session)
        assert isinstance(tombstone.event, BoardDeleted)


class TestDeletion:
    async def test_erases_the_board_but_for_its_tombstone(self, world):
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(), *TALK)
        observer = world.observer(RulesAgent())
        await observer.perform(item(session))
        task_id = event_id(session.id, "task", "2", "0")
        assert world.stored_in_log(task_id)
        for _ in range(2):
            await observer.perform(item(session, deleted=True))
            [tombstone] = await world.facts(session)
            assert tombstone.is_tombstone
        assert not world.stored_in_log(task_id)

    async def test_says_what_was_paid_for_nothing(self, world):
        session, tab = fresh(Kind.SESSION), Tab()
        await world.append(session, SessionCreated(), SessionDeleted())
        tab.put(session.id, SPENT)
        for _ in range(2):
            await world.observer(RulesAgent(), tab).perform(item(session, deleted=True))
        [tombstone] = await world.facts(session)
        [used] = tombstone.event.usage.values()
        assert used == Used(calls=2, prompt_tokens=9, completion_tokens=1)

    async def test_ends_a_board_that_never_was(self, world):
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(disable_task_tracking=True), SessionDeleted())
        await world.observer(RulesAgent()).perform(item(session, deleted=True))
        [tombstone] = await world.facts(session)
        assert (tombstone.version, tombstone.is_tombstone) == (1, True)

    async def test_is_found_in_the_log_where_the_mark_was_lost(self, world):
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(), *TALK, SessionDeleted())
        await world.observer(RulesAgent()).perform(item(session))
        [tombstone] = await world.facts(session)
        assert tombstone.is_tombstone


class TestService:
    async def test_shows_the_board_of_a_session_that_fell_silent(self, world, observing):
        session = fresh(Kind.SESSION)
        async with observing():
            await world.append(session, SessionCreated(), *TALK)
            board = await until(lambda: world.board(session, through_position=4))
        assert [(task["description"], task["status"]) for task in board["tasks"]] == [
            ("Please fix the failing test", "success"),
            ("Now write a changelog", "running"),
        ]
        assert board["version"] == len(await world.facts(session))

    async def test_goes_on_after_a_restart_with_what_was_due(self, world, observing):
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(), *TALK[:2])
        async with observing():
            await until(lambda: world.board(session, through_position=2))
        await world.append(session, *TALK[2:])
        async with observing():
            await until(lambda: world.board(session, through_position=4))
        assert await state_in_log(world, session) == board_of(TALK, session)

    async def test_a_deleted_session_has_no_board_and_stays_without(self, world, observing):
        session, other = fresh(Kind.SESSION), fresh(Kind.SESSION)
        async with observing() as parts:
            await world.append(session, SessionCreated(), *TALK)
            await until(lambda: world.board(session, through_position=4))
            await world.append(session, SessionDeleted())
            await until(lambda: world.board(session, deleted=True))
            await world.append(other, SessionCreated(), *TALK, FlushRequested(through_position=4))
            await until(lambda: world.board(other, through_position=4))
            assert parts.works[0].stalled == {}
        assert (await world.board(session)).keys() == {"_id", "project", "version", "seq", "deleted"}
        [tombstone] = await world.facts(session)
        assert tombstone.is_tombstone
