"""What one space learns: each task once, each skill on a page, and nothing from a session that was deleted."""

from dataclasses import replace

import pytest
from tests.learner.decider.commands import ORIGIN, SPACE, STEP, decided, file, skip

from craftlog.contracts.events import (
    BlocksShifted,
    LessonProposed,
    LessonSkipped,
    PageAdded,
    SessionForgotten,
    SopFiled,
    ToolStep,
    TreeDeleted,
)
from craftlog.contracts.questions import AddBlock, MoveBlock, RemoveBlock, ResolveProposal
from craftlog.learner.decider import DeleteTree
from craftlog.learner.decider.lessons import DECLINED, ForgetSession
from craftlog.learner.decider.refusals import AbsentError, RejectedError


class TestFileSop:
    def test_the_first_skill_of_a_kind_makes_its_page(self):
        page, sop = decided(file())
        assert isinstance(page, PageAdded)
        assert (page.title, page.sort) == ("ticket", 0)
        assert sop == SopFiled(
            block_id=sop.block_id,
            parent_id=page.block_id,
            sort=0,
            use_when="create a ticket",
            preferences="ask first",
            tool_sops=(STEP,),
            provenance=ORIGIN,
        )

    def test_the_next_one_joins_it(self):
        page, first, second = decided(file("t1"), file("t2"))
        assert (second.parent_id, second.sort) == (page.block_id, first.sort + 1)

    def test_another_title_is_another_page_beside_it(self):
        page, _, other, sop = decided(file("t1"), file("t2", page="report"))
        assert (other.title, other.sort, sop.parent_id) == ("report", page.sort + 1, other.block_id)

    def test_ids_are_the_same_for_the_same_task_and_differ_between_spaces(self):
        ids = {event.block_id for event in decided(file())}
        assert ids == {event.block_id for event in decided(file())}
        assert ids.isdisjoint(event.block_id for event in decided(replace(file(), space_id="elsewhere")))

    def test_a_task_teaches_nothing_twice(self):
        SPACE.given(*decided(file())).when(file(page="elsewhere")).then_nothing_happened()
        SPACE.given(*decided(skip())).when(file()).then_nothing_happened()

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"page_title": "a/b"}, "page_title 'a/b'"),
            ({"page_title": " ticket"}, "page_title ' ticket'"),
            ({"page_title": ""}, "page_title ''"),
            ({"use_when": " "}, "use_when is empty"),
            ({"tool_sops": (), "preferences": " "}, "neither steps nor preferences"),
            ({"tool_sops": (ToolStep(tool_name=" ", action="Do it."),)}, "without a tool_name"),
            ({"use_when": "x" * 20_000}, "20000 is the most"),
        ],
    )
    def test_what_nobody_could_use_is_refused_in_words(self, change: dict[str, object], words: str):
        SPACE.when(replace(file(), **change)).then_rejected(RejectedError, words)

    def test_a_page_that_a_person_made_is_a_page_as_well(self):
        own = AddBlock(block_id="p1", type="page", title="ticket")
        _, sop = decided(own, file())
        assert sop.parent_id == "p1"

    def test_a_page_that_a_person_renamed_is_another_one(self):
        page, *_ = decided(file())
        renamed = page.model_copy(update={"title": "Tickets"})
        again = SPACE.given(renamed).when(file("t2")).decided()
        assert [type(event) for event in again] == [PageAdded, SopFiled]

    def test_preferences_alone_are_worth_a_skill(self):
        _, sop = decided(replace(file(), tool_sops=()))
        assert sop.preferences == "ask first"


class TestSkipLesson:
    def test_the_reason_is_a_fact(self):
        SPACE.when(skip()).then(LessonSkipped(task_id="t1", session_id="s1", reason="too simple", engine="rules"))

    def test_it_is_quiet_where_the_task_has_a_lesson(self):
        SPACE.given(*decided(skip())).when(skip()).then_nothing_happened()
        SPACE.given(*decided(file())).when(skip()).then_nothing_happened()


class TestForgetSession:
    def test_pages_left_empty_are_named(self):
        page, sop = decided(file())
        forgotten = SessionForgotten(session_id="s1", removed_pages=(page.block_id,))
        SPACE.given(page, sop).when(ForgetSession("s1")).then(forgotten)

    def test_a_page_stays_while_another_session_has_a_skill_on_it(self):
        events = decided(file("t1", "s1"), file("t2", "s2"))
        up = BlocksShifted(sorts={events[-1].block_id: 0})
        SPACE.given(*events).when(ForgetSession("s1")).then(SessionForgotten(session_id="s1"), up)

    def test_a_page_stays_that_a_person_made_or_put_something_on(self):
        own = AddBlock(block_id="p1", type="page", title="ticket")
        SPACE.given(*decided(own, file())).when(ForgetSession("s1")).then(SessionForgotten(session_id="s1"))
        page, sop = decided(file())
        note = AddBlock(block_id="n1", type="text", parent_id=page.block_id)
        events = SPACE.given(page, sop, *decided(file(), note)[2:]).when(ForgetSession("s1")).decided()
        assert events == [SessionForgotten(session_id="s1"), BlocksShifted(sorts={"n1": 0})]

    def test_an_edited_skill_goes_with_its_session_wherever_it_stands(self):
        _, sop = decided(file())
        own = AddBlock(block_id="p1", type="page")
        moved = decided(file(), own, MoveBlock(block_id=sop.block_id, parent_id="p1"))
        SPACE.given(*moved).when(ForgetSession("s1")).then(SessionForgotten(session_id="s1"))

    def test_those_that_stood_behind_move_up(self):
        page, _, other, _ = decided(file("t1"), file("t2", "s2", "report"))
        events = SPACE.given(*decided(file("t1"), file("t2", "s2", "report"))).when(ForgetSession("s1")).decided()
        forgotten = SessionForgotten(session_id="s1", removed_pages=(page.block_id,))
        assert events == [forgotten, BlocksShifted(sorts={other.block_id: 0})]

    def test_a_session_that_taught_nothing_is_remembered_as_forgotten(self):
        SPACE.when(ForgetSession("s1")).then(SessionForgotten(session_id="s1"))

    def test_it_is_quiet_when_repeated(self):
        SPACE.given(*decided(file(), ForgetSession("s1"))).when(ForgetSession("s1")).then_nothing_happened()

    def test_a_lesson_that_was_on_its_way_comes_to_nothing(self):
        forgotten = SPACE.given(*decided(ForgetSession("s1")))
        forgotten.when(file()).then_nothing_happened()
        forgotten.when(skip()).then_nothing_happened()

    def test_a_page_that_is_made_again_has_another_id(self):
        first, _, _, again, sop = decided(file("t1", "s1"), ForgetSession("s1"), file("t2", "s2"))
        assert again.block_id != first.block_id
        assert (again.sort, sop.sort) == (0, 0)

    def test_what_was_proposed_is_forgotten_as_well(self):
        forgotten = SPACE.given(*decided(replace(file(), confirm=True), ForgetSession("s1")))
        forgotten.when(ResolveProposal(task_id="t1", save=True)).then_nothing_happened()


class TestConfirming:
    PROPOSED = SPACE.given(*decided(replace(file(), confirm=True)))

    def test_a_skill_waits_for_a_person(self):
        [proposed] = decided(replace(file(), confirm=True))
        assert isinstance(proposed, LessonProposed)
        assert (proposed.page_title, proposed.use_when, proposed.provenance) == ("ticket", "create a ticket", ORIGIN)
        assert (proposed.preferences, proposed.tool_sops) == ("ask first", (STEP,))

    def test_its_task_teaches_nothing_else_meanwhile(self):
        for command in (file(), skip(), replace(file(), confirm=True)):
            self.PROPOSED.when(command).then_nothing_happened()

    def test_yes_files_it_on_its_page(self):
        page, sop = self.PROPOSED.when(ResolveProposal(task_id="t1", save=True)).decided()
        assert (page.title, sop.parent_id) == ("ticket", page.block_id)
        assert (sop.use_when, sop.tool_sops, sop.provenance) == ("create a ticket", (STEP,), ORIGIN)

    def test_no_is_a_lesson_that_a_person_declined(self):
        skipped = LessonSkipped(task_id="t1", session_id="s1", reason=DECLINED, engine="rules")
        self.PROPOSED.when(ResolveProposal(task_id="t1", save=False)).then(skipped)

    @pytest.mark.parametrize("said", [True, False])
    @pytest.mark.parametrize("again", [True, False])
    def test_what_was_said_once_stands(self, said: bool, again: bool):  # noqa: FBT001
        resolved = decided(replace(file(), confirm=True), ResolveProposal(task_id="t1", save=said))
        SPACE.given(*resolved).when(ResolveProposal(task_id="t1", save=again)).then_nothing_happened()

    def test_what_nobody_proposed_is_refused(self):
        SPACE.when(ResolveProposal(task_id="t1", save=True)).then_rejected(AbsentError, "nothing is proposed")

    def test_one_that_nobody_could_use_is_refused_before_anybody_is_asked(self):
        command = replace(file(), confirm=True, use_when=" ")
        SPACE.when(command).then_rejected(RejectedError, "use_when is empty")


class TestDeleteTree:
    def test_is_possible_where_no_tree_ever_was(self):
        SPACE.when(DeleteTree()).then(TreeDeleted())

    def test_is_quiet_when_repeated(self):
        SPACE.given(TreeDeleted()).when(DeleteTree()).then_nothing_happened()

    def test_leaves_nothing_to_learn_or_forget(self):
        gone = SPACE.given(*decided(file(), DeleteTree()))
        for command in (file("t2"), skip("t2"), replace(file("t2"), confirm=True), ForgetSession("s1")):
            gone.when(command).then_nothing_happened()

    def test_leaves_nothing_to_edit(self):
        gone = SPACE.given(*decided(file(), DeleteTree()))
        for command in (AddBlock(block_id="p1", type="page"), RemoveBlock(block_id="p1")):
            gone.when(command).then_rejected(AbsentError, "there is no such space")
