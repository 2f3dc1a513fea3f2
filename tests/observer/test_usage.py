"""What observing took is counted once by day, however facts arrive, and the tombstone keeps it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftlog.contracts.events import BoardDeleted, MessageSkipped, SessionObserved, Spent, TaskOpened, Used
from craftlog.contracts.readmodels import USAGE
from craftlog.observer.commands import DeleteBoard, FinishObserving, StartTask
from craftlog.observer.decider import INITIAL, GoneError, OutrunError, decide, evolve
from craftlog.observer.projection import project, snapshot
from craftlog.observer.tab import Tab
from craftlog.observer.usage import dated
from craftlog.runtime.errors import UnavailableError
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
    MessageSkipped(position=6, reason="it is no event", spent=spent("2026-01-01", tokens=4)),
    SessionObserved(through_position=7, engine="m", spent=spent("2026-01-01", calls=2, tokens=20)),
    SessionObserved(through_position=8, engine="rules", spent=spent("2026-01-02", calls=0, tokens=0)),
    SessionObserved(through_position=9, engine="rules"),
)
FIRST = Used(observations=2, messages=6, calls=4, prompt_tokens=34, cached_tokens=17, completion_tokens=3, cost=8.5)
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

    def test_of_a_deleted_board_has_what_nothing_came_of(self):
        whole = FIRST.model_copy(update={"calls": 5, "prompt_tokens": 36, "cached_tokens": 18, "completion_tokens": 4})
        Scenario(decide, evolve, INITIAL).given(*EVENTS).when(DeleteBoard(spent("2026-01-01", tokens=2))).then(
            BoardDeleted(usage={**DAYS, "2026-01-01": whole.model_copy(update={"cost": 9.0})})
        )

    def test_of_a_deleted_board_is_said_once(self):
        Scenario(decide, evolve, INITIAL).given(*EVENTS, BoardDeleted(usage=DAYS)).when(
            DeleteBoard()
        ).then_nothing_happened()


class TestDated:
    def test_is_what_a_model_took(self):
        dated_one = FinishObserving(4, "m", spent=spent("2026-01-03"))
        assert dated(FinishObserving(4, "m"), spent(None), "2026-01-03") == dated_one

    def test_is_also_what_took_no_model(self):
        command = dated(FinishObserving(4, "rules"), None, "2026-01-03")
        assert isinstance(command, FinishObserving)
        assert command.spent is not None
        assert (command.spent.calls, command.spent.day) == (0, "2026-01-03")

    def test_is_nothing_that_does_not_count(self):
        assert dated(StartTask("t1"), spent(None), "2026-01-03") == StartTask("t1")


class TestTab:
    def test_adds_up_what_is_put_and_gives_it_once(self):
        tab = Tab()
        tab.put("a", spent(None, tokens=10))
        tab.put("b", spent(None, tokens=2))
        tab.put("a", spent(None, calls=2, tokens=20))
        assert taken(tab, "a") == spent(None, calls=3, tokens=30).model_copy(update={"completion_tokens": 2})
        assert taken(tab, "a") is None
        assert taken(tab, "b") == spent(None, tokens=2)

    def test_keeps_what_a_refused_decision_was_to_say_beside_what_came_since(self):
        tab = Tab()
        tab.put("a", spent(None, tokens=10))
        with suppress(OutrunError), tab.taken("a"):
            tab.put("a", spent(None, tokens=4))
            raise OutrunError
        left = taken(tab, "a")
        assert (left.calls, left.prompt_tokens) == (2, 14)

    @pytest.mark.parametrize("error", [GoneError, UnavailableError])
    def test_forgets_what_nobody_will_say_or_somebody_may_have_said(self, error):
        tab = Tab()
        tab.put("a", spent(None))
        with pytest.raises(error), tab.taken("a"):
            raise error("")
        assert taken(tab, "a") is None


def taken(tab, session_id):
    with tab.taken(session_id) as spent:
        return spent
