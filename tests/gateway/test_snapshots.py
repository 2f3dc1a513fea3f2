"""Deciders that start from a read model decide as if they had seen every event."""

from datetime import UTC, datetime
from functools import reduce

from craftlog.contracts.events import KeyIssued, KeyRevoked, ProjectConfigured, ProjectCreated
from craftlog.gateway import snapshots
from craftlog.gateway.decider import project
from craftlog.gateway.decider.session import decide
from craftlog.gateway.decider.session_commands import RequestFlush
from craftlog.ingest import projection
from craftlog.testing.examples import KEY_ID, TENANT, example, history
from craftlog.testing.folding import fold

HEAD = {
    "request": None,
    "messages": 3,
    "last_message_id": "m3",
    "space_id": None,
    "disable_task_tracking": False,
    "flushed_through": 3,
    "created_at": datetime(2026, 1, 1, tzinfo=UTC),
}


class TestProject:
    def test_is_that_of_all_its_events(self):
        events = history(
            TENANT,
            ProjectCreated(name="research"),
            example(KeyIssued),
            example(KeyIssued, key_id="second", hash="other", requests_per_second=None, burst=None, body_bytes=None),
            KeyRevoked(key_id=KEY_ID),
            example(ProjectConfigured),
        )
        folded = reduce(project.evolve, [past.event for past in events if past.event], project.INITIAL)
        head = fold(projection.project, events).head
        assert head is not None
        assert snapshots.project(head) == folded

    def test_is_known_from_a_head_that_was_written_before_there_were_configs(self):
        assert snapshots.project({"name": "research", "keys": []}) == project.Project(exists=True)


class TestSession:
    def test_a_flush_that_was_asked_for_before_is_quiet(self):
        assert decide(snapshots.session(HEAD), RequestFlush()) == []

    def test_a_flush_of_messages_that_came_since_is_not(self):
        assert decide(snapshots.session({**HEAD, "messages": 4}), RequestFlush())
