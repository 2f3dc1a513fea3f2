"""The read model of a tree: its blocks, a lesson a task, what waits for a person, and what a deleted session leaves."""

from collections.abc import Sequence

import pytest
from hypothesis import given as always
from hypothesis import strategies as st

from craftlog.contracts.envelope import event_id
from craftlog.contracts.events import (
    BlockAdded,
    BlockChanged,
    BlockMoved,
    BlocksRemoved,
    BlocksShifted,
    Event,
    LessonProposed,
    LessonSkipped,
    PageAdded,
    Provenance,
    SessionForgotten,
    SopFiled,
    ToolRenamed,
    ToolStep,
)
from craftlog.contracts.readmodels import BLOCKS, FORGOTTEN, LESSONS, PROPOSALS
from craftlog.learner.projection import Stored, project, tree
from craftlog.testing.examples import PROJECT, SESSION_ID, SPACE_ID, TASK_ID, TREE, example, history, recorded
from craftlog.testing.folding import ReadModel, fold


def page(id_: str = "p1", title: str = "ticket", sort: int = 0) -> PageAdded:
    return PageAdded(block_id=id_, title=title, sort=sort)


def sop(task: str = "t1", session: str = "s1", parent: str = "p1", sort: int = 0) -> SopFiled:
    return SopFiled(
        block_id=f"b-{task}",
        parent_id=parent,
        sort=sort,
        use_when="create a ticket",
        preferences="ask first",
        tool_sops=(ToolStep(tool_name="create_ticket", action="Create it."),),
        provenance=Provenance(session_id=session, task_id=task, message_ids=("m1",), engine="rules"),
    )


def skipped(task: str = "t2", session: str = "s1") -> LessonSkipped:
    return LessonSkipped(task_id=task, session_id=session, reason="too simple", engine="rules")


def folded(events: Sequence[Event], *cuts: int) -> ReadModel:
    """The read model after these events, folded in batches that end at the cuts."""
    return fold(project, history(TREE, *events), cuts)


class TestBlocks:
    def test_a_page_is_a_block_at_the_root(self):
        block = folded([page()]).children[BLOCKS, "p1"]
        assert {"type": "page", "title": "ticket", "parent_id": None, "sort": 0, "props": {}}.items() <= block.items()
        assert (block["project"], block["space_id"], block["provenance"]) == (PROJECT, SPACE_ID, None)

    def test_a_skill_is_a_block_on_it_titled_by_its_use(self):
        store = folded([page(), sop()])
        block = store.children[BLOCKS, "b-t1"]
        assert (block["type"], block["parent_id"], block["title"]) == ("sop", "p1", "create a ticket")
        steps = [{"tool_name": "create_ticket", "action": "Create it."}]
        assert block["props"] == {"preferences": "ask first", "tool_sops": steps}
        origin = {"session_id": "s1", "task_id": "t1", "message_ids": ["m1"], "engine": "rules"}
        assert block["provenance"] == origin
        assert block["created_at"] == block["updated_at"] == history(TREE, page(), sop())[1].time

    def test_the_head_says_no_more_than_when(self):
        assert folded([page(), sop()]).said.keys() == {"created_at", "updated_at"}


class TestEdits:
    def test_a_block_of_a_person_is_there_with_all_that_was_sent(self):
        added = example(BlockAdded)
        block = folded([added]).children[BLOCKS, added.block_id]
        said = {"type": "text", "title": "Who to ask", "props": {"notes": "Ask Ada."}, "sort": 1, "by_person": True}
        assert said.items() <= block.items()
        assert (block["parent_id"], block["provenance"]) == (added.parent_id, None)

    def test_a_changed_skill_is_still_its_session_s(self):
        changed = BlockChanged(block_id="b-t1", type="sop", title="x", props={"tool_sops": []}, session_id="s1")
        block = folded([page(), sop(), changed], 2).children[BLOCKS, "b-t1"]
        assert (block["title"], block["props"], block["provenance"]["session_id"]) == ("x", {"tool_sops": []}, "s1")
        assert block["created_at"] < block["updated_at"]

    def test_a_moved_block_stands_elsewhere_and_those_beside_it_are_no_younger(self):
        events = [page(), page("p2", "report", 1), BlocksShifted(sorts={"p1": 1}), BlockMoved(block_id="p2", sort=0)]
        store = folded(events, 2)
        first, second = store.children[BLOCKS, "p1"], store.children[BLOCKS, "p2"]
        assert (first["sort"], second["sort"]) == (1, 0)
        assert first["updated_at"] == first["created_at"]
        assert second["updated_at"] > second["created_at"]

    def test_a_renamed_tool_has_its_new_name_in_the_steps_named(self):
        renamed = ToolRenamed(old_name="create_ticket", new_name="open", steps={"b-t1": (0,), "gone": (0,)})
        for cuts in ([], [2]):
            store = folded([page(), sop(), renamed], *cuts)
            assert store.children[BLOCKS, "b-t1"]["props"]["tool_sops"] == [
                {"tool_name": "open", "action": "Create it."}
            ]
            assert (BLOCKS, "gone") not in store.children

    def test_folding_leaves_events_as_they_are(self):
        changed = example(BlockChanged)
        renamed = ToolRenamed(old_name="search_news", new_name="x", steps={changed.block_id: (0,)})
        before = changed.model_copy(deep=True)
        folded([page(), example(SopFiled, parent_id="p1"), changed, renamed])
        assert changed == before


class TestProposals:
    PROPOSED = example(LessonProposed, proposal_id=event_id(SPACE_ID, TASK_ID, "proposal"))

    def test_wait_for_a_person(self):
        store = folded([self.PROPOSED])
        proposal = store.children[PROPOSALS, self.PROPOSED.proposal_id]
        assert (proposal["state"], proposal["task_id"]) == ("open", TASK_ID)
        assert proposal["proposed"]["use_when"] == self.PROPOSED.use_when
        lesson = store.children[LESSONS, f"{SPACE_ID}/{TASK_ID}"]
        assert (lesson["state"], lesson["block_id"]) == ("waiting for a person", None)

    @pytest.mark.parametrize("cuts", [[], [1]])
    def test_are_kept_with_what_was_said(self, cuts: list[int]):
        saved = folded([self.PROPOSED, example(SopFiled)], *cuts)
        assert saved.children[PROPOSALS, self.PROPOSED.proposal_id]["state"] == "saved"
        assert saved.children[LESSONS, f"{SPACE_ID}/{TASK_ID}"]["state"] == "learned"
        declined = folded([self.PROPOSED, example(LessonSkipped)], *cuts)
        assert declined.children[PROPOSALS, self.PROPOSED.proposal_id]["state"] == "declined"
        assert declined.children[LESSONS, f"{SPACE_ID}/{TASK_ID}"]["state"] == "skipped"

    def test_of_a_forgotten_session_go(self):
        store = folded([self.PROPOSED, example(SessionForgotten)], 1)
        assert store.children == {
            (FORGOTTEN, f"{SPACE_ID}/{SESSION_ID}"): {
                "project": PROJECT,
                "space_id": SPACE_ID,
                "session_id": SESSION_ID,
            }
        }


class TestLessons:
    def test_a_learned_one_names_its_block(self):
        lesson = folded([page(), sop()]).children[LESSONS, f"{SPACE_ID}/t1"]
        assert (lesson["state"], lesson["block_id"], lesson["reason"]) == ("learned", "b-t1", None)
        assert (lesson["session_id"], lesson["task_id"], lesson["engine"]) == ("s1", "t1", "rules")

    def test_a_skipped_one_has_its_reason(self):
        lesson = folded([skipped()]).children[LESSONS, f"{SPACE_ID}/t2"]
        assert (lesson["state"], lesson["block_id"], lesson["reason"]) == ("skipped", None, "too simple")


class TestForgetting:
    def test_its_skills_lessons_and_empty_pages_go_and_others_stay(self):
        taught = [page(), sop("t1"), skipped("t2"), page("p2", "report", 1), sop("t3", "s2", "p2")]
        store = folded([*taught, SessionForgotten(session_id="s1", removed_pages=("p1",))])
        left = {(BLOCKS, "p2"), (BLOCKS, "b-t3"), (LESSONS, f"{SPACE_ID}/t3"), (FORGOTTEN, f"{SPACE_ID}/s1")}
        assert set(store.children) == left

    def test_sessions_that_an_older_head_lists_stay_forgotten(self):
        head = project({"forgotten": ["s0"], "pages": []}, history(TREE, page())).head
        assert (head["forgotten"], "pages" in head) == (["s0"], False)
        assert tree(Stored(head, forgotten=[{"session_id": "s1"}])).forgotten == {"s0", "s1"}

    def test_only_this_space_is_searched(self):
        changes = project(None, history(TREE, SessionForgotten(session_id="s1")))
        assert all(wanted["space_id"] == SPACE_ID for _, wanted in changes.drop)


HISTORY = (
    page(),
    sop("t1"),
    skipped("t2"),
    page("p2", "report", 1),
    sop("t3", "s2", "p2"),
    SessionForgotten(session_id="s1", removed_pages=("p1",)),
    page("p3", "ticket", 2),
    sop("t4", "s2", "p3"),
    BlockChanged(block_id="b-t3", type="sop", title="x", props={"tool_sops": [{"tool_name": "a", "action": ""}]}),
    ToolRenamed(old_name="a", new_name="b", steps={"b-t3": (0,), "b-t4": (0,)}),
    BlocksRemoved(block_ids=("b-t4", "p3")),
)


class TestAnyBatches:
    @always(st.sets(st.integers(1, len(HISTORY) - 1)))
    def test_one_at_a_time_or_all_at_once_is_the_same(self, cuts: set[int]):
        one, other = folded(HISTORY, *sorted(cuts)), folded(HISTORY)
        assert (one.head, one.children) == (other.head, other.children)

    def test_an_event_of_a_later_time_changes_nothing_but_the_date(self):
        known = folded([page(), sop()])
        after = project(known.head, [recorded(TREE, 3, None)])
        assert (after.children, after.patches, after.drop) == ({}, {}, [])
        assert {**after.head, "updated_at": None} == {**known.said, "updated_at": None}
