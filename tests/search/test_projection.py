"""The pure fold from a tree's events to what the index holds."""

import pytest

from craftlog.contracts.events import (
    BlockAdded,
    BlockChanged,
    BlockMoved,
    BlocksRemoved,
    BlocksShifted,
    LessonProposed,
    LessonSkipped,
    PageAdded,
    SessionForgotten,
    SopFiled,
    ToolRenamed,
    TreeDeleted,
)
from craftlog.search.projection import SKILLS, project
from craftlog.testing.examples import PAGE_ID, PROJECT, SESSION_ID, SOP_ID, SPACE_ID, TREE, example, history

OTHER_SOP = "77777777-7777-4777-8777-777777777778"


class TestAFiledSkill:
    def test_is_found_by_its_use(self):
        filed = example(SopFiled, use_when="somebody asks")
        changes = project(None, history(TREE, example(PageAdded), filed))
        assert changes.children == {
            (SKILLS, SOP_ID): {
                "project": PROJECT,
                "space_id": SPACE_ID,
                "session_id": SESSION_ID,
                "type": "sop",
                "title": "somebody asks",
                "version": 2,
                "means": "somebody asks",
            }
        }

    def test_stands_beside_those_of_the_same_batch(self):
        changes = project(None, history(TREE, example(SopFiled), example(SopFiled, block_id=OTHER_SOP)))
        assert [block_id for _, block_id in changes.children] == [SOP_ID, OTHER_SOP]


class TestABlockOfAPerson:
    @pytest.mark.parametrize(
        ("title", "props", "means"),
        [
            ("Who to ask", {"notes": "Ask Ada."}, "Who to ask\nAsk Ada."),
            ("", {"text": "Ask Ada."}, "\nAsk Ada."),
            ("Who to ask", {"notes": 7}, "Who to ask\n"),
        ],
    )
    def test_is_found_by_all_that_it_says(self, title: str, props: dict[str, object], means: str):
        added = example(BlockAdded, title=title, props=props)
        [point] = project(None, history(TREE, added)).children.values()
        assert (point["means"], point["type"], point["session_id"]) == (means, "text", None)

    @pytest.mark.parametrize("kind", ["folder", "page"])
    def test_is_not_found_where_others_stand_in_it(self, kind: str):
        events = history(TREE, example(BlockAdded, type=kind), example(BlockChanged, type=kind))
        assert project(None, events).children == {}

    def test_that_says_nothing_is_not_found(self):
        assert project(None, history(TREE, example(BlockChanged, title=""))).children == {(SKILLS, SOP_ID): None}

    def test_takes_the_place_of_what_was_learned_and_goes_with_it(self):
        changed = example(BlockChanged)
        [point] = project(None, history(TREE, example(SopFiled), changed)).children.values()
        assert (point["title"], point["session_id"], point["version"]) == (changed.title, SESSION_ID, 2)

    def test_that_is_removed_is_gone(self):
        changes = project(None, history(TREE, example(SopFiled), BlocksRemoved(block_ids=(SOP_ID, PAGE_ID))))
        assert changes.children == {(SKILLS, SOP_ID): None, (SKILLS, PAGE_ID): None}


class TestADeletedTree:
    def test_leaves_nothing_of_what_came_with_it(self):
        changes = project({"version": 1}, history(TREE, example(SopFiled), TreeDeleted()))
        assert (changes.children, changes.drop) == ({}, [(SKILLS, {"project": PROJECT, "space_id": SPACE_ID})])


class TestAForgottenSession:
    def test_takes_its_skills_out_of_this_space_only(self):
        changes = project({"version": 1}, history(TREE, example(SessionForgotten)))
        assert changes.drop == [(SKILLS, {"project": PROJECT, "space_id": SPACE_ID, "session_id": SESSION_ID})]
        assert not changes.children


class TestEverythingElse:
    def test_changes_nothing(self):
        others = (PageAdded, LessonSkipped, LessonProposed, BlockMoved, BlocksShifted, ToolRenamed)
        changes = project(None, history(TREE, *map(example, others), None))
        assert (changes.head, changes.children, changes.drop) == ({}, {}, [])

    def test_folds_the_same_in_one_batch_as_one_by_one(self):
        events = history(TREE, example(PageAdded), example(SopFiled), example(SopFiled, block_id=OTHER_SOP))
        one_by_one = [project(None, [event]).children for event in events]
        assert project(None, events).children == {key: value for each in one_by_one for key, value in each.items()}
