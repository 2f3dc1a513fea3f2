"""The pure fold from a tree's events to what the index holds."""

from craftlog.contracts.events import LessonSkipped, PageAdded, SessionForgotten, SopFiled, ToolStep
from craftlog.search.projection import SKILLS, project
from craftlog.testing.examples import PROJECT, SESSION_ID, SOP_ID, SPACE_ID, TREE, example, history

OTHER_SOP = "77777777-7777-4777-8777-777777777778"


class TestAFiledSkill:
    def test_becomes_what_a_search_answers_with(self):
        steps = (ToolStep(tool_name="find", action="look it up"), ToolStep(tool_name="send", action="send it"))
        filed = example(SopFiled, use_when="somebody asks", preferences="be brief", tool_sops=steps)
        changes = project(None, history(TREE, example(PageAdded), filed))
        assert changes.children == {
            (SKILLS, SOP_ID): {
                "project": PROJECT,
                "space_id": SPACE_ID,
                "session_id": SESSION_ID,
                "type": "sop",
                "title": "somebody asks",
                "props": {
                    "use_when": "somebody asks",
                    "preferences": "be brief",
                    "tool_sops": [
                        {"order": 0, "tool_name": "find", "action": "look it up"},
                        {"order": 1, "tool_name": "send", "action": "send it"},
                    ],
                },
                "engine": "rules",
                "version": 2,
            }
        }

    def test_stands_beside_those_of_the_same_batch(self):
        changes = project(None, history(TREE, example(SopFiled), example(SopFiled, block_id=OTHER_SOP)))
        assert [block_id for _, block_id in changes.children] == [SOP_ID, OTHER_SOP]


class TestAForgottenSession:
    def test_takes_its_skills_out_of_this_space_only(self):
        changes = project({"version": 1}, history(TREE, example(SessionForgotten)))
        assert changes.drop == [(SKILLS, {"project": PROJECT, "space_id": SPACE_ID, "session_id": SESSION_ID})]
        assert not changes.children


class TestEverythingElse:
    def test_changes_nothing(self):
        changes = project(None, history(TREE, example(PageAdded), example(LessonSkipped), None))
        assert (changes.head, changes.children, changes.drop) == ({}, {}, [])

    def test_folds_the_same_in_one_batch_as_one_by_one(self):
        events = history(TREE, example(PageAdded), example(SopFiled), example(SopFiled, block_id=OTHER_SOP))
        one_by_one = [project(None, [event]).children for event in events]
        assert project(None, events).children == {key: value for each in one_by_one for key, value in each.items()}
