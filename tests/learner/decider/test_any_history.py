"""What holds of a tree whatever people and the learner do to it, in any order."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce

from hypothesis import given as always
from hypothesis import strategies as st
from tests.learner.decider.commands import file, skip

from craftlog.contracts.events import (
    BlockChanged,
    Event,
    LessonProposed,
    LessonSkipped,
    PageAdded,
    SessionForgotten,
    SopFiled,
)
from craftlog.contracts.questions import AddBlock, ChangeBlock, MoveBlock, RemoveBlock, ResolveProposal, SortBlock
from craftlog.contracts.readmodels import BLOCKS, FORGOTTEN, LESSONS, PROPOSALS, Document
from craftlog.learner.decider import Command, DeleteTree, RenameTools, decide
from craftlog.learner.decider.lessons import ForgetSession
from craftlog.learner.decider.refusals import EditRefusedError
from craftlog.learner.decider.state import INITIAL, State, evolve
from craftlog.learner.projection import Stored, project, tree
from craftlog.testing.examples import EXAMPLES, TREE, history
from craftlog.testing.folding import ReadModel, fold

TASKS, SESSIONS, IDS = ["t1", "t2", "t3"], ["s1", "s2"], [f"b{number}" for number in range(8)]
TOOLS = ["create_ticket", "find", "send"]
SOPS = st.lists(st.sampled_from(TOOLS), min_size=1, max_size=3).map(
    lambda tools: {"tool_sops": [{"tool_name": tool, "action": "x"} for tool in tools]}
)
# Which block is meant: mostly one that is there by then, the learner's included.
BLOCK = st.integers(0, 11)
PARENT = st.one_of(st.none(), st.none(), BLOCK)
TITLE = st.sampled_from(["", "x", "ticket"])
# A tree in which there is something to move.
PLANTED = [
    ("add", "b0", "folder", None, ""),
    ("add", "b1", "page", None, "ticket"),
    ("add", "b2", "page", None, ""),
    *(("add on page", f"b{number}", "text", 1, {}) for number in range(3, 6)),
]
WISHED = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(IDS), st.sampled_from(["folder", "page"]), PARENT, TITLE),
        st.tuples(st.just("add on page"), st.sampled_from(IDS), st.sampled_from(["sop", "text"]), PARENT, SOPS),
        st.tuples(st.just("change"), BLOCK, TITLE, st.none() | SOPS),
        st.tuples(st.just("move"), BLOCK, PARENT, st.none() | st.integers(-1, 5)),
        st.tuples(st.just("sort"), BLOCK, st.integers(-1, 5)),
        st.tuples(st.just("remove"), BLOCK),
        st.tuples(st.just("rename"), st.sampled_from(TOOLS), st.sampled_from(["found", "find"])),
        st.tuples(st.just("file"), st.sampled_from(TASKS), st.sampled_from(SESSIONS), st.sampled_from(["ticket", "x"])),
        st.tuples(st.just("propose"), st.sampled_from(TASKS), st.sampled_from(SESSIONS)),
        st.tuples(st.just("resolve"), st.sampled_from(TASKS), st.booleans()),
        st.tuples(st.just("skip"), st.sampled_from(TASKS), st.sampled_from(SESSIONS)),
        st.tuples(st.just("forget"), st.sampled_from(SESSIONS)),
    ),
    max_size=20,
)
WISHES = st.one_of(WISHED, WISHED.map(lambda wishes: [*PLANTED, *wishes]))


def command(state: State, wish: tuple) -> Command:  # noqa: C901, PLR0911 - one wish a command
    def meant(block: str | int | None) -> str | None:
        known = [*state.blocks, "nothing"]
        return known[block % len(known)] if isinstance(block, int) else block

    match wish:
        case ("add", block_id, kind, parent, title):
            return AddBlock(block_id=block_id, type=kind, parent_id=meant(parent), title=title)
        case ("add on page", block_id, kind, parent, props):
            return AddBlock(block_id=block_id, type=kind, parent_id=meant(parent), props=props)
        case ("change", block, title, props):
            return ChangeBlock(block_id=meant(block) or "", title=title, props=props)
        case ("move", block, parent, sort):
            return MoveBlock(block_id=meant(block) or "", parent_id=meant(parent), sort=sort)
        case ("sort", block, sort):
            return SortBlock(block_id=meant(block) or "", sort=sort)
        case ("remove", block):
            return RemoveBlock(block_id=meant(block) or "")
        case ("rename", old, new):
            return RenameTools(((old, new),))
        case ("file", task, session, page):
            return file(task, session, page)
        case ("propose", task, session):
            return replace(file(task, session), confirm=True)
        case ("resolve", task, save):
            return ResolveProposal(task_id=task, save=save)
        case ("skip", task, session):
            return skip(task, session)
        case ("forget", session):
            return ForgetSession(session)
    raise AssertionError(wish)


def done(wishes: Sequence[tuple]) -> Iterator[tuple[State, Command, Sequence[Event]]]:
    """What becomes of each wish that is not refused: the state after it, the command and its events."""
    state = INITIAL
    for wish in wishes:
        wanted = command(state, wish)
        try:
            events = decide(state, wanted)
        except EditRefusedError:
            continue
        state = reduce(evolve, events, state)
        yield state, wanted, events


def all_events(wishes: Sequence[tuple]) -> list[Event]:
    return [event for _, _, events in done(wishes) for event in events]


class TestATree:
    @always(WISHES)
    def test_has_every_block_where_its_type_may_stand_and_places_without_gaps(self, wishes: list[tuple]):
        for state, _, _ in done(wishes):
            for block_id, block in state.blocks.items():
                parent = state.blocks[block.parent_id].type if block.parent_id else "root"
                assert parent in {"folder": ("root", "folder"), "page": ("root", "folder")}.get(block.type, ("page",))
                assert block_id in state.below(_root(state, block_id))
            for parent_id in (None, *state.blocks):
                children = state.children(parent_id)
                assert [state.blocks[child].sort for child in children] == list(range(len(children)))

    @always(WISHES)
    def test_hears_the_same_again_in_silence(self, wishes: list[tuple]):
        for state, wanted, _ in done(wishes):
            assert decide(state, wanted) == []

    @always(WISHES)
    def test_never_learns_again_what_was_learned_or_forgotten(self, wishes: list[tuple]):
        state = reduce(evolve, all_events(wishes), INITIAL)
        for task in state.settled:
            assert decide(state, file(task, "s9")) == []
        for session in state.forgotten:
            assert decide(state, file("t9", session)) == []
            assert not [one for one in state.blocks.values() if one.session_id == session]
            assert not [one for one in state.proposals.values() if one.provenance.session_id == session]

    @always(WISHES)
    def test_keeps_what_people_made_until_they_remove_it(self, wishes: list[tuple]):
        made = set[str]()
        for state, wanted, events in done(wishes):
            if isinstance(wanted, AddBlock):
                made.add(wanted.block_id)
            made.difference_update(gone for event in events for gone in getattr(event, "block_ids", ()))
            assert made == {block_id for block_id, block in state.blocks.items() if block.by_person}


class TestAReadModel:
    @always(WISHES, st.sets(st.integers(1, 30)))
    def test_is_where_decisions_start_from(self, wishes: list[tuple], cuts: set[int]):
        events = all_events(wishes)
        if events:
            assert_same(tree(stored(fold(project, history(TREE, *events), cuts))), reduce(evolve, events, INITIAL))

    @always(WISHES, st.integers(0, 30), st.integers(0, 30))
    def test_whose_children_are_newer_than_its_head_is_no_worse_start(self, wishes: list[tuple], head: int, all_: int):
        events = all_events(wishes)
        head, all_ = sorted((min(head, len(events)), min(all_, len(events))))
        newer = fold(project, history(TREE, *events[:all_])) if all_ else ReadModel(head={})
        assert_same(reduce(evolve, events[head:], tree(stored(newer))), reduce(evolve, events, INITIAL))

    @always(WISHES, st.integers(1, 30))
    def test_of_a_deleted_tree_has_nothing(self, wishes: list[tuple], cut: int):
        events = [*all_events(wishes), *decide(INITIAL, DeleteTree())]
        model = fold(project, history(TREE, *events), [cut])
        assert (model.said, model.children) == ({"deleted": True}, {})
        assert tree(stored(model)) == State(deleted=True)

    @always(WISHES)
    def test_is_the_same_from_a_log_whose_events_were_erased(self, wishes: list[tuple]):
        events = all_events(wishes)
        left = [recorded for recorded in history(TREE, *events) if not _is_erased(recorded.event, events)]
        if left:
            whole, replayed = fold(project, history(TREE, *events)), fold(project, left)
            assert replayed.children == whole.children


class TestEvolve:
    def test_takes_any_event_in_any_state(self):
        for event in EXAMPLES.values():
            evolve(INITIAL, event)


def assert_same(read: State, folded: State) -> None:
    """A state that was read is one that was folded; lessons of a forgotten session are not kept, nor asked for."""
    assert replace(folded, settled=read.settled) == read
    assert read.settled <= folded.settled
    assert bool(folded.settled - read.settled) <= bool(read.forgotten)


def stored(model: ReadModel) -> Stored:
    """What is read of a read model to decide."""

    def children(collection: str) -> list[Document]:
        return [{**child, "_id": id_} for (name, id_), child in model.children.items() if name == collection]

    proposals = [one for one in children(PROPOSALS) if one["state"] == "open"]
    return Stored(model.head or {}, children(BLOCKS), children(LESSONS), proposals, children(FORGOTTEN))


def _root(state: State, block_id: str) -> str:
    """The topmost block above one; more steps than there are blocks would be a cycle."""
    for _ in state.blocks:
        parent_id = state.blocks[block_id].parent_id
        if parent_id is None:
            return block_id
        block_id = parent_id
    raise AssertionError(f"{block_id} is below itself")


def _is_erased(event: Event | None, events: Sequence[Event]) -> bool:
    """Whether the bytes of an event go with a session that was forgotten."""
    forgotten = {one.session_id for one in events if isinstance(one, SessionForgotten)}
    pages = {page for one in events if isinstance(one, SessionForgotten) for page in one.removed_pages}
    match event:
        case SopFiled(provenance=origin) | LessonProposed(provenance=origin):
            return origin.session_id in forgotten
        case LessonSkipped(session_id=session_id):
            return session_id in forgotten
        case PageAdded(block_id=block_id):
            return block_id in pages
        case BlockChanged(block_id=block_id, session_id=session_id):
            return block_id in pages or session_id in forgotten
        case _:
            return False
