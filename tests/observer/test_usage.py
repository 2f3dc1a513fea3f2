"""What observing took is counted once by day, however facts arrive, and the tombstone keeps it."""

from hypothesis import given
from hypothesis import strategies as st

from craftlog.contracts.events import BoardDeleted, MessageSkipped, SessionObserved, Spent, TaskOpened, Used
from craftlog.contracts.readmodels import USAGE
from craftlog.observer.commands import DeleteBoard, FinishObserving, StartTask
from craftlog.observer.decider import INITIAL, decide, evolve
from craftlog.observer.projection import project, snapshot
from craftlog.observer.usage import dated
from craftlog.testing.examples import BOARD, PROJECT, SESSION_ID, history, recorded
from craftlog.testing.folding import fold
from craftlog.testing.scenario import Scenario


def spent(day, calls=1, tokens=10):
    return Spent(
        model="m",
        prompt="0a",
        calls=calls,
        prompt_tokens=tokens,
        cached_tokens=tokens // 2,
        completion_tokens=1,
        cost=tokens / 4,
        day=day,
    )


EVENTS = (
    TaskOpened(task_id="t1", order=1, description="Collect the news", engine="m"),
    SessionObserved(through_position=4, engine="m", spent=spent("2026-01-01")),
    MessageSkipped(position=6, reason="it is no event"),
    SessionObserved(through_position=7, engine="m", spent=spent("2026-01-01", calls=2, tokens=20)),
    SessionObserved(through_position=8, engine="rules", spent=spent("2026-01-02", calls=0, tokens=0)),
    SessionObserved(through_position=9, engine="rules"),
)
FIRST = Used(observations=2, messages=6, calls=3, prompt_tokens=30, cached_tokens=15, completion_tokens=2, cost=7.5)
SECOND = Used(observations=1, messages=1, completion_tokens=1)
DAYS = {"2026-01-01": FIRST, "2026-01-02": SECOND}


def children(model):
    return {key: child for key, child in model.children.items() if key[0] == USAGE}


class TestUsage:
    @given(st.sets(st.integers(1, len(EVENTS))))
    def test_is_a_child_a_day_however_the_facts_were_cut_into_batches(self, cuts):
        where = {"project": PROJECT, "session_id": SESSION_ID}
        assert children(fold(project, history(BOARD, *EVENTS), cuts)) == {
            (USAGE, f"{SESSION_ID}/{day}"): {**where, "day": day, **used.model_dump()} for day, used in DAYS.items()
        }

    def test_is_written_for_the_days_that_changed(self):
        past = history(BOARD, *EVENTS)
        model = fold(project, past[:4])
        assert list(project(model.head, past[4:5]).children) == [(USAGE, f"{SESSION_ID}/2026-01-02")]

    def test_outlives_its_session_also_where_nothing_but_the_tombstone_is_left(self):
        past = history(BOARD, *EVENTS)
        model = fold(project, past)
        [tombstone] = decide(snapshot(model.head), DeleteBoard())
        assert tombstone == BoardDeleted(usage=DAYS)
        after = fold(project, [*past, recorded(BOARD, len(past) + 1, tombstone)])
        assert after.said == {"deleted": True}
        left = fold(project, [recorded(BOARD, len(past) + 1, tombstone)])
        assert children(after) == children(left) == children(model)

    def test_is_what_facts_and_snapshot_agree_on(self):
        state = INITIAL
        for event in EVENTS:
            state = evolve(state, event)
        assert state.usage == snapshot(fold(project, history(BOARD, *EVENTS)).head).usage == DAYS

    def test_of_a_deleted_board_is_said_once(self):
        Scenario(decide, evolve, INITIAL).given(*EVENTS, BoardDeleted(usage=DAYS)).when(
            DeleteBoard()
        ).then_nothing_happened()


class TestDated:
    def test_is_what_a_model_took(self):
        finish = FinishObserving(4, "m", spent=spent(None))
        assert dated(finish, "2026-01-03") == FinishObserving(4, "m", spent=spent("2026-01-03"))

    def test_is_also_what_took_no_model(self):
        command = dated(FinishObserving(4, "rules"), "2026-01-03")
        assert isinstance(command, FinishObserving)
        assert command.spent is not None
        assert (command.spent.calls, command.spent.day) == (0, "2026-01-03")

    def test_is_nothing_that_does_not_count(self):
        assert dated(StartTask("t1"), "2026-01-03") == StartTask("t1")
