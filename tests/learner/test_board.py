"""The tasks of a session, as far as the learner reads them."""

from craftlog.contracts.events import (
    MessagesLinked,
    PreferenceNoted,
    SessionObserved,
    TaskFailed,
    TaskOpened,
    TaskProgressed,
    TaskStarted,
    TaskSucceeded,
)
from craftlog.learner.board import fold
from craftlog.testing.examples import EXAMPLES

OPENED = [TaskOpened(task_id=f"t{order}", order=order, description=f"Task {order}", engine="rules") for order in (1, 2)]


class TestFolding:
    def test_a_finished_task_has_all_that_was_noted(self):
        noted = TaskProgressed(task_id="t1", note="I did it."), PreferenceNoted(task_id="t1", preference="Softly.")
        board = fold([*OPENED, TaskStarted(task_id="t1"), *noted, TaskSucceeded(task_id="t1")])
        [task] = board.finished
        assert (task.id, task.status, task.progresses, task.preferences) == (
            "t1",
            "success",
            ["I did it."],
            ["Softly."],
        )

    def test_a_failed_one_is_finished_and_one_begun_again_is_not(self):
        board = fold([*OPENED, TaskFailed(task_id="t1", reason="no"), TaskFailed(task_id="t2", reason="no")])
        assert [task.status for task in board.finished] == ["failed", "failed"]
        again = fold([*OPENED, TaskSucceeded(task_id="t1"), TaskStarted(task_id="t1")])
        assert again.finished == []

    def test_a_message_belongs_to_the_task_it_was_linked_to_last(self):
        links = MessagesLinked(task_id="t1", positions=(1, 2)), MessagesLinked(task_id="t2", positions=(2, 3))
        board = fold([*OPENED, *links])
        assert [task.positions for task in board.tasks.values()] == [{1}, {2, 3}]

    def test_what_came_before_a_task_is_known(self):
        board = fold([*OPENED, SessionObserved(through_position=4, engine="rules")])
        assert (board.before(board.tasks["t2"]), board.through_position) == (["Task 1"], 4)

    def test_any_event_is_taken_in_any_state(self):
        for event in EXAMPLES.values():
            fold([event])
