"""What projects and sessions have set for themselves: learned from the log, in any order, and held to."""

import itertools
from datetime import timedelta

import pytest

from craftlog.contracts.events import (
    MessageAppended,
    ProjectConfigured,
    ProjectCreated,
    SessionConfigured,
    SessionCreated,
    SessionDeleted,
)
from craftlog.contracts.messages import Part
from craftlog.contracts.readmodels import OBSERVER_DUE
from craftlog.contracts.subjects import Kind
from craftlog.observer.settings import Criteria, Patience, observing_of, project
from craftlog.observer.store import SETTINGS, OwnSettings
from craftlog.testing.examples import SESSION, TENANT, fresh, history, recorded
from craftlog.testing.folding import fold
from craftlog.testing.waiting import until

HASTY = {"observing": {"messages": 1}}
SLOW = {"observe_idle": 3_000.0, "observe_age": 3_000.0}


def said(position):
    part = Part(type="text", text=f"Please write page {position}")
    return MessageAppended(message_id=f"m{position}", position=position, role="user", parts=(part,))


class TestProject:
    def test_says_what_the_last_event_says(self):
        first = ProjectConfigured(
            configs={"observing": {"idle": 1, "messages": 3}, "task_success_criteria": "It works."}
        )
        then = ProjectConfigured(configs={"observing": {"age": 9}, "task_failure_criteria": "It broke.", "own": 1})
        events = history(TENANT, ProjectCreated(name="research"), first, None, then)
        known = fold(project, events)
        assert known.said == {"observing": {"age": 9}, "success": None, "failure": "It broke."}
        assert fold(project, events, cuts=[1, 2, 3]).said == known.said
        assert fold(project, events[:2]).said == {
            "observing": {"idle": 1, "messages": 3},
            "success": "It works.",
            "failure": None,
        }

    def test_says_nothing_at_first(self):
        assert fold(project, history(TENANT, ProjectCreated(name="research"))).said == {
            "observing": None,
            "success": None,
            "failure": None,
        }

    def test_says_nothing_of_what_is_older_than_its_shape(self):
        odd = {"observing": {"idle": "soon"}, "task_success_criteria": 7, "task_failure_criteria": "It broke."}
        events = history(TENANT, ProjectCreated(name="research"), ProjectConfigured(configs=odd))
        assert fold(project, events).said == {"observing": None, "success": None, "failure": "It broke."}


class TestObserving:
    @pytest.mark.parametrize(
        ("event", "expected"),
        [
            (SessionCreated(configs={"observing": {"idle": 1, "age": None}}), {"idle": 1}),
            (SessionConfigured(configs=HASTY), {"messages": 1}),
            (SessionConfigured(configs={"observing": {}}), None),
            (SessionConfigured(configs={"observing": {"pace": 1}}), None),
            (SessionCreated(), None),
            (said(1), None),
        ],
    )
    def test_is_set_by_what_is_said_of_configs(self, event, expected):
        assert observing_of(recorded(SESSION, 1, event)) == expected

    def test_leaves_of_patience_what_it_says_nothing_about(self):
        patience = Patience(16, timedelta(seconds=4), timedelta(seconds=60))
        assert patience.under(None) == patience.under({"observing": None}) == patience.under({}) == patience
        own = patience.under({"observing": {"idle": 0, "messages": 2}})
        assert own == Patience(2, timedelta(0), timedelta(seconds=60))


async def take_in(own, events):
    """Take events in as the listener does: what is known is looked up, and then remembered."""
    for event in events:
        known = (await own.of([event.address.id])).get(event.address.id)
        if event.is_tombstone:
            await own.forget([event.address.id])
        else:
            await own.note(event, known)


class TestNoted:
    async def known(self, world, session):
        return await world.document(SETTINGS, session.id)

    async def test_are_the_same_in_whatever_order_and_number_they_are_delivered(self, world):
        ends = {
            "changed": ({"idle": 2.0}, {"messages": 3}),
            "taken away": ({"idle": 2.0}, None),
            "late": (None, {"age": 5}),
        }
        for first, last in ends.values():
            own = OwnSettings(world.database, world.log)
            session = fresh(Kind.SESSION)
            events = [
                SessionCreated(configs={"observing": {"messages": 9}}),
                said(1),
                SessionConfigured(configs={"observing": first} if first else {}),
                SessionConfigured(configs={"observing": last} if last else {}),
            ]
            await world.append(session, *events)
            happened = [one async for one in world.log.read(session) if not isinstance(one.event, MessageAppended)]
            for order in itertools.permutations(happened):
                await own.forget([session.id])
                await take_in(own, [*order, *order[:2]])
                assert (await self.known(world, session)).get("observing") == last

    async def test_of_a_deleted_session_are_none_in_whatever_order(self, world):
        own = OwnSettings(world.database, world.log)
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(configs=HASTY), SessionConfigured(configs=HASTY), SessionDeleted())
        happened = [one async for one in world.log.read(session)]
        for order in itertools.permutations(happened):
            await take_in(own, [*order, *order[:2]])
            assert await self.known(world, session) == {}

    async def test_are_changed_and_taken_away_by_what_comes_after(self, world):
        own = OwnSettings(world.database, world.log)
        session = fresh(Kind.SESSION)
        for said, known in ({"idle": 1.0}, {"idle": 1.0}), ({"age": 1.0}, {"age": 1.0}), ({}, None):
            await world.append(session, SessionConfigured(configs={"observing": said}))
            await take_in(own, [await world.log.last(session)])
            assert (await self.known(world, session)).get("observing") == known
        assert await self.known(world, session) == {}

    async def test_are_those_before_an_event_that_is_none(self, world):
        own = OwnSettings(world.database, world.log)
        session = fresh(Kind.SESSION)
        await world.append(session, SessionCreated(), SessionConfigured(configs=HASTY))
        await world.log.client.jetstream().publish(session.subject, b"garbage")
        await own.note(await anext(world.log.read(session, 1)), None)
        assert (await self.known(world, session))["observing"] == {"messages": 1}

    async def test_are_nothing_where_nothing_is_said(self, world):
        own = OwnSettings(world.database, world.log)
        session = fresh(Kind.SESSION)
        for version, event in enumerate(
            [SessionCreated(configs={"a": 1}), SessionConfigured(configs={"b": 1})], start=1
        ):
            assert await own.note(recorded(session, version, event), None) is None
        assert await self.known(world, session) == {}

    async def test_criteria_are_nothing_where_nothing_is_said(self, world):
        assert await OwnSettings(world.database, world.log).criteria(TENANT.id) == Criteria()


class TestService:
    """A deployment so patient that only what a project or a session has set can make anything due."""

    async def read_through(self, world, session, position):
        return await until(lambda: world.board(session, through_position=position))

    async def test_observes_a_session_as_it_has_set_itself(self, world, observing):
        session, patient = fresh(Kind.SESSION), fresh(Kind.SESSION)
        async with observing(**SLOW):
            await world.append(patient, SessionCreated(), said(1))
            await world.append(session, SessionCreated(configs={"observing": {"messages": 2}}), said(1))
            await world.append(session, said(2))
            await self.read_through(world, session, 2)
            await world.append(session, SessionConfigured(configs={"observing": {"idle": 0.1}}), said(3))
            await self.read_through(world, session, 3)
            await world.append(session, SessionConfigured(configs={"observing": {"age": 0.1}}), said(4))
            await self.read_through(world, session, 4)
            assert await world.board(patient) == {}

    @pytest.mark.parametrize("set_", [{"messages": 1}, {"idle": 0.1}, {"age": 0.1}], ids=str)
    async def test_observes_the_sessions_of_a_project_as_it_has_set_them(self, world, observing, set_):
        session, before = fresh(Kind.SESSION), fresh(Kind.SESSION)
        async with observing(**SLOW):
            await world.append(before, SessionCreated(), said(1))
            await world.append(TENANT, ProjectCreated(name="p"), ProjectConfigured(configs={"observing": set_}))
            await until(lambda: world.document(SETTINGS, TENANT.id, version=2))
            await world.append(session, SessionCreated(), said(1))
            await self.read_through(world, session, 1)
            assert await world.board(before) == {}
            await world.append(before, said(2))
            await self.read_through(world, before, 2)

    async def test_lets_a_session_wait_longer_than_its_project(self, world, observing):
        patient, session = fresh(Kind.SESSION), fresh(Kind.SESSION)
        async with observing():
            await world.append(TENANT, ProjectCreated(name="p"), ProjectConfigured(configs=HASTY))
            await until(lambda: world.document(SETTINGS, TENANT.id, version=2))
            slow = {"observing": {"messages": 9, "idle": 3000, "age": 3000}}
            await world.append(patient, SessionCreated(configs=slow), said(1))
            await world.append(session, SessionCreated(), said(1))
            await self.read_through(world, session, 1)
            assert await world.board(patient) == {}

    @pytest.mark.parametrize("lost", ["nothing", "memory", "settings"])
    async def test_knows_them_after_a_restart_whatever_was_lost(self, world, observing, lost):
        session, ordinary = fresh(Kind.SESSION), fresh(Kind.SESSION)
        configured = ProjectConfigured(configs={"observing": {"idle": 3000}, "task_success_criteria": "It works."})
        async with observing(**SLOW):
            await world.append(TENANT, ProjectCreated(name="p"), configured)
            await world.append(ordinary, SessionCreated(), said(1))
            await world.append(session, SessionCreated(configs=HASTY), said(1))
            await self.read_through(world, session, 1)
            await until(lambda: world.document(SETTINGS, TENANT.id, version=2))
        known = await self.all_known(world)
        assert known.keys() == {TENANT.id, session.id}
        if lost == "memory":
            for durable in ("observer-project", "observer-session"):
                await world.log.forget(durable)
        if lost == "settings":
            await world.database.drop_collection(SETTINGS)
        async with observing(**SLOW):
            await until(lambda: world.document(SETTINGS, TENANT.id, version=2))
            await until(lambda: world.document(SETTINGS, session.id))
            await world.append(session, said(2))
            await self.read_through(world, session, 2)
        assert await self.all_known(world) == known

    async def all_known(self, world):
        return {one["_id"]: one for one in await world.database[SETTINGS].find({}).to_list(None)}

    @pytest.mark.parametrize("forgotten", [(), ("observer-session",)], ids=["only restarted", "consumer deleted"])
    async def test_leaves_a_session_due_when_it_was_over_a_restart(self, world, observing, forgotten):
        session = fresh(Kind.SESSION)
        slow = {"observing": {"messages": 3, "idle": 3000, "age": 3000}}
        async with observing():
            await world.append(session, SessionCreated(configs=slow), said(1))
            due = await until(lambda: world.document(OBSERVER_DUE, session.id))
        for durable in forgotten:
            await world.log.forget(durable)
        async with observing():
            hasty = fresh(Kind.SESSION)
            await world.append(hasty, SessionCreated(), said(1))
            await self.read_through(world, hasty, 1)
            assert await world.board(session) == {}
            assert (await world.document(OBSERVER_DUE, session.id))["due_at"] == due["due_at"]
            await world.append(session, said(2), said(3))
            await self.read_through(world, session, 3)

    async def test_keeps_nothing_of_a_deleted_session(self, world, observing):
        session = fresh(Kind.SESSION)
        async with observing(**SLOW):
            await world.append(session, SessionCreated(configs=HASTY), said(1))
            await self.read_through(world, session, 1)
            await world.append(session, SessionDeleted())
            await until(lambda: world.board(session, deleted=True))
        assert await world.document(SETTINGS, session.id) == {}
