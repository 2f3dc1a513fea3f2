import pytest

from craftlog.contracts.events import ArtifactDescribed, ArtifactRemoved, ArtifactStored, DiskCreated, DiskDeleted
from craftlog.gateway.decider.disk import (
    INITIAL,
    MOST_TOUCHED,
    CreateDisk,
    DeleteDisk,
    DescribeArtifact,
    RemoveArtifact,
    StoreArtifact,
    decide,
    evolve,
)
from craftlog.gateway.decider.refusals import AbsentError
from craftlog.gateway.digests import digest
from craftlog.testing.examples import example
from craftlog.testing.scenario import Scenario

disks = Scenario(decide, evolve, INITIAL)
created = DiskCreated()
stored = example(ArtifactStored)
store = StoreArtifact(stored.path, stored.filename, stored.asset, stored.meta)
removed = ArtifactRemoved(path=stored.path, filename=stored.filename)


def remove(*, seen):
    return RemoveArtifact(stored.path, stored.filename, digest(stored.meta) if seen else None)


def described(meta):
    return ArtifactDescribed(path=stored.path, filename=stored.filename, meta=meta)


def describe(meta, *, seen):
    return DescribeArtifact(stored.path, stored.filename, meta, None if seen is None else digest(seen))


class TestCreateDisk:
    def test_begins_it(self):
        disks.when(CreateDisk()).then(created)

    def test_is_quiet_on_repeat(self):
        disks.given(created).when(CreateDisk()).then_nothing_happened()

    def test_is_refused_for_an_id_that_was_deleted(self):
        disks.given(created, DiskDeleted()).when(CreateDisk()).then_rejected(AbsentError, "no such disk")


class TestStoreArtifact:
    def test_puts_the_file_whatever_was_there(self):
        disks.given(created).when(store).then(stored)
        disks.given(created, stored).when(store).then(stored)

    @pytest.mark.parametrize("history", [(), (created, DiskDeleted())])
    def test_is_refused_where_there_is_no_disk(self, history):
        disks.given(*history).when(store).then_rejected(AbsentError, "no such disk")


class TestDescribeArtifact:
    def test_replaces_the_meta_that_the_read_model_has(self):
        disks.given(created).when(describe({"a": 1}, seen={})).then(described({"a": 1}))

    @pytest.mark.parametrize(("before", "after"), [({"a": 1}, {"a": True}), ({"a": 1}, {"a": 1.0}), ({"a": None}, {})])
    def test_tells_values_apart_that_look_alike(self, before, after):
        disks.given(created).when(describe(after, seen=before)).then(described(after))

    @pytest.mark.parametrize("history", [(), (stored, described({"b": 2, "a": [1]}))])
    def test_is_quiet_on_repeat(self, history):
        disks.given(created, *history).when(
            describe({"a": [1], "b": 2}, seen={"a": [1], "b": 2})
        ).then_nothing_happened()

    def test_goes_by_what_happened_since_the_read_model_was_asked(self):
        disks.given(created, stored).when(describe({}, seen=None)).then(described({}))
        disks.given(created, described({"a": 1})).when(describe({}, seen={})).then(described({}))
        disks.given(created, described({}), stored).when(describe(stored.meta, seen={})).then_nothing_happened()

    def test_is_refused_where_there_is_no_file(self):
        disks.given(created).when(describe({}, seen=None)).then_rejected(AbsentError, "no file /reports/hello.txt")
        disks.given(created, stored, removed).when(describe({}, seen={})).then_rejected(AbsentError, "no file")

    @pytest.mark.parametrize("history", [(), (created, DiskDeleted())])
    def test_is_refused_where_there_is_no_disk(self, history):
        disks.given(*history).when(describe({}, seen={})).then_rejected(AbsentError, "no such disk")


class TestRemoveArtifact:
    def test_removes_what_the_read_model_has(self):
        disks.given(created).when(remove(seen=True)).then(removed)

    def test_removes_what_was_put_after_the_read_model_was_asked(self):
        disks.given(created, stored).when(remove(seen=False)).then(removed)

    def test_is_refused_where_there_is_no_file(self):
        disks.given(created).when(remove(seen=False)).then_rejected(AbsentError, "no file /reports/hello.txt")

    def test_is_refused_when_somebody_else_was_faster(self):
        disks.given(created, stored, removed).when(remove(seen=True)).then_rejected(AbsentError, "no file")

    def test_is_refused_after_the_end(self):
        disks.given(created, DiskDeleted()).when(remove(seen=True)).then_rejected(AbsentError, "no such disk")


class TestDeleteDisk:
    def test_ends_it(self):
        disks.given(created).when(DeleteDisk()).then(DiskDeleted())

    def test_is_refused_where_it_has_ended(self):
        disks.given(created, DiskDeleted()).when(DeleteDisk()).then_rejected(AbsentError, "no such disk")


def test_the_state_stays_small_however_many_files_there_are():
    state = evolve(INITIAL, created)
    for number in range(3 * MOST_TOUCHED):
        state = evolve(state, example(ArtifactStored, filename=f"{number}.txt"))
    assert len(state.touched) <= MOST_TOUCHED
