"""The learner on real servers: each finished task becomes one lesson, and a deleted session takes its lessons along."""

import asyncio
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from tests.learner.conversations import REFUND, conversation, user

from craftlog.contracts.events import (
    CONFIRM,
    BlockAdded,
    MessageAppended,
    MessagesLinked,
    SessionCreated,
    SessionDeleted,
    SessionObserved,
    SpaceConfigured,
    SpaceConnected,
    SpaceCreated,
    SpaceDeleted,
    TaskOpened,
    TaskStarted,
    TaskSucceeded,
)
from craftlog.contracts.messages import Stored
from craftlog.contracts.questions import (
    AddBlock,
    ChangeBlock,
    MoveBlock,
    RemoveBlock,
    ResolveProposal,
    SortBlock,
    ToolsAsked,
    TreeAsked,
)
from craftlog.contracts.readmodels import BLOCKS, FORGOTTEN, LESSONS, PROPOSALS, TREES
from craftlog.contracts.subjects import Address, Kind
from craftlog.learner.agent import TaskToLearn
from craftlog.learner.rules import RulesEngine
from craftlog.learner.sessions import Sessions
from craftlog.learner.store import Pupils
from craftlog.runtime import due
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.log import Log
from craftlog.runtime.objects import key_of
from craftlog.testing.examples import PROJECT, example, fresh
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
            await world.objects.put(key, body, "application/json")
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


class TestAsking:
    async def test_a_space_that_wants_to_be_asked_gets_a_proposal(self, world, learner):
        await world.append(space_of(world), SpaceCreated(configs={CONFIRM: True}))
        _, task = await taught(world, learner)
        [lesson], [proposal] = await world.lessons(1), await world.children(PROPOSALS)
        assert (lesson["state"], lesson["task_id"], lesson["block_id"]) == ("waiting for a person", task, None)
        assert (proposal["state"], proposal["proposed"]["page_title"]) == ("open", "order")
        assert await world.children(BLOCKS) == []

    @pytest.mark.parametrize(("save", "became"), [(True, "learned"), (False, "skipped")])
    async def test_what_a_person_says_is_done(self, world, learner, save, became):
        await world.append(space_of(world), SpaceCreated(), SpaceConfigured(configs={CONFIRM: True}))
        session, task = await taught(world, learner)
        said = asked(world, ResolveProposal(task_id=task, save=save))
        async with learner() as parts:
            for _ in range(2):
                assert (await parts.answers["tree"](said)).refusal is None
            await until(partial(became_of, world, became))
        assert len(await world.blocks("sop")) == save
        assert len(await world.types()) == (3 if save else 2)
        await world.append(session, SessionDeleted())
        async with learner():
            await until(partial(forgotten, world, session))
        assert not world.stored_in_log(LEARNED)
        assert LEARNED not in await world.stored_in_mongo()

    async def test_a_space_is_asked_as_it_is_configured_when_the_lesson_is_learned(self, world, learner):
        await world.append(space_of(world), SpaceCreated(configs={CONFIRM: True}), SpaceConfigured(configs={}))
        await taught(world, learner)
        assert len(await world.blocks("sop")) == 1


class TestEditing:
    async def test_an_edited_skill_stays_as_it_is_whatever_its_session_teaches_later(self, world, learner):
        session, _ = await taught(world, learner)
        [sop] = await world.blocks("sop")
        edit = asked(world, ChangeBlock(block_id=sop["_id"], title="Ask Ada", props={"preferences": "by phone"}))
        async with learner() as parts:
            assert (await parts.answers["tree"](edit)).version == 3
            again, board = task_id(), Address(Kind.BOARD, PROJECT, session.id)
            linked = MessagesLinked(task_id=again, positions=tuple(range(1, 17)))
            opened = TaskOpened(task_id=again, order=2, description="Do it again", engine="rules")
            started, done = TaskStarted(task_id=again), TaskSucceeded(task_id=again)
            observed = SessionObserved(through_position=len(HARD), engine="rules")
            await world.append(board, opened, started, linked, done, observed)
            await until(partial(world.lessons, 2))
        edited, learned = sorted(await world.blocks("sop"), key=lambda block: block["sort"])
        assert (edited["title"], edited["props"]) == ("Ask Ada", {"preferences": "by phone", "tool_sops": []})
        assert learned["title"] != "Ask Ada"

    async def test_words_of_an_edited_skill_go_with_its_session_and_those_of_people_stay(self, world, learner):
        session, _ = await taught(world, learner)
        [page], [sop] = await world.blocks("page"), await world.blocks("sop")
        edits = [
            ChangeBlock(block_id=sop["_id"], title="Ask about the blue heron"),
            ChangeBlock(block_id=page["_id"], title="herons"),
            AddBlock(block_id=task_id(), type="page", title="mine"),
        ]
        async with learner() as parts:
            for edit in edits:
                assert (await parts.answers["tree"](asked(world, edit))).refusal is None
            await world.append(session, SessionDeleted())
            await until(partial(forgotten, world, session))
        assert [(block["title"], block["sort"]) for block in await world.children(BLOCKS)] == [("mine", 0)]
        assert await world.types() == ["BlockAdded", "SessionForgotten", "BlocksShifted"]
        assert not world.stored_in_log("heron")
        assert "heron" not in await world.stored_in_mongo()

    async def test_an_edit_that_is_sent_again_is_made_once_by_whichever_learner(self, world, learner):
        block = task_id()
        added = asked(world, AddBlock(block_id=block, type="folder", title="mine"))
        moved = asked(world, SortBlock(block_id=block, sort=5))
        removed = asked(world, RemoveBlock(block_id=block))
        for edit, version in ((added, 1), (moved, 1), (removed, 2)):
            for _ in range(2):
                async with learner() as parts:
                    answered = await parts.answers["tree"](edit)
                    assert (answered.version, answered.refusal) == (version, None)
        assert await world.types() == ["BlockAdded", "BlocksRemoved"]

    async def test_a_learner_that_starts_anew_decides_on_what_is_there(self, world, learner):
        folder, page = task_id(), task_id()
        async with learner() as parts:
            await parts.answers["tree"](asked(world, AddBlock(block_id=folder, type="folder")))
            await parts.answers["tree"](asked(world, AddBlock(block_id=page, type="page", parent_id=folder)))
            await until(partial(reached, world))
        async with learner() as parts:
            refused = await parts.answers["tree"](asked(world, MoveBlock(block_id=folder, parent_id=folder)))
            assert (refused.refusal.why, refused.refusal.field) == ("wrong", "parent_id")
            missing = await parts.answers["tree"](asked(world, RemoveBlock(block_id=task_id())))
            assert missing.refusal is None
            missing = await parts.answers["tree"](asked(world, SortBlock(block_id=task_id(), sort=0)))
            assert missing.refusal.why == "missing"


class TestRenamingTools:
    async def test_goes_through_every_tree_of_the_project_and_on_where_it_was_interrupted(
        self, world, learner, monkeypatch
    ):
        spaces = [Address(Kind.TREE, PROJECT, str(uuid4())) for _ in range(3)]
        foreign = Address(Kind.TREE, str(uuid4()), str(uuid4()))
        for space in (*spaces, foreign):
            page = example(BlockAdded, block_id=str(uuid4()), type="page", parent_id=None)
            props = {"preferences": "", "tool_sops": [{"tool_name": "send", "action": "x"}]}
            sop = example(BlockAdded, block_id=str(uuid4()), type="sop", parent_id=page.block_id, props=props)
            await world.append(space, page, sop)
        rename = ToolsAsked(id=str(uuid4()), project=PROJECT, renames=(("send", "mail"),))
        real, steps = Log.append, iter([True])

        async def fragile(self, *args):
            if next(steps, None) is None:
                raise UnavailableError("killed")
            return await real(self, *args)

        async with learner() as parts:
            for space in (*spaces, foreign):
                await until(partial(reached, world, space))
            with monkeypatch.context() as broken:
                broken.setattr(Log, "append", fragile)
                assert (await parts.answers["tools"](rename)).unavailable == "killed"
        async with learner() as parts:
            assert len((await parts.answers["tools"](rename)).versions) == 2
            for space in spaces:
                await until(partial(reached, world, space))
            assert (await parts.answers["tools"](rename)).versions == {}
        for space, name in (*((space, "mail") for space in spaces), (foreign, "send")):
            [sop] = await world.blocks("sop", space)
            assert sop["props"]["tool_sops"] == [{"tool_name": name, "action": "x"}]
            assert len(await world.types(space)) == (3 if name == "mail" else 2)


class TestADeletedSpace:
    async def test_takes_its_tree_along(self, world, learner):
        session, _ = await taught(world, learner)
        await world.append(space_of(world), SpaceCreated(), SpaceDeleted())
        async with learner() as parts:
            await until(partial(ended, world))
            # What it taught is gone already, and that there is nothing left to forget is no trouble.
            await world.append(session, SessionDeleted())
            await drained(parts)
            refused = await parts.answers["tree"](asked(world, AddBlock(block_id=task_id(), type="page")))
            assert refused.refusal.why == "missing"
        assert await world.types() == ["TreeDeleted"]
        assert not world.stored_in_log(LEARNED)
        assert LEARNED not in await world.stored_in_mongo()

    async def test_has_a_tombstone_in_place_of_a_tree_so_that_a_late_lesson_loses(self, world, learner):
        session = fresh(Kind.SESSION)
        await world.append(space_of(world), SpaceCreated(), SpaceDeleted())
        async with learner() as parts:
            await until(partial(ended, world))
            await world.say(session, HARD, ago=LONG_AGO)
            await world.observe(session, len(HARD), (task_id(), "success", range(1, 17)))
            await drained(parts)
        assert await world.types() == ["TreeDeleted"]

    @pytest.mark.parametrize("step", range(2), ids=["deciding", "erasing"])
    async def test_whoever_is_killed_over_it_somebody_finishes(self, world, learner, monkeypatch, step):
        await taught(world, learner)
        await world.append(space_of(world), SpaceCreated(), SpaceDeleted())
        monkeypatch.setattr(due, "_LEASE", timedelta(seconds=1))
        await kill(learner, monkeypatch, step, (Log, "append"), (world.log.jetstream, "delete_msg"))
        async with learner():
            await until(partial(ended, world))
        assert await world.types() == ["TreeDeleted"]
        assert not world.stored_in_log(LEARNED)


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

        monkeypatch.setattr(due, "_DELAYS", (0.01,))
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

    async def test_what_could_not_be_learned_from_is_tried_again_by_the_next_start(self, world, learner, monkeypatch):
        async def fails(*_):
            raise ValueError("it cannot be read")

        monkeypatch.setattr(due, "_DELAYS", (0.01,))
        session = fresh(Kind.SESSION)
        await world.say(session, HARD)
        await world.observe(session, len(HARD), (task_id(), "success", range(1, 17)))
        with monkeypatch.context() as broken:
            broken.setattr(RulesEngine, "distil", fails)
            async with learner() as parts:
                await world.flush(session, len(HARD))
                await until(partial(parked, parts))
        async with learner() as parts:
            await until(partial(world.lessons, 1))
            assert not await parked(parts)

    @pytest.mark.parametrize("step", range(4), ids=["deciding", "erasing", "erasing the page", "ending"])
    async def test_whoever_is_killed_on_the_way_somebody_finishes(self, world, learner, monkeypatch, step):
        session, _ = await taught(world, learner)
        await world.append(session, SessionDeleted())
        monkeypatch.setattr(due, "_LEASE", timedelta(seconds=1))
        broken = (Log, "append"), (world.log.jetstream, "delete_msg"), (Pupils, "forget")
        await kill(learner, monkeypatch, step, *broken)
        async with learner():
            await until(partial(forgotten, world, session))
        assert await world.types() == ["SessionForgotten"]
        assert not world.stored_in_log(LEARNED)
        assert LEARNED not in await world.stored_in_mongo()


async def kill(learner, monkeypatch, step: int, *calls) -> None:
    """Run a learner until it does the call after so many, which fails for ever."""
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
        for owner, name in calls:
            broken.setattr(owner, name, fragile(getattr(owner, name)))
        async with learner():
            await asyncio.wait_for(killed.wait(), 30)


def asked(world, edit) -> TreeAsked:
    """An edit as the gateway asks for it."""
    return TreeAsked(id=str(uuid4()), project=PROJECT, space_id=world.space.id, edit=edit)


def space_of(world) -> Address:
    return Address(Kind.SPACE, PROJECT, world.space.id)


async def reached(world, space: Address | None = None) -> bool:
    """Whether the read model has all that the log has."""
    last = await world.log.last(space or world.space)
    return (await world.head(space)).get("version") == last.version


async def became_of(world, state: str) -> bool:
    """Whether the one lesson is read so."""
    return [lesson["state"] for lesson in await world.children(LESSONS)] == [state]


async def ended(world) -> bool:
    """Whether nothing of the tree is left to read, and the work is done."""
    left = await world.database["learner_due"].count_documents({"_id": world.space.id})
    children = [await world.children(name) for name in (BLOCKS, LESSONS, PROPOSALS, FORGOTTEN)]
    return (await world.head()).get("deleted", False) and not left and not any(children)


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
    noted = [one["session_id"] for one in await world.database[FORGOTTEN].find({"space_id": world.space.id}).to_list()]
    left = await world.database["learner_due"].count_documents({"_id": session.id})
    # The head is written last: children that are there do not say that others are gone.
    last = await world.log.last(world.space)
    reached = await world.database[TREES].count_documents({"_id": world.space.id, "version": last and last.version})
    return session.id in noted and not left and bool(reached)


async def drained(parts) -> None:
    """Wait until everything that was appended is consumed and the work on it was begun and ended."""
    await until(partial(_drained, parts))


async def _drained(parts) -> bool:
    lanes = [*parts.lanes, *(projector.lane for projector in parts.projectors)]
    consumed = [(await lane.health()).lag == 0 for lane in lanes]
    [work] = parts.works
    waits = all(item.due_at > work._clock() for item in work._turns.items.values())
    return all(consumed) and not work._running and waits
