"""There is an example of everything that can happen."""

import pytest
from pydantic import ValidationError

from craftlog.contracts.events import EVENTS, DiskCreated, MessageAppended
from craftlog.testing.examples import DISK, EXAMPLES, example, history


class TestExamples:
    def test_there_is_one_of_every_event(self):
        assert set(EXAMPLES) == set(EVENTS)

    def test_every_field_is_filled_unless_it_stands_for_another(self):
        # An optional field that no example fills would not be tried by the tests that take every example.
        left_out = {
            (kind.__name__, field)
            for kind, event in EXAMPLES.items()
            for field in kind.model_fields
            if field not in event.model_fields_set
        }
        assert left_out == {
            ("SessionCreated", "disable_task_tracking"),
            ("SessionCreated", "copy_of"),
            ("MessageAppended", "parent_id"),
            ("MessageAppended", "parts_ref"),
            ("MessageAppended", "request"),
            ("PageAdded", "parent_id"),
        }

    def test_changes_are_checked(self):
        assert example(MessageAppended, position=7).position == 7
        with pytest.raises(AssertionError, match="positoin"):
            example(MessageAppended, positoin=7)
        with pytest.raises(ValidationError):
            example(MessageAppended, position="seventh")

    def test_a_history_counts_its_versions(self):
        first, unknown = history(DISK, DiskCreated(), None)
        assert (first.version, first.type, unknown.version, unknown.event) == (1, "DiskCreated.v1", 2, None)
