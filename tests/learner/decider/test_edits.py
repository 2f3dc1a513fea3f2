"""What people may do to a tree, and what each edit comes to."""

import pytest
from tests.learner.decider.commands import SPACE, decided, file

from craftlog.contracts.events import BlockAdded, BlockChanged, BlockMoved, BlocksRemoved, BlocksShifted, ToolRenamed
from craftlog.contracts.questions import AddBlock, ChangeBlock, MoveBlock, RemoveBlock, SortBlock
from craftlog.learner.decider import RenameTools
from craftlog.learner.decider.refusals import AbsentError, ReusedKeyError, WrongEditError

STEPS = [{"tool_name": "find", "action": "look it up"}, {"tool_name": "send", "action": "send it"}]
SOP = {"preferences": "be brief", "tool_sops": STEPS}


def add(block_id: str, kind: str, parent_id: str | None = None, **more: object) -> AddBlock:
    return AddBlock.model_validate({"block_id": block_id, "type": kind, "parent_id": parent_id, **more})


def move(block_id: str, parent_id: str | None = None, sort: int | None = None) -> MoveBlock:
    return MoveBlock(block_id=block_id, parent_id=parent_id, sort=sort)


FOLDER, PAGE = add("f1", "folder"), add("p1", "page")
SKILL = add("s1", "sop", "p1", title="somebody asks", props=SOP)
WITH_PAGE = SPACE.given(*decided(PAGE))
WITH_SKILL = SPACE.given(*decided(PAGE, SKILL))
FIVE = SPACE.given(*decided(PAGE, *(add(f"n{number}", "text", "p1") for number in range(5))))


class TestAdd:
    def test_puts_a_block_last(self):
        [first, second, below] = decided(FOLDER, PAGE, add("p2", "page", "f1", title="x", props={"a": None}))
        assert first == BlockAdded(block_id="f1", type="folder", title="", sort=0)
        assert (second.parent_id, second.sort) == (None, 1)
        assert below == BlockAdded(block_id="p2", type="page", title="x", sort=0, parent_id="f1", props={"a": None})

    def test_again_is_quiet(self):
        WITH_SKILL.when(SKILL).then_nothing_happened()

    def test_again_after_it_was_changed_is_quiet(self):
        changed = decided(
            PAGE, SKILL, ChangeBlock(block_id="s1", title="nobody asks"), RemoveBlock(block_id="p1"), PAGE
        )
        SPACE.given(*changed).when(PAGE).then_nothing_happened()

    def test_of_another_block_with_the_same_key_is_refused(self):
        keyed = SPACE.given(*decided(add("p1", "page", request="digest")))
        keyed.when(add("p1", "page", request="digest")).then_nothing_happened()
        keyed.when(add("p1", "page", request="other")).then_rejected(ReusedKeyError, "added another block")

    @pytest.mark.parametrize(
        ("kind", "parent", "words"),
        [
            ("sop", None, "stands on a page; say on which"),
            ("text", None, "stands on a page; say on which"),
            ("sop", "f1", "a sop stands in a page, and this is a folder"),
            ("page", "p1", "a page stands in a folder, and this is a page"),
            ("folder", "p1", "a folder stands in a folder, and this is a page"),
            ("text", "n1", "a text stands in a page, and this is a text"),
        ],
    )
    def test_where_it_cannot_stand_is_refused(self, kind: str, parent: str | None, words: str):
        tree = SPACE.given(*decided(FOLDER, PAGE, add("n1", "text", "p1")))
        tree.when(add("x", kind, parent, props=SOP)).then_rejected(WrongEditError, words)

    def test_under_what_is_not_there_is_refused(self):
        SPACE.when(add("x", "page", "f9")).then_rejected(AbsentError, "there is no block f9")

    @pytest.mark.parametrize(("kind", "title"), [("folder", "SDK_E2E_Folder"), ("page", "SDK_E2E_Folder")])
    def test_makes_a_piece_of_a_path_of_the_title_of_a_folder_or_page(self, kind: str, title: str):
        [added] = decided(add("x", kind, title="SDK E2E Folder"))
        assert added.title == title

    def test_keeps_the_title_of_what_stands_on_a_page(self):
        assert [event.title for event in decided(PAGE, SKILL)] == ["", "somebody asks"]

    @pytest.mark.parametrize("title", ["a/b", " a", "a\n", "/"])
    def test_with_a_title_that_no_path_can_have_is_refused(self, title: str):
        SPACE.when(add("x", "page", title=title)).then_rejected(WrongEditError, "must not")
        WITH_PAGE.when(ChangeBlock(block_id="p1", title=title)).then_rejected(WrongEditError, "must not")


class TestTheStepsOfASop:
    def test_have_tools_in_lower_case(self):
        sent = {"tool_sops": [{"tool_name": " Find_Customer ", "action": "x"}, {"tool_name": "B", "action": None}]}
        _, sop = decided(PAGE, add("s1", "sop", "p1", props={**sent, "color": "red"}))
        steps = [{"tool_name": "find_customer", "action": "x"}, {"tool_name": "b", "action": ""}]
        assert sop.props == {"preferences": "", "tool_sops": steps, "color": "red"}

    @pytest.mark.parametrize(
        ("props", "field"),
        [
            ({}, "props"),
            ({"preferences": " ", "tool_sops": []}, "props"),
            ({"preferences": 1}, "props.preferences"),
            ({"tool_sops": {}}, "props.tool_sops"),
            ({"tool_sops": [1]}, "props.tool_sops[0]"),
            ({"tool_sops": [{"tool_name": "a"}, {"action": "x"}]}, "props.tool_sops[1].tool_name"),
            ({"tool_sops": [{"tool_name": " "}]}, "props.tool_sops[0].tool_name"),
            ({"tool_sops": [{"tool_name": ["a"]}]}, "props.tool_sops[0].tool_name"),
            ({"tool_sops": [{"tool_name": "a", "action": {}}]}, "props.tool_sops[0].action"),
        ],
    )
    def test_are_refused_by_their_place_where_they_are_none(self, props: dict[str, object], field: str):
        for command in (add("x", "sop", "p1", props=props), ChangeBlock(block_id="s1", props=props)):
            with pytest.raises(WrongEditError) as refused:
                WITH_SKILL.when(command).decided()
            assert refused.value.field == field

    def test_of_other_types_are_nobody_s_business(self):
        _, note = decided(PAGE, add("n1", "text", "p1", props={"tool_sops": 1}))
        assert note.props == {"tool_sops": 1}


class TestChange:
    def test_says_all_that_the_block_says_now(self):
        WITH_SKILL.when(ChangeBlock(block_id="s1", title="nobody asks")).then(
            BlockChanged(block_id="s1", type="sop", title="nobody asks", props=SOP)
        )
        WITH_PAGE.when(ChangeBlock(block_id="p1", props={"a": 1})).then(
            BlockChanged(block_id="p1", type="page", title="", props={"a": 1})
        )

    def test_of_a_learned_skill_says_who_taught_it(self):
        _, sop = decided(file())
        changed = SPACE.given(*decided(file())).when(ChangeBlock(block_id=sop.block_id, title="x")).decided()[0]
        assert (changed.session_id, changed.props["preferences"]) == ("s1", "ask first")

    def test_to_what_it_says_already_is_quiet(self):
        WITH_SKILL.when(ChangeBlock(block_id="s1", title="somebody asks", props=SOP)).then_nothing_happened()
        WITH_SKILL.when(ChangeBlock(block_id="s1", title="")).then_nothing_happened()

    def test_of_one_to_true_is_a_change(self):
        page = SPACE.given(*decided(add("p1", "page", props={"on": 1})))
        assert page.when(ChangeBlock(block_id="p1", props={"on": True})).decided()

    def test_of_what_is_not_there_is_refused(self):
        SPACE.when(ChangeBlock(block_id="x", title="y")).then_rejected(AbsentError, "there is no block x")


class TestMove:
    def test_to_another_parent_closes_the_gap(self):
        tree = SPACE.given(*decided(FOLDER, PAGE, add("p2", "page"), add("p3", "page", "f1")))
        tree.when(move("p1", "f1")).then(
            BlocksShifted(sorts={"p2": 1}), BlockMoved(block_id="p1", parent_id="f1", sort=1)
        )
        tree.when(move("p1", "f1", 0)).then(
            BlocksShifted(sorts={"p3": 1, "p2": 1}), BlockMoved(block_id="p1", parent_id="f1", sort=0)
        )

    def test_to_the_root_needs_no_parent(self):
        tree = SPACE.given(*decided(FOLDER, add("p1", "page", "f1")))
        tree.when(move("p1")).then(BlockMoved(block_id="p1", sort=1))
        tree.when(move("p1", sort=0)).then(BlocksShifted(sorts={"f1": 1}), BlockMoved(block_id="p1", sort=0))

    def test_of_what_cannot_stand_at_the_root_stays_with_its_parent(self):
        FIVE.when(move("n0")).then(
            BlocksShifted(sorts={"n1": 0, "n2": 1, "n3": 2, "n4": 3}),
            BlockMoved(block_id="n0", parent_id="p1", sort=4),
        )

    def test_to_where_it_stands_is_quiet(self):
        FIVE.when(move("n2", "p1", 2)).then_nothing_happened()
        FIVE.when(move("n4", "p1")).then_nothing_happened()
        FIVE.when(SortBlock(block_id="n2", sort=2)).then_nothing_happened()

    def test_past_several_siblings_shifts_each_of_them(self):
        FIVE.when(SortBlock(block_id="n3", sort=0)).then(
            BlocksShifted(sorts={"n0": 1, "n1": 2, "n2": 3}), BlockMoved(block_id="n3", parent_id="p1", sort=0)
        )

    @pytest.mark.parametrize(("sort", "place"), [(-7, 0), (99, 4), (2**62, 4)])
    def test_beyond_the_end_is_the_end(self, sort: int, place: int):
        assert FIVE.when(SortBlock(block_id="n2", sort=sort)).decided()[-1].sort == place
        assert FIVE.when(move("n2", "p1", sort)).decided()[-1].sort == place

    @pytest.mark.parametrize("parent", ["f1", "f2", "f3"])
    def test_into_itself_or_below_is_refused(self, parent: str):
        tree = SPACE.given(*decided(FOLDER, add("f2", "folder", "f1"), add("f3", "folder", "f2")))
        tree.when(move("f1", parent)).then_rejected(WrongEditError, "is the block itself, or below it")

    def test_under_the_wrong_type_or_nothing_is_refused(self):
        WITH_SKILL.when(move("p1", "s1")).then_rejected(WrongEditError, "stands in a folder, and this is a sop")
        WITH_SKILL.when(move("s1", "p9")).then_rejected(AbsentError, "there is no block p9")
        WITH_SKILL.when(move("x")).then_rejected(AbsentError, "there is no block x")


class TestRemove:
    def test_takes_all_that_is_below_the_lowest_first(self):
        tree = SPACE.given(*decided(FOLDER, add("p1", "page", "f1"), SKILL, add("p2", "page")))
        tree.when(RemoveBlock(block_id="f1")).then(
            BlocksRemoved(block_ids=("s1", "p1", "f1")), BlocksShifted(sorts={"p2": 0})
        )

    def test_is_quiet_where_it_is_gone(self):
        SPACE.given(*decided(PAGE, RemoveBlock(block_id="p1"))).when(RemoveBlock(block_id="p1")).then_nothing_happened()

    def test_of_a_learned_skill_does_not_bring_it_back(self):
        _, sop = decided(file())
        SPACE.given(*decided(file(), RemoveBlock(block_id=sop.block_id))).when(file()).then_nothing_happened()

    def test_of_thousands_is_still_one_decision(self):
        many = SPACE.given(*decided(PAGE), *(_note(number) for number in range(2500)))
        removed = many.when(RemoveBlock(block_id="p1")).decided()
        assert [len(event.block_ids) for event in removed] == [1000, 1000, 501]
        assert removed[-1].block_ids[-1] == "p1"


class TestRename:
    def test_names_every_step_that_has_another_tool_now(self):
        twice = add("s2", "sop", "p1", props={"tool_sops": [STEPS[1], STEPS[0], STEPS[1]]})
        tree = SPACE.given(*decided(PAGE, SKILL, twice))
        tree.when(RenameTools((("send", "mail"), ("nobody", "x")))).then(
            ToolRenamed(old_name="send", new_name="mail", steps={"s1": (1,), "s2": (0, 2)})
        )

    def test_again_is_quiet(self):
        renamed = decided(PAGE, SKILL, RenameTools((("send", "mail"),)))
        SPACE.given(*renamed).when(RenameTools((("send", "mail"),))).then_nothing_happened()

    def test_to_the_same_name_is_nothing(self):
        WITH_SKILL.when(RenameTools((("send", "send"),))).then_nothing_happened()

    def test_to_a_name_that_another_tool_has_makes_one_of_the_two(self):
        renamed = SPACE.given(*decided(PAGE, SKILL, RenameTools((("send", "find"),))))
        renamed.when(RenameTools((("find", "x"),))).then(
            ToolRenamed(old_name="find", new_name="x", steps={"s1": (0, 1)})
        )

    def test_goes_for_what_was_learned_as_well(self):
        _, sop = decided(file())
        SPACE.given(*decided(file())).when(RenameTools((("create_ticket", "x"),))).then(
            ToolRenamed(old_name="create_ticket", new_name="x", steps={sop.block_id: (0,)})
        )


def _note(number: int) -> BlockAdded:
    return BlockAdded(block_id=f"n{number}", type="text", title="", sort=number, parent_id="p1")
