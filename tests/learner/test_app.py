"""The learner on real servers: each finished task becomes one lesson, and a deleted session takes its lessons along."""

import asyncio
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from tests.learner.conversations import REFUND, conversation, user

from craftlog.contracts.events import (
    MessageAppended,
    MessagesLinked,
    SessionCreated,
    SessionDeleted,
    SessionObserved,
    SpaceConnected,
    TaskOpened,
    TaskStarted,
    TaskSucceeded,
)
from craftlog.contracts.messages import Stored
from craftlog.contracts.readmodels import BLOCKS, LESSONS
from craftlog.contracts.subjects import Address, Kind
from craftlog.learner.agent import TaskToLearn
from craftlog.learner.rules import RulesEngine
from craftlog.learner.sessions import Sessions
from craftlog.learner.store import Pupils
from craftlog.runtime import work
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.log import Log
from craftlog.runtime.objects import key_of
from craftlog.testing.examples import PROJECT, fresh
from craftlog.testing.waiting import until

HARD = conversation(*REFUND)
EASY = conversation(user("What is a lamp?"))
LEARNED = "the card found by find_customer"
LONG_AGO = timedelta(hours=1)


def task_id() -> str:
    return str(uuid4())


async def taught(world, learner, *, messages=HARD, status="success", lessons=1) -> tuple[Address, str]:
    """Have a session teach the space, which then has so many lessons, and return it and its task."""
    session, task = fresh(Kind.SESSION), task_id()
    await world.say(session, messages)
    await world.observe(session, len(messages), (task, status, range(1, len(messages) + 1)))
    await world.flush(session, len(messages))
    async with learner() as parts:
        await until(partial(world.lessons, lessons))
        await drained(parts)
    return session, task


class TestLearning:
    async def test_a_hard_task_becomes_a_skill_on_a_page(self, world, learner):
        session, task = await taught(world, learner)
        [lesson], [page], [sop] = await world.lessons(1), await world.blocks("page"), await world.blocks("sop")
        assert (lesson["state"], lesson["task_id"], lesson["block_id"]) == ("learned", task, sop["_id"])
        assert (page["title"], sop["parent_id"]) == ("order", page["_id"])
        assert sop["props"]["tool_sops"][0]["tool_name"] == "find_customer"
        origin = {"session_id": session.id, "task_id": task, "engine": "rules"}
        assert origin.items() <= sop["provenance"].items()
        assert sop["provenance"]["message_ids"] == [message.message_id for message in HARD]

    @pytest.mark.parametrize(
        ("messages", "status", "words"), [(EASY, "success", "No tool"), (HARD, "failed", "not succeed")]
    )
    async def test_an_easy_or_failed_one_is_skipped_with_its_reason(self, world, learner, messages, status, words):
        await taught(world, learner, messages=messages, status=status)
        [lesson] = await world.lessons(1)
        assert (lesson["state"], lesson["block_id"]) == ("skipped", None)
        assert words in lesson["reason"]
        assert await world.children(BLOCKS) == []

    async def test_large_messages_are_read_from_the_bucket(self, world, learner):
        session = fresh(Kind.SESSION)
        await world.objects.prepare()
        events = []
        for message in HARD:
            body = b"[%s]" % b",".join(part.model_dump_json().encode() for part in message.parts)
            key = key_of(session, str(message.position))
            await world.objects.put(key, body, len(body), "application/json")
            stored = Stored(key=key, sha256="", size_b=len(body))
            events.append(MessageAppended(**{**dict(message), "parts": (), "parts_ref": stored}))
        await world.append(session, SessionCreated(space_id=world.space.id), *events, ago=LONG_AGO)
        await world.observe(session, len(HARD), (task_id(), "success", range(1, 17)))
        async with learner():
            await until(partial(world.lessons, 1))
        assert len(await world.blocks("sop")) == 1

    async def test_two_tasks_of_a_kind_share_a_page(self, world, learner):
        await taught(world, learner)
        session = fresh(Kind.SESSION)
        await world.say(session, HARD, ago=LONG_AGO)
        await world.observe(session, len(HARD), (task_id(), "success", range(1, 17)))
        async with learner():
            await until(partial(world.lessons, 2))
        assert len(await world.blocks("page")) == 1
        assert sorted(sop["sort"] for sop in await world.blocks("sop")) == [0, 1]
        assert (await world.head())["pages"][0]["blocks"] == 2


class TestWhen:
    async def test_a_session_that_is_connected_later_is_filled_in(self, world, learner):
        session = fresh(Kind.SESSION)
        await world.say(session, HARD, space=False, ago=LONG_AGO)
        await world.observe(session, len(HARD), (task_id(), "success", range(1, 17)))
        async with learner() as parts:
            await drained(parts)
            assert await world.types() == []
            await world.append(session, SpaceConnected(space_id=world.space.id))
            await until(partial(world.lessons, 1))

    async def test_another_space_is_taught_as_well(self, world, learner):
        session, task = await taught(world, learner)
        other = Address(Kind.TREE, PROJECT, str(uuid4()))
        async with learner():
            await world.append(session, SpaceConnected(space_id=other.id))
            [lesson] = await until(partial(world.lessons, 1, other))
        assert lesson["task_id"] == task
        assert len(await world.lessons(1)) == 1

    async def test_a_session_that_goes_on_is_left_alone_until_it_is_flushed(self, world, learner, monkeypatch):
        session = fresh(Kind.SESSION)
        await world.say(session, HARD)
        await world.observe(session, len(HARD), (task_id(), "success", range(1, 17)))
        read = list[str]()
        monkeypatch.setattr(Sessions, "board", _noting(Sessions.board, read))
        async with learner(learn_idle_seconds=3600) as parts:
            await drained(parts)
            assert await world.types() == []
            assert read == [], "a session that goes on is not read again with each observation"
            await world.flush(session, len(HARD))
            await until(partial(world.lessons, 1))

    async def test_a_session_that_falls_silent_is_learned_from(self, world, learner):
        session = fresh(Kind.SESSION)
        await world.say(session, HARD)
        await world.observe(session, len(HARD), (task_id(), "success", range(1, 17)))
        async with learner(learn_idle_seconds=0.2):
            await until(partial(world.lessons, 1))

    async def test_a_board_that_has_not_read_everything_is_waited_for(self, world, learner):
        session, task = fresh(Kind.SESSION), task_id()
        await world.say(session, HARD, ago=LONG_AGO)
        await world.observe(session, 9, (task, "success", range(1, 10)))
        await world.flush(session, len(HARD))
        async with learner() as parts:
            await drained(parts)
            assert await world.types() == []
            board = Address(Kind.BOARD, PROJECT, session.id)
            linked = MessagesLinked(task_id=task, positions=tuple(range(10, len(HARD) + 1)))
            await world.append(board, linked, SessionObserved(through_position=len(HARD), engine="rules"))
            await until(partial(world.lessons, 1))
        [sop] = await world.blocks("sop")
        assert len(sop["provenance"]["message_ids"]) == len(HARD)

    async def test_a_task_teaches_once_and_the_engine_is_not_asked_again(self, world, learner, monkeypatch):
        session, task = await taught(world, learner)
        before = await world.types()
        again = TaskStarted(task_id=task), TaskSucceeded(task_id=task)
        observed = SessionObserved(through_position=len(HARD), engine="rules")
        await world.append(Address(Kind.BOARD, PROJECT, session.id), *again, observed)
        await world.flush(session, len(HARD))
        asked = list[TaskToLearn]()
        monkeypatch.setattr(RulesEngine, "distil", lambda _, task: asked.append(task))
        async with learner() as parts:
            await drained(parts)
        assert await world.types() == before
        assert asked == []

    async def test_two_learners_teach_no_task_twice(self, world, learner):
        sessions = [fresh(Kind.SESSION) for _ in range(6)]
        async with learner(), learner():
            for session in sessions:
                await world.say(session, HARD)
                await world.observe(session, len(HARD), (task_id(), "success", range(1, 17)))
                await world.flush(session, len(HARD))
            await until(partial(world.lessons, 6))
        assert sorted(await world.types()) == ["PageAdded", *["SopFiled"] * 6]


class TestForgetting:
    async def test_a_deleted_session_takes_its_skill_along(self, world, learner):
        session, _ = await taught(world, learner)
        other, _ = await taught(world, learner, messages=EASY, lessons=2)
        assert world.stored_in_log(LEARNED)
        await world.append(session, SessionDeleted())
        async with learner():
            await until(partial(forgotten, world, session))
        assert [lesson["session_id"] for lesson in await world.children(LESSONS)] == [other.id]
        assert await world.children(BLOCKS) == []
        assert await world.types() == ["LessonSkipped", "SessionForgotten"]
        assert not world.stored_in_log(LEARNED)
        assert LEARNED not in await world.stored_in_mongo()

    async def test_a_session_that_is_deleted_before_it_was_learned_from_never_teaches(self, world, learner):
        session = fresh(Kind.SESSION)
        await world.say(session, HARD, ago=LONG_AGO)
        await world.observe(session, len(HARD), (task_id(), "success", range(1, 17)))
        await world.append(session, SessionDeleted())
        async with learner() as parts:
            await until(partial(forgotten, world, session))
            # The board is told later, and what it says comes by another way.
            await world.observe(session, len(HARD), (task_id(), "success", [1]))
            await drained(parts)
        assert await world.types() == ["SessionForgotten"]

    async def test_what_could_not_be_learned_from_is_forgotten_all_the_same(self, world, learner, monkeypatch):
        session, _ = await taught(world, learner)
        again = task_id()

        async def fails(*_):
            raise ValueError("it cannot be read")

        monkeypatch.setattr(work, "_DELAYS", (0.01,))
        monkeypatch.setattr(RulesEngine, "distil", fails)
        board = Address(Kind.BOARD, PROJECT, session.id)
        async with learner() as parts:
            opened = TaskOpened(task_id=again, order=2, description="Do it again", engine="rules")
            done = TaskStarted(task_id=again), TaskSucceeded(task_id=again)
            await world.append(board, opened, *done, SessionObserved(through_position=len(HARD), engine="rules"))
            await until(partial(parked, parts))
            await world.append(session, SessionDeleted())
            await until(partial(forgotten, world, session))
            assert not await parked(parts)
        assert not world.stored_in_log(LEARNED)

    @pytest.mark.parametrize("step", range(4), ids=["deciding", "erasing", "erasing the page", "ending"])
    async def test_whoever_is_killed_on_the_way_somebody_finishes(self, world, learner, monkeypatch, step):
        session, _ = await taught(world, learner)
        await world.append(session, SessionDeleted())
        monkeypatch.setattr(work, "_LEASE", timedelta(seconds=1))
        killed = asyncio.Event()
        steps = iter(range(step))

        def fragile(real):
            async def call(*args, **kwargs):
                if next(steps, None) is None:
                    killed.set()
                    raise UnavailableError("killed")
                return await real(*args, **kwargs)

            return call

        with monkeypatch.context() as broken:
            for owner, name in ((Log, "append"), (world.log.jetstream, "delete_msg"), (Pupils, "forget")):
                broken.setattr(owner, name, fragile(getattr(owner, name)))
            async with learner():
                await asyncio.wait_for(killed.wait(), 30)
        async with learner():
            await until(partial(forgotten, world, session))
        assert await world.types() == ["SessionForgotten"]
        assert not world.stored_in_log(LEARNED)
        assert LEARNED not in await world.stored_in_mongo()


def _noting(real, names: list[str]):
    async def call(self, *args):
        names.append(real.__name__)
        return await real(self, *args)

    return call


async def parked(parts) -> bool:
    """Whether work was given up."""
    [work] = parts.works
    return bool(work.parked)


async def forgotten(world, session: Address) -> bool:
    """Whether the tree says so, the read model has it, and the work is done."""
    head = await world.head()
    left = await world.database["learner_due"].count_documents({"_id": session.id})
    return session.id in head.get("forgotten", []) and not left


async def drained(parts) -> None:
    """Wait until everything that was appended is consumed and the work on it was begun and ended."""
    await until(partial(_drained, parts))


async def _drained(parts) -> bool:
    lanes = [*parts.lanes, *(projector.lane for projector in parts.projectors)]
    consumed = [(await lane.health()).lag == 0 for lane in lanes]
    [work] = parts.works
    waits = all(item.due_at > work._clock() for item in work._items.values())
    return all(consumed) and not work._running and waits
