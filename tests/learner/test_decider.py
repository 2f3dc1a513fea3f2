"""What one space learns: each task once, each skill on a page, and nothing from a session that was deleted."""

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given as always
from hypothesis import strategies as st

from craftlog.contracts.events import Event, LessonSkipped, PageAdded, Provenance, SessionForgotten, SopFiled, ToolStep
from craftlog.learner.decider import INITIAL, FileSop, ForgetSession, RejectedError, SkipLesson, decide, evolve
from craftlog.testing.examples import EXAMPLES
from craftlog.testing.scenario import Scenario

SPACE = Scenario(decide, evolve, INITIAL)
STEP = ToolStep(tool_name="create_ticket", action="Create the ticket with the title the user gave.")


def file(task: str = "t1", session: str = "s1", page: str = "ticket") -> FileSop:
    return FileSop(
        space_id="space",
        task_id=task,
        session_id=session,
        page_title=page,
        use_when="create a ticket",
        preferences="ask first",
        tool_sops=(STEP,),
        message_ids=("m1",),
        engine="rules",
    )


def skip(task: str = "t1", session: str = "s1") -> SkipLesson:
    return SkipLesson(task, session, "too simple", "rules")


def decided(*commands: FileSop | SkipLesson | ForgetSession) -> list[Event]:
    """What these commands come to, one after the other."""
    state, events = INITIAL, []
    for command in commands:
        new = decide(state, command)
        state = reduce(evolve, new, state)
        events += new
    return events


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
            provenance=Provenance(session_id="s1", task_id="t1", message_ids=("m1",), engine="rules"),
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
        SPACE.given(*events).when(ForgetSession("s1")).then(SessionForgotten(session_id="s1"))

    def test_a_session_that_taught_nothing_is_remembered_as_forgotten(self):
        SPACE.when(ForgetSession("s1")).then(SessionForgotten(session_id="s1"))

    def test_it_is_quiet_when_repeated(self):
        SPACE.given(*decided(file(), ForgetSession("s1"))).when(ForgetSession("s1")).then_nothing_happened()

    def test_a_lesson_that_was_on_its_way_comes_to_nothing(self):
        forgotten = SPACE.given(*decided(ForgetSession("s1")))
        forgotten.when(file()).then_nothing_happened()
        forgotten.when(skip()).then_nothing_happened()

    def test_a_page_that_is_made_again_has_another_id_and_its_own_place(self):
        first, _, _, again, sop = decided(file("t1", "s1"), ForgetSession("s1"), file("t2", "s2"))
        assert again.block_id != first.block_id
        assert (again.sort, sop.sort) == (1, 0)


COMMANDS = st.lists(
    st.one_of(
        st.builds(file, *(st.sampled_from(names) for names in (["t1", "t2", "t3"], ["s1", "s2", "s3"], ["p", "q"]))),
        st.builds(skip, st.sampled_from(["t1", "t2", "t3"]), st.sampled_from(["s1", "s2", "s3"])),
        st.builds(ForgetSession, st.sampled_from(["s1", "s2", "s3"])),
    ),
    max_size=12,
)


class TestAnyHistory:
    @always(COMMANDS)
    def test_the_same_again_is_quiet(self, commands: list[FileSop | SkipLesson | ForgetSession]):
        state = reduce(evolve, decided(*commands), INITIAL)
        assert [event for command in commands for event in decide(state, command)] == []

    @always(COMMANDS)
    def test_what_is_left_after_an_erasure_gives_the_same_pages(
        self, commands: list[FileSop | SkipLesson | ForgetSession]
    ):
        events = decided(*commands)
        gone = {event.session_id for event in events if isinstance(event, SessionForgotten)}
        left = [event for event in events if _taught_by(event) not in gone]
        whole, replayed = reduce(evolve, events, INITIAL), reduce(evolve, left, INITIAL)
        filed = {page_id: (page.title, page.filed) for page_id, page in whole.pages.items()}
        assert filed == {page_id: (page.title, page.filed) for page_id, page in replayed.pages.items()}
        assert all(page.filed for page in whole.pages.values())

    @always(COMMANDS)
    def test_no_two_blocks_of_a_page_have_the_same_place(self, commands: list[FileSop | SkipLesson | ForgetSession]):
        places = [
            (event.parent_id, event.sort) for event in decided(*commands) if isinstance(event, PageAdded | SopFiled)
        ]
        assert len(places) == len(set(places))

    def test_evolve_takes_any_event_in_any_state(self):
        for event in EXAMPLES.values():
            evolve(INITIAL, event)


def _taught_by(event: Event) -> str | None:
    match event:
        case SopFiled(provenance=origin):
            return origin.session_id
        case LessonSkipped(session_id=session_id):
            return session_id
        case _:
            return None
