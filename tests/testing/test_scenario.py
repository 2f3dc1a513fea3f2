"""The scenario says what a decider did, and says so when it did something else."""

from collections.abc import Sequence

import pytest

from craftlog.contracts.events import DiskCreated, DiskDeleted, Event
from craftlog.testing.scenario import Scenario


def decide(exists: bool, command: str) -> Sequence[Event]:  # noqa: FBT001 - the state of this toy is one flag
    if command == "delete" and not exists:
        raise LookupError("there is no disk to delete")
    return [] if exists and command == "create" else [DiskCreated() if command == "create" else DiskDeleted()]


def evolve(exists: bool, event: Event) -> bool:  # noqa: FBT001 - the same
    return isinstance(event, DiskCreated) or (exists and not isinstance(event, DiskDeleted))


disks = Scenario(decide, evolve, initial=False)


class TestScenario:
    def test_compares_the_events(self):
        disks.when("create").then(DiskCreated())
        with pytest.raises(AssertionError):
            disks.when("create").then(DiskDeleted())

    def test_starts_from_what_was_given(self):
        disks.given(DiskCreated()).when("delete").then(DiskDeleted())
        disks.given(DiskCreated()).given(DiskDeleted()).when("create").then(DiskCreated())

    def test_knows_when_nothing_happened(self):
        disks.given(DiskCreated()).when("create").then_nothing_happened()
        with pytest.raises(AssertionError):
            disks.when("create").then_nothing_happened()

    def test_wants_the_refusal_and_its_words(self):
        disks.when("delete").then_rejected(LookupError, "no disk")
        with pytest.raises(AssertionError):
            disks.when("delete").then_rejected(LookupError, "already deleted")
        with pytest.raises(pytest.fail.Exception):
            disks.when("create").then_rejected(LookupError, "no disk")
