"""Deciders that start from a read model decide as if they had seen every event."""

from datetime import UTC, datetime

from craftlog.gateway import snapshots
from craftlog.gateway.decider.session import RequestFlush, decide

HEAD = {
    "request": None,
    "messages": 3,
    "last_message_id": "m3",
    "space_id": None,
    "disable_task_tracking": False,
    "flushed_through": 3,
    "created_at": datetime(2026, 1, 1, tzinfo=UTC),
}


class TestSession:
    def test_a_flush_that_was_asked_for_before_is_quiet(self):
        assert decide(snapshots.session(HEAD), RequestFlush()) == []

    def test_a_flush_of_messages_that_came_since_is_not(self):
        assert decide(snapshots.session({**HEAD, "messages": 4}), RequestFlush())
