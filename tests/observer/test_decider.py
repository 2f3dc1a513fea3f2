"""The board says yes, no, or nothing new, and never changes its mind about the past."""

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given as each
from hypothesis import strategies as st

from craftlog.contracts.events import (
    BoardDeleted,
    MessageDropped,
    MessageSkipped,
    MessagesLinked,
    MessageTakenUp,
    PlanningLinked,
    PreferenceNoted,
    SessionObserved,
    Spent,
    TaskDescribed,
    TaskFailed,
    TaskOpened,
    TaskProgressed,
    TaskStarted,
    TaskSucceeded,
    UserPreferenceNoted,
)
from craftlog.observer.commands import (
    BeginObserving,
    Command,
    DeleteBoard,
    DescribeTask,
    DropMessage,
    FailTask,
    FinishObserving,
    LinkMessages,
    LinkPlanning,
    NotePreference,
    NoteUserPreference,
    OpenTask,
    RecordProgress,
    SkipMessage,
    StartTask,
    SucceedTask,
    TakeUpMessage,
)
from craftlog.observer.decider import INITIAL, NotParkedError, OutrunError, Rejected, State, decide, evolve
from craftlog.observer.sizes import FULL
from craftlog.testing.scenario import Scenario

board: Scenario[State, Command] = Scenario(decide, evolve, INITIAL)
opened = TaskOpened(task_id="t1", order=1, description="Collect the news", engine="rules")
other = TaskOpened(task_id="t2", order=2, description="Write the page", engine="rules")
started = TaskStarted(task_id="t1")
succeeded = TaskSucceeded(task_id="t1")
failed = TaskFailed(task_id="t1", reason="The search was down.")
observed = SessionObserved(through_position=4, engine="rules")
skipped = MessageSkipped(position=3, reason="no event")


class TestOpenTask:
    def test_opens_a_task_at_the_end(self):
        board.given(opened).when(OpenTask("t2", "Write the page", "rules")).then(other)

    def test_is_quiet_where_the_task_exists(self):
        board.given(opened).when(OpenTask("t1", "Something else", "rules")).then_nothing_happened()

    def test_opens_a_task_before_another_without_touching_any(self):
        between = TaskOpened(task_id="t3", order=3, description="Choose a colour", engine="rules", rank="000001i")
        board.given(opened, other).when(OpenTask("t3", "Choose a colour", "rules", before="t2")).then(between)

    def test_is_refused_before_a_task_nobody_opened(self):
        board.given(opened).when(OpenTask("t3", "Choose", "rules", before="t9")).then_rejected(Rejected, "no task 't9'")


class TestDescribeTask:
    def test_puts_it_in_other_words(self):
        board.given(opened).when(DescribeTask("t1", "Collect old news")).then(
            TaskDescribed(task_id="t1", description="Collect old news")
        )

    def test_is_quiet_for_the_same_words(self):
        board.given(opened).when(DescribeTask("t1", "Collect the news")).then_nothing_happened()

    def test_is_refused_for_a_task_nobody_opened(self):
        board.when(DescribeTask("t1", "Collect")).then_rejected(Rejected, "no task 't1'")


class TestNoteUserPreference:
    def test_notes_it_for_the_session(self):
        board.when(NoteUserPreference("In French.")).then(UserPreferenceNoted(preference="In French."))

    def test_is_quiet_for_the_same_words(self):
        noted = UserPreferenceNoted(preference="In French.")
        board.given(noted).when(NoteUserPreference("In French.")).then_nothing_happened()


class TestLinkPlanning:
    def test_keeps_talk_about_the_plan_apart(self):
        board.when(LinkPlanning((2, 1))).then(PlanningLinked(positions=(1, 2)))

    def test_is_quiet_where_all_are_kept_apart(self):
        board.given(PlanningLinked(positions=(1, 2))).when(LinkPlanning((2,))).then_nothing_happened()

    def test_takes_a_message_from_its_task_and_gives_it_back(self):
        linked, planned = MessagesLinked(task_id="t1", positions=(1, 2)), PlanningLinked(positions=(2,))
        back = MessagesLinked(task_id="t1", positions=(2,))
        board.given(opened, linked).when(LinkPlanning((2,))).then(planned)
        board.given(opened, linked, planned).when(LinkMessages("t1", (2,))).then(back)
        board.given(opened, linked, planned, back).when(LinkPlanning((2,))).then(planned)

    def test_is_refused_for_a_position_that_cannot_be(self):
        board.when(LinkPlanning((0,))).then_rejected(Rejected, "count from 1")


class TestSkipMessage:
    def test_goes_on_without_it(self):
        board.when(SkipMessage(3, "no event")).then(MessageSkipped(position=3, reason="no event"))

    def test_is_quiet_on_repeat_and_says_another_reason(self):
        board.given(skipped).when(SkipMessage(3, "no event")).then_nothing_happened()
        board.given(skipped).when(SkipMessage(3, "gone")).then(MessageSkipped(position=3, reason="gone"))

    def test_is_said_again_where_it_was_paid_for_to_find_out(self):
        spent = Spent(model="m", prompt="0a", calls=1, prompt_tokens=9, cached_tokens=0, completion_tokens=2)
        again = MessageSkipped(position=3, reason="no event", spent=spent)
        board.given(skipped).when(SkipMessage(3, "no event", spent=spent)).then(again)

    def test_is_quiet_of_what_was_read_or_given_up(self):
        board.given(observed).when(SkipMessage(3, "no event")).then_nothing_happened()
        board.given(skipped, MessageDropped(position=3)).when(SkipMessage(3, "gone")).then_nothing_happened()


class TestTakeUpMessage:
    def test_counts_it_as_read(self):
        taken = MessageTakenUp(position=3, engine="rules")
        board.given(skipped, observed).when(TakeUpMessage(3, "rules")).then(taken)

    @pytest.mark.parametrize(
        "before",
        [(), (observed,), (skipped, MessageTakenUp(position=3, engine="rules")), (skipped, MessageDropped(position=3))],
        ids=["not there", "read", "taken up", "dropped"],
    )
    def test_is_refused_where_it_is_not_parked(self, before):
        board.given(*before).when(TakeUpMessage(3, "rules")).then_rejected(NotParkedError, "at 3 is not parked")


class TestDropMessage:
    def test_gives_it_up_and_is_quiet_on_repeat(self):
        dropped = MessageDropped(position=3)
        board.given(skipped).when(DropMessage(3)).then(dropped)
        board.given(skipped, dropped).when(DropMessage(3)).then_nothing_happened()

    def test_is_refused_where_it_is_not_parked(self):
        board.given(observed).when(DropMessage(3)).then_rejected(NotParkedError, "at 3 is not parked")


class TestStartTask:
    def test_begins_work(self):
        board.given(opened).when(StartTask("t1")).then(started)

    def test_is_quiet_where_work_goes_on(self):
        board.given(opened, started).when(StartTask("t1")).then_nothing_happened()

    @pytest.mark.parametrize("end", [succeeded, failed])
    def test_begins_again_on_a_finished_task(self, end):
        board.given(opened, started, end).when(StartTask("t1")).then(started)

    def test_is_refused_for_a_task_nobody_opened(self):
        board.when(StartTask("t9")).then_rejected(Rejected, "no task 't9'")


class TestRecordProgress:
    def test_records_what_was_done(self):
        board.given(opened, started).when(RecordProgress("t1", "I searched.")).then(
            TaskProgressed(task_id="t1", note="I searched.")
        )

    def test_is_quiet_for_the_same_words(self):
        note = TaskProgressed(task_id="t1", note="I searched.")
        board.given(opened, started, note).when(RecordProgress("t1", "I searched.")).then_nothing_happened()

    def test_is_refused_before_the_task_runs(self):
        board.given(opened).when(RecordProgress("t1", "I searched.")).then_rejected(Rejected, "is pending")

    def test_is_refused_after_the_task_ended(self):
        board.given(opened, started, failed).when(RecordProgress("t1", "I searched.")).then_rejected(
            Rejected, "is failed. Start it first"
        )


class TestNotePreference:
    def test_notes_it_whatever_the_status(self):
        wish = PreferenceNoted(task_id="t1", preference="Report first.")
        board.given(opened).when(NotePreference("t1", "Report first.")).then(wish)
        board.given(opened, started, succeeded).when(NotePreference("t1", "Report first.")).then(wish)

    def test_is_quiet_for_the_same_words(self):
        wish = PreferenceNoted(task_id="t1", preference="Report first.")
        board.given(opened, wish).when(NotePreference("t1", "Report first.")).then_nothing_happened()


class TestLinkMessages:
    def test_links_the_new_ones_in_order(self):
        linked = MessagesLinked(task_id="t1", positions=(1, 2))
        board.given(opened).when(LinkMessages("t1", (2, 1, 2))).then(linked)
        board.given(opened, linked).when(LinkMessages("t1", (1, 3))).then(MessagesLinked(task_id="t1", positions=(3,)))

    def test_is_quiet_where_all_are_linked(self):
        linked = MessagesLinked(task_id="t1", positions=(1, 2))
        board.given(opened, linked).when(LinkMessages("t1", (2,))).then_nothing_happened()

    def test_moves_a_message_from_one_task_to_another(self):
        linked = MessagesLinked(task_id="t1", positions=(1, 2))
        moved = MessagesLinked(task_id="t2", positions=(2,))
        board.given(opened, other, linked).when(LinkMessages("t2", (2,))).then(moved)
        back = board.given(opened, other, linked, moved)
        back.when(LinkMessages("t1", (2,))).then(MessagesLinked(task_id="t1", positions=(2,)))

    def test_is_refused_for_a_position_that_cannot_be(self):
        board.given(opened).when(LinkMessages("t1", (0,))).then_rejected(Rejected, "count from 1")


class TestSucceedTask:
    def test_ends_a_running_task(self):
        board.given(opened, started).when(SucceedTask("t1")).then(succeeded)

    def test_is_quiet_on_repeat(self):
        board.given(opened, started, succeeded).when(SucceedTask("t1")).then_nothing_happened()

    @pytest.mark.parametrize("history", [(opened,), (opened, started, failed)])
    def test_is_refused_where_no_work_goes_on(self, history):
        board.given(*history).when(SucceedTask("t1")).then_rejected(Rejected, "Start it first")


class TestFailTask:
    @pytest.mark.parametrize("history", [(opened,), (opened, started)])
    def test_ends_a_task_that_is_not_finished(self, history):
        board.given(*history).when(FailTask("t1", "The search was down.")).then(failed)

    def test_is_quiet_on_repeat_whatever_the_reason(self):
        board.given(opened, started, failed).when(FailTask("t1", "Another reason.")).then_nothing_happened()

    def test_is_refused_after_success(self):
        board.given(opened, started, succeeded).when(FailTask("t1", "Wrong.")).then_rejected(Rejected, "is success")


class TestObserving:
    def test_begins_where_the_board_has_read_to(self):
        board.given(observed).when(BeginObserving(4)).then_nothing_happened()

    @pytest.mark.parametrize("after", [3, 5])
    def test_does_not_begin_elsewhere(self, after):
        board.given(observed).when(BeginObserving(after)).then_rejected(OutrunError, "read through 4")

    def test_finishes_with_what_the_engine_remembers(self):
        board.when(FinishObserving(4, "rules", {"current": "t1"})).then(
            SessionObserved(through_position=4, engine="rules", memory={"current": "t1"})
        )

    def test_says_what_it_took(self):
        spent = Spent(model="m", prompt="0a", calls=1, prompt_tokens=9, cached_tokens=0, completion_tokens=2)
        board.when(FinishObserving(4, "m", spent=spent)).then(
            SessionObserved(through_position=4, engine="m", spent=spent)
        )

    def test_is_quiet_where_it_has_read_that_far(self):
        board.given(observed).when(FinishObserving(4, "rules")).then_nothing_happened()

    def test_never_goes_back(self):
        board.given(observed).when(FinishObserving(3, "rules")).then_rejected(Rejected, "read through 4")


class TestFull:
    full = replace(reduce(evolve, [opened, started], INITIAL), size=FULL)

    @pytest.mark.parametrize(
        "command",
        [
            OpenTask("t2", "More", "rules"),
            DescribeTask("t1", "Collect the news and more of them"),
            RecordProgress("t1", "I searched."),
            NotePreference("t1", "In French."),
            NoteUserPreference("In French."),
        ],
    )
    def test_is_a_board_that_takes_no_more_text(self, command):
        with pytest.raises(Rejected, match="board is full"):
            decide(self.full, command)

    def test_is_a_board_on_which_work_goes_on(self):
        assert decide(self.full, OpenTask("t1", "Collect the news", "rules")) == []
        for command in (DescribeTask("t1", "Less"), LinkMessages("t1", (1,)), SucceedTask("t1"), FailTask("t1", "No.")):
            assert decide(self.full, command)


class TestDeleteBoard:
    def test_ends_a_board_that_never_was(self):
        board.when(DeleteBoard()).then(BoardDeleted())

    def test_is_quiet_on_repeat(self):
        board.given(opened, BoardDeleted()).when(DeleteBoard()).then_nothing_happened()

    def test_makes_the_board_take_nothing(self):
        gone = board.given(opened, BoardDeleted())
        for command in (OpenTask("t2", "More", "rules"), StartTask("t1"), FinishObserving(1, "rules")):
            gone.when(command).then_rejected(Rejected, "deleted")


tasks = st.sampled_from(["t1", "t2", "t3"])
words = st.sampled_from(["a", "b"])
commands = st.one_of(
    st.builds(OpenTask, tasks, words, st.just("rules"), st.none() | tasks),
    st.builds(DescribeTask, tasks, words),
    st.builds(NoteUserPreference, words),
    st.builds(LinkPlanning, st.lists(st.integers(-1, 5), max_size=3).map(tuple)),
    st.builds(SkipMessage, st.integers(1, 3), words),
    st.builds(TakeUpMessage, st.integers(1, 3), words),
    st.builds(DropMessage, st.integers(1, 3)),
    st.builds(StartTask, tasks),
    st.builds(RecordProgress, tasks, words),
    st.builds(NotePreference, tasks, words),
    st.builds(LinkMessages, tasks, st.lists(st.integers(-1, 5), max_size=3).map(tuple)),
    st.builds(SucceedTask, tasks),
    st.builds(FailTask, tasks, words),
    st.builds(BeginObserving, st.integers(0, 5)),
    st.builds(FinishObserving, st.integers(0, 5), st.just("rules")),
    st.builds(DeleteBoard),
)


def repeated(state, command):
    """Return what is decided anew; what is no longer parked is refused, so that nothing beside it is decided either."""
    try:
        return decide(state, command)
    except NotParkedError:
        return []


class TestAnyCommands:
    @each(st.lists(commands, max_size=30))
    def test_are_quiet_when_repeated(self, asked):
        state = INITIAL
        for command in asked:
            try:
                state = reduce(evolve, decide(state, command), state)
            except Rejected:
                continue
            assert repeated(state, command) == []

    @each(st.lists(commands, max_size=30))
    def test_leave_every_message_with_one_task_at_most(self, asked):
        state = INITIAL
        for command in asked:
            try:
                state = reduce(evolve, decide(state, command), state)
            except Rejected:
                continue
        linked = [position for task in state.tasks.values() for position in task.positions] + [*state.planning]
        assert len(linked) == len(set(linked))
        assert sorted(task.order for task in state.tasks.values()) == list(range(1, len(state.tasks) + 1))
        ranks = [task.rank for task in state.tasks.values()]
        assert ranks == sorted(set(ranks))
