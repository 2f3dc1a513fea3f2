"""The board's document says what its facts say, however they were cut into batches."""

from copy import deepcopy
from datetime import timedelta
from functools import reduce

import pytest
from hypothesis import given
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
    TaskDescribed,
    TaskFailed,
    TaskOpened,
    TaskProgressed,
    TaskStarted,
    TaskSucceeded,
    UserPreferenceNoted,
)
from craftlog.observer.decider import INITIAL, State, evolve
from craftlog.observer.projection import project, snapshot
from craftlog.testing.examples import BOARD, START, history

EVENTS = (
    TaskOpened(task_id="t1", order=1, description="Collect the news", engine="rules"),
    TaskOpened(task_id="t2", order=2, description="Write the page", engine="rules"),
    TaskStarted(task_id="t1"),
    PreferenceNoted(task_id="t1", preference="Report first."),
    TaskProgressed(task_id="t1", note="I searched."),
    MessagesLinked(task_id="t1", positions=(1, 2, 3)),
    TaskSucceeded(task_id="t1"),
    TaskStarted(task_id="t2"),
    MessagesLinked(task_id="t2", positions=(3, 4)),
    TaskFailed(task_id="t2", reason="The disk was full."),
    TaskOpened(task_id="t0", order=3, description="Ask", engine="rules", rank="000000i"),
    TaskDescribed(task_id="t0", description="Ask for the colours"),
    UserPreferenceNoted(preference="In French."),
    PlanningLinked(positions=(2, 5, 6)),
    MessagesLinked(task_id="t0", positions=(6,)),
    MessageSkipped(position=7, reason="it is no event"),
    MessageSkipped(position=8, reason="its parts are missing", seq=80),
    MessageSkipped(position=9, reason="it is no event", seq=90),
    MessageSkipped(position=7, reason="it is still no event", seq=70),
    MessageTakenUp(position=8, engine="rules"),
    MessageDropped(position=9),
    SessionObserved(through_position=4, engine="rules", memory={"current": "t2"}),
)


def at(version):
    return START + timedelta(seconds=version)


class TestProject:
    def test_shows_every_fact(self):
        head = project(None, history(BOARD, *EVENTS)).head
        assert head == {
            "through_position": 4,
            "usage": {},
            "memory": {"current": "t2"},
            "deleted": False,
            "preferences": ["In French."],
            "planning": [2, 5],
            "skipped": [
                {"position": 7, "reason": "it is still no event", "seq": 70, "parked_at": at(16), "dropped": False},
                {"position": 9, "reason": "it is no event", "seq": 90, "parked_at": at(18), "dropped": True},
            ],
            "parked": True,
            "tasks": [
                {
                    "id": "t0",
                    "order": 3,
                    "rank": "000000i",
                    "status": "pending",
                    "description": "Ask for the colours",
                    "progresses": [],
                    "preferences": [],
                    "positions": [6],
                    "reason": None,
                    "engine": "rules",
                    "created_at": at(11),
                    "updated_at": at(15),
                },
                {
                    "id": "t1",
                    "order": 1,
                    "rank": "000001",
                    "status": "success",
                    "description": "Collect the news",
                    "progresses": ["I searched."],
                    "preferences": ["Report first."],
                    "positions": [1],
                    "reason": None,
                    "engine": "rules",
                    "created_at": at(1),
                    "updated_at": at(7),
                },
                {
                    "id": "t2",
                    "order": 2,
                    "rank": "000002",
                    "status": "failed",
                    "description": "Write the page",
                    "progresses": [],
                    "preferences": [],
                    "positions": [3, 4],
                    "reason": "The disk was full.",
                    "engine": "rules",
                    "created_at": at(2),
                    "updated_at": at(10),
                },
            ],
        }

    def test_forgets_the_reason_when_work_begins_again(self):
        [_, _, task] = project(None, history(BOARD, *EVENTS, TaskStarted(task_id="t2"))).head["tasks"]
        assert (task["status"], task["reason"]) == ("running", None)

    def test_leaves_nothing_of_a_deleted_board(self):
        assert project(None, history(BOARD, *EVENTS, BoardDeleted())).head == {"deleted": True}
        assert project(None, history(BOARD, BoardDeleted())).head == {"deleted": True}

    def test_takes_an_unknown_event_for_nothing(self):
        assert project(None, history(BOARD, None, *EVENTS)).head["tasks"][1]["progresses"] == ["I searched."]

    @pytest.mark.parametrize("stray", [TaskStarted(task_id="t9"), MessagesLinked(task_id="t9", positions=(1,))])
    def test_cannot_fold_a_fact_about_a_task_nobody_opened(self, stray):
        with pytest.raises(ValueError, match="t9 was never opened"):
            project(None, history(BOARD, stray))

    @given(st.integers(0, len(EVENTS)))
    def test_gives_the_same_board_in_two_batches(self, cut):
        events = history(BOARD, *EVENTS)
        first = project(None, events[:cut]).head
        kept = deepcopy(first)
        assert project(first, events[cut:]).head == project(None, events).head
        assert first == kept


class TestSnapshot:
    @given(st.integers(0, len(EVENTS)))
    def test_is_the_state_that_the_facts_lead_to(self, cut):
        assert snapshot(project(None, history(BOARD, *EVENTS[:cut])).head) == reduce(evolve, EVENTS[:cut], INITIAL)

    def test_knows_a_deleted_board(self):
        assert snapshot(project(None, history(BOARD, *EVENTS, BoardDeleted())).head) == State(deleted=True)
