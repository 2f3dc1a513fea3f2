"""The read model of a tree: pages and skills as blocks, a lesson a task, and what a deleted session leaves."""

from collections.abc import Sequence

import pytest
from hypothesis import given as always
from hypothesis import strategies as st

from craftlog.contracts.events import Event, LessonSkipped, PageAdded, Provenance, SessionForgotten, SopFiled, ToolStep
from craftlog.contracts.readmodels import BLOCKS, LESSONS, Changes, Document
from craftlog.learner.decider import evolve
from craftlog.learner.projection import project, tree
from craftlog.testing.examples import PROJECT, SPACE_ID, TREE, history, recorded


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


class Store:
    """Applies changes as the real one does: children, then drops, then the head."""

    def __init__(self) -> None:
        self.head: Document | None = None
        self.children: dict[tuple[str, str], Document] = {}

    def apply(self, changes: Changes) -> None:
        for key, child in changes.children.items():
            if child is None:
                self.children.pop(key, None)
            else:
                self.children[key] = child
        for collection, wanted in changes.drop:
            gone = [key for key, child in self.children.items() if key[0] == collection and _matches(child, wanted)]
            for key in gone:
                del self.children[key]
        self.head = changes.head


def _matches(document: Document, wanted: Document) -> bool:
    def field(path: str) -> object:
        value: object = document
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return all(field(path) == value for path, value in wanted.items())


def folded(events: Sequence[Event], *cuts: int) -> Store:
    """The store after these events, folded in batches that end at the cuts."""
    store, records = Store(), history(TREE, *events)
    for start, end in zip((0, *cuts), (*cuts, len(records)), strict=True):
        if batch := records[start:end]:
            store.apply(project(store.head, batch))
    return store


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

    def test_the_head_counts_what_is_on_each_page(self):
        head = folded([page(), sop("t1"), sop("t2", "s2", sort=1)]).head
        assert head is not None
        only = {"id": "p1", "title": "ticket", "blocks": 2, "next_sort": 2, "filed": {"s1": 1, "s2": 1}}
        assert (head["pages"], head["next_sort"]) == ([only], 1)

    def test_a_skill_without_its_page_cannot_be_folded(self):
        with pytest.raises(ValueError, match="page p1, which is not in the tree"):
            project(None, history(TREE, sop()))


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
        assert set(store.children) == {(BLOCKS, "p2"), (BLOCKS, "b-t3"), (LESSONS, f"{SPACE_ID}/t3")}
        assert store.head is not None
        assert [page["title"] for page in store.head["pages"]] == ["report"]
        assert store.head["forgotten"] == ["s1"]

    def test_only_this_space_is_searched(self):
        changes = project(None, history(TREE, SessionForgotten(session_id="s1")))
        assert all(wanted["space_id"] == SPACE_ID for _, wanted in changes.drop)

    def test_a_log_whose_events_were_erased_gives_the_same_read_model(self):
        taught = [page(), sop("t1"), sop("t2", "s2", sort=1), page("p2", "report", 1), sop("t3", "s1", "p2")]
        events = [*taught, SessionForgotten(session_id="s1", removed_pages=("p2",))]
        whole = folded(events)
        left = [one for one in history(TREE, *events) if one.version not in (2, 4, 5)]
        store = Store()
        store.apply(project(None, left))
        free_again = {"next_sort": 1}  # the place of the page that went
        assert (store.head, store.children) == (whole.head | free_again, whole.children)


HISTORY = (
    page(),
    sop("t1"),
    skipped("t2"),
    page("p2", "report", 1),
    sop("t3", "s2", "p2"),
    SessionForgotten(session_id="s1", removed_pages=("p1",)),
    page("p3", "ticket", 2),
    sop("t4", "s2", "p3"),
)


class TestAnyBatches:
    @always(st.sets(st.integers(1, len(HISTORY) - 1)))
    def test_one_at_a_time_or_all_at_once_is_the_same(self, cuts: set[int]):
        one, other = folded(HISTORY, *sorted(cuts)), folded(HISTORY)
        assert (one.head, one.children) == (other.head, other.children)

    def test_an_event_of_a_later_time_changes_nothing_but_the_date(self):
        known = folded([page(), sop()])
        after = project(known.head, [recorded(TREE, 3, None)])
        assert (after.children, after.drop) == ({}, [])
        assert {**after.head, "updated_at": None} == {**(known.head or {}), "updated_at": None}

    def test_a_decider_starts_from_the_head(self):
        state = tree(folded(HISTORY).head, frozenset({"t3", "t4"}))
        more = evolve(state, sop("t5", "s3", "p3", sort=1))
        assert (more.pages["p3"].filed, more.pages["p3"].next_sort) == ({"s2": 1, "s3": 1}, 2)
        assert (more.settled, more.forgotten) == ({"t3", "t4", "t5"}, {"s1"})
