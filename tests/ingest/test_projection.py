"""Given what is stored, when these events arrive, then this is what people read."""

from typing import Any

import pytest

from craftlog.contracts.events import (
    ArtifactDescribed,
    ArtifactRemoved,
    ArtifactStored,
    CopyOf,
    DiskCreated,
    DiskDeleted,
    Event,
    FlushRequested,
    KeyIssued,
    KeyRevoked,
    MessageAppended,
    ProjectConfigured,
    ProjectCreated,
    SessionCreated,
    SessionDeleted,
    SpaceConfigured,
    SpaceConnected,
    SpaceCreated,
    SpaceDeleted,
    TaskStarted,
)
from craftlog.contracts.messages import Part, Stored
from craftlog.contracts.readmodels import ARTIFACTS, COPIES, DIRECTORIES, MESSAGES, Project
from craftlog.ingest import projection
from craftlog.testing.examples import (
    DISK,
    DISK_ID,
    KEY_ID,
    MESSAGE_ID,
    PROJECT,
    SESSION,
    SESSION_ID,
    SPACE,
    SPACE_ID,
    TENANT,
    example,
    history,
    recorded,
)
from craftlog.testing.folding import fold

TO_ERASE = (projection.ERASURES, f"session/{SESSION_ID}")


def said(position: int, **changes: Any) -> MessageAppended:
    return example(MessageAppended, position=position, **changes)


def described(meta: dict[str, Any]) -> ArtifactDescribed:
    return ArtifactDescribed(path="/", filename="a.txt", meta=meta)


def put(path: str = "/", filename: str = "a.txt", **changes: Any) -> ArtifactStored:
    return example(ArtifactStored, path=path, filename=filename, **changes)


class TestProject:
    def test_a_project_is_its_head_with_the_keys_as_they_were_issued_and_revoked(self):
        second = example(KeyIssued, key_id=SPACE_ID, requests_per_second=None, burst=None, body_bytes=None)
        events = history(TENANT, ProjectCreated(name="research"), example(KeyIssued), second, KeyRevoked(key_id=KEY_ID))
        store = fold(projection.project, events)
        first = {**example(KeyIssued).model_dump(exclude={"key_id"}), "id": KEY_ID}
        assert store.said == {
            "name": "research",
            "keys": [
                {**first, "created_at": events[1].time, "revoked_at": events[3].time},
                {
                    **first,
                    "id": SPACE_ID,
                    "requests_per_second": None,
                    "burst": None,
                    "body_bytes": None,
                    "created_at": events[2].time,
                    "revoked_at": None,
                },
            ],
            "configs": {},
            "created_at": events[0].time,
            "updated_at": events[3].time,
        }
        assert store.children == {}
        assert fold(projection.project, events, cuts=[1, 2, 3]).said == store.said

    def test_a_projects_configs_are_the_last_that_were_said(self):
        events = history(
            TENANT,
            ProjectCreated(name="research"),
            example(ProjectConfigured),
            ProjectConfigured(configs={"b": [None]}),
        )
        said = fold(projection.project, events).said
        assert said["configs"] == {"b": [None]}
        assert said["updated_at"] == events[2].time


class TestSession:
    def test_a_new_session_is_read_as_it_was_created(self):
        events = history(SESSION, SessionCreated(configs={"a": None}, space_id=SPACE_ID, request="digest"))
        assert fold(projection.session, events).said == {
            "configs": {"a": None},
            "disable_task_tracking": False,
            "space_id": SPACE_ID,
            "messages": 0,
            "last_message_id": None,
            "flushed_through": 0,
            "request": "digest",
            "created_at": events[0].time,
            "updated_at": events[0].time,
            "deleted": False,
        }

    def test_a_message_is_a_child_at_its_position(self):
        parts = (Part(type="text", text="hello"), Part(type="tool-call", meta={"id": "c1", "arguments": None}))
        ref = Stored(key="k", sha256="s", size_b=1)
        message = said(1, parts=parts, parts_ref=ref, meta={"name": None}, parent_id=SPACE_ID, request="digest")
        events = history(SESSION, SessionCreated(), message)
        store = fold(projection.session, events)
        assert store.children == {
            (MESSAGES, f"{SESSION_ID}/{MESSAGE_ID}"): {
                "project": PROJECT,
                "session_id": SESSION_ID,
                "position": 1,
                "message_id": MESSAGE_ID,
                "parent_id": SPACE_ID,
                "role": "user",
                "parts": [
                    {"type": "text", "text": "hello"},
                    {"type": "tool-call", "meta": {"id": "c1", "arguments": None}},
                ],
                "parts_ref": {"key": "k", "sha256": "s", "size_b": 1},
                "meta": {"name": None},
                "request": "digest",
                "created_at": events[1].time,
            }
        }

    def test_the_head_counts_the_messages_and_names_the_last(self):
        events = history(SESSION, SessionCreated(), said(1), said(2, message_id=SPACE_ID))
        head = fold(projection.session, events).said
        assert (head["messages"], head["last_message_id"]) == (2, SPACE_ID)
        assert (head["created_at"], head["updated_at"]) == (events[0].time, events[2].time)

    def test_connecting_a_space_changes_the_head_alone(self):
        store = fold(projection.session, history(SESSION, SessionCreated(), SpaceConnected(space_id=SPACE_ID)))
        assert (store.said["space_id"], store.children) == (SPACE_ID, {})

    def test_a_flush_changes_nothing_but_how_far_and_when(self):
        events = history(SESSION, SessionCreated(), said(1), FlushRequested(through_position=1))
        before, after = fold(projection.session, events[:2]), fold(projection.session, events)
        assert after.said == before.said | {"flushed_through": 1, "updated_at": events[2].time}
        assert after.children == before.children

    @pytest.mark.parametrize("position", [0, 1, 3])
    def test_a_message_that_is_not_at_the_next_position_is_not_folded(self, position: int):
        with pytest.raises(ValueError, match=f"version 3: message at position {position}, expected 2"):
            fold(projection.session, history(SESSION, SessionCreated(), said(1), said(position)))

    def test_a_session_that_begins_twice_is_not_folded(self):
        with pytest.raises(ValueError, match=r"version 2: session .* was there already"):
            fold(projection.session, history(SESSION, SessionCreated(), SessionCreated()))


class TestCopy:
    def begun(self, messages: int = 2) -> SessionCreated:
        return SessionCreated(configs={"a": 1}, copy_of=CopyOf(session_id=SPACE_ID, messages=messages))

    def test_is_not_listed_before_it_has_all_messages(self):
        events = history(SESSION, self.begun(), said(1))
        store = fold(projection.session, events)
        assert "created_at" not in store.said
        assert store.said["copy_of"] == {"session_id": SPACE_ID, "messages": 2}
        assert store.children[COPIES, SESSION_ID] == {"project": PROJECT, "begun_at": events[0].time}

    @pytest.mark.parametrize("cuts", [[], [1], [2], [1, 2]])
    def test_is_a_session_from_the_time_of_its_last_message_on(self, cuts: list[int]):
        events = history(SESSION, self.begun(), said(1), said(2, message_id=SPACE_ID))
        store = fold(projection.session, events, cuts)
        assert (store.said["created_at"], store.said["messages"]) == (events[2].time, 2)
        assert (COPIES, SESSION_ID) not in store.children

    def test_goes_on_like_any_other(self):
        events = history(SESSION, self.begun(), *map(said, (1, 2, 3)), SpaceConnected(space_id=SPACE_ID))
        assert fold(projection.session, events).said["created_at"] == events[2].time

    def test_of_an_empty_session_is_one_at_once(self):
        events = history(SESSION, self.begun(messages=0))
        store = fold(projection.session, events)
        assert (store.said["created_at"], store.children) == (events[0].time, {})

    @pytest.mark.parametrize("cuts", [[], [1], [2]])
    def test_that_is_given_up_leaves_nothing_to_read(self, cuts: list[int]):
        store = fold(projection.session, history(SESSION, self.begun(), said(1), SessionDeleted()), cuts)
        assert (store.said, list(store.children)) == ({"deleted": True}, [TO_ERASE])


class TestDisk:
    def test_a_new_disk_is_empty(self):
        events = history(DISK, DiskCreated())
        store = fold(projection.disk, events)
        times = {"created_at": events[0].time, "updated_at": events[0].time}
        assert store.said == {**times, "deleted": False, "directories": True}
        assert store.children == {}

    def test_a_file_is_a_child_at_its_path(self):
        events = history(DISK, DiskCreated(), put("/a/b/", "c.txt", meta={"n": 1}))
        store = fold(projection.disk, events)
        assert store.children[ARTIFACTS, f"{DISK_ID}:/a/b/c.txt"] == {
            "project": PROJECT,
            "disk_id": DISK_ID,
            "path": "/a/b/",
            "filename": "c.txt",
            "asset": example(ArtifactStored).asset.model_dump(),
            "meta": {"n": 1},
            "created_at": events[1].time,
            "updated_at": events[1].time,
        }
        assert store.said["updated_at"] == events[1].time

    def test_a_file_put_again_replaces_the_first(self):
        events = history(DISK, DiskCreated(), put(meta={"first": 1}), put(meta={"second": 2}))
        file = fold(projection.disk, events).children[ARTIFACTS, f"{DISK_ID}:/a.txt"]
        assert (file["meta"], file["created_at"]) == ({"second": 2}, events[2].time)

    def test_a_file_that_came_and_went_in_one_batch_is_removed(self):
        batch = history(DISK, DiskCreated(), put(), ArtifactRemoved(path="/", filename="a.txt"))
        assert projection.disk(None, batch).children == {(ARTIFACTS, f"{DISK_ID}:/a.txt"): None}

    def test_a_file_that_went_and_came_back_in_one_batch_stays(self):
        batch = history(DISK, DiskCreated(), ArtifactRemoved(path="/", filename="a.txt"), put())
        assert list(fold(projection.disk, batch).children) == [(ARTIFACTS, f"{DISK_ID}:/a.txt")]


class TestSpace:
    def test_a_space_is_its_head(self):
        events = history(SPACE, SpaceCreated(configs={"a": 1}, request="digest"), SpaceConfigured(configs={"b": 2}))
        store = fold(projection.space, events, cuts=[1])
        times = {"created_at": events[0].time, "updated_at": events[1].time}
        assert store.said == {"configs": {"b": 2}, "request": "digest", **times}
        assert store.children == {}

    def test_nothing_of_a_deleted_space_is_left_to_read(self):
        store = fold(projection.space, history(SPACE, SpaceCreated(configs={"a": 1}), SpaceDeleted()), cuts=[1])
        assert (store.said, store.children.keys()) == ({"deleted": True}, {("erasures", f"space/{SPACE_ID}")})

    def test_one_that_never_began_cannot_be_configured(self):
        with pytest.raises(ValueError, match="there is no space"):
            projection.space(None, history(SPACE, SpaceConfigured(configs={})))


class TestTombstone:
    def test_nothing_of_a_deleted_session_is_left_to_read(self):
        events = history(SESSION, example(SessionCreated), said(1), said(2), SessionDeleted())
        store = fold(projection.session, events, cuts=[2])
        assert (store.said, store.children.keys()) == ({"deleted": True}, {TO_ERASE})

    @pytest.mark.parametrize("cuts", [[], [2]])
    def test_a_file_that_was_described_has_other_meta_and_the_same_bytes(self, cuts):
        events = history(DISK, DiskCreated(), put(meta={"first": 1}), described({"second": {"$a.b": 2}}))
        file = fold(projection.disk, events, cuts).children[ARTIFACTS, f"{DISK_ID}:/a.txt"]
        assert file["asset"] == example(ArtifactStored).asset.model_dump()
        assert file["meta"] == {"second": {"$a.b": 2}}
        assert (file["created_at"], file["updated_at"]) == (events[1].time, events[2].time)

    @pytest.mark.parametrize("cuts", [[], [2], [3]])
    def test_a_description_ends_with_the_file_that_it_was_of(self, cuts):
        events = history(DISK, DiskCreated(), put(), described({"old": 1}), put(meta={"new": 1}))
        assert fold(projection.disk, events, cuts).children[ARTIFACTS, f"{DISK_ID}:/a.txt"]["meta"] == {"new": 1}
        gone = history(
            DISK, DiskCreated(), put(), described({}), ArtifactRemoved(path="/", filename="a.txt"), described({})
        )
        assert fold(projection.disk, gone, cuts).children == {}

    @pytest.mark.parametrize("cuts", [[], [2]])
    def test_every_directory_on_the_way_to_a_file_is_known_by_the_file_put_there_last(self, cuts):
        events = history(DISK, DiskCreated(), put("/a//b/", "1"), put("/a/", "2"), put("/", "3"))
        children = fold(projection.disk, events, cuts).children
        witnesses = {
            key: child["witness"] for (collection, key), child in children.items() if collection == DIRECTORIES
        }
        assert witnesses == {f"{DISK_ID}:/a/": f"{DISK_ID}:/a/2", f"{DISK_ID}:/a//b/": f"{DISK_ID}:/a//b/1"}
        directory = children[DIRECTORIES, f"{DISK_ID}:/a//b/"]
        assert (directory["disk_id"], directory["parent"], directory["name"]) == (DISK_ID, "/a//", "b")

    def test_nothing_of_a_deleted_disk_is_left_to_read(self):
        store = fold(projection.disk, history(DISK, DiskCreated(), put("/a/"), DiskDeleted()), cuts=[2])
        assert (store.said, store.children.keys()) == ({"deleted": True}, {("erasures", f"disk/{DISK_ID}")})

    def test_it_drops_the_messages_of_its_own_session_alone(self):
        changes = projection.session(None, history(SESSION, SessionCreated(), said(1), SessionDeleted()))
        assert changes.drop == [(MESSAGES, {"session_id": SESSION_ID})]

    @pytest.mark.parametrize("left", [[], [said(4)], [SpaceConnected(space_id=SPACE_ID), said(9)]])
    def test_it_applies_whatever_erasure_has_left_before_it(self, left: list[Event]):
        changes = projection.session(None, [recorded(SESSION, 7, event) for event in [*left, SessionDeleted()]])
        assert (changes.head, changes.children) == ({"deleted": True}, {TO_ERASE: {"project": PROJECT}})

    @pytest.mark.parametrize("late", [said(1), SessionCreated()])
    @pytest.mark.parametrize("cuts", [[], [2]])
    def test_nothing_comes_after_it(self, late: Event, cuts: list[int]):
        with pytest.raises(ValueError, match="version 3"):
            fold(projection.session, history(SESSION, SessionCreated(), SessionDeleted(), late), cuts)


class TestWhatDoesNotFit:
    @pytest.mark.parametrize(
        ("project", "event"),
        [
            (projection.project, example(KeyIssued)),
            (projection.project, KeyRevoked(key_id=KEY_ID)),
            (projection.session, said(1)),
            (projection.session, SpaceConnected(space_id=SPACE_ID)),
            (projection.session, FlushRequested(through_position=1)),
            (projection.disk, put()),
            (projection.disk, ArtifactRemoved(path="/", filename="a.txt")),
        ],
    )
    def test_nothing_happens_to_what_was_not_created(self, project: Project, event: Event):
        with pytest.raises(ValueError, match=r"version 1: .* but there is no"):
            project(None, [recorded(SESSION, 1, event)])

    @pytest.mark.parametrize("project", [projection.project, projection.session, projection.disk, projection.space])
    def test_an_event_of_another_kind_is_named(self, project: Project):
        with pytest.raises(ValueError, match=r"version 1: TaskStarted\.v1 does not belong"):
            project(None, [recorded(SESSION, 1, TaskStarted(task_id=SPACE_ID))])

    def test_an_event_of_an_unknown_type_is_folded_as_nothing(self):
        with_it = history(SESSION, None, SessionCreated(), None, said(1), None)
        without = [past for past in with_it if past.event]
        assert fold(projection.session, with_it).said == fold(projection.session, without).said

    def test_what_was_stored_is_not_touched_by_folding_on(self):
        head = fold(projection.session, history(SESSION, SessionCreated())).head
        before = dict(head or {})
        projection.session(head, [recorded(SESSION, 2, said(1))])
        assert head == before
