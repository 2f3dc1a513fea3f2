"""However the log is cut into batches, and however old it is, people read the same."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craftlog.contracts.envelope import Recorded, decode
from craftlog.contracts.events import (
    ArtifactRemoved,
    ArtifactStored,
    DiskCreated,
    DiskDeleted,
    Event,
    FlushRequested,
    MessageAppended,
    SessionCreated,
    SessionDeleted,
    SpaceConnected,
)
from craftlog.contracts.readmodels import ARTIFACTS
from craftlog.contracts.subjects import Kind
from craftlog.ingest import projection
from craftlog.testing.examples import DISK, SESSION, SPACE_ID, example, history
from craftlog.testing.folding import ReadModel, fold

HISTORIES = Path(__file__).parent.parent / "histories"
NAMES = st.sampled_from(["a.txt", "b.txt"])
SESSION_STEPS = st.sampled_from(["say", "connect", "flush", "unknown"])
DISK_STEPS = st.one_of(
    st.builds(
        partial(example, ArtifactStored, path="/"),
        filename=NAMES,
        meta=st.dictionaries(st.just("n"), st.integers(), max_size=1),
    ),
    st.builds(ArtifactRemoved, path=st.just("/"), filename=NAMES),
    st.none(),
)
CUTS = st.lists(st.integers(0, 30), max_size=6)


def session_history(steps: Sequence[str], *, deleted: bool) -> list[Recorded]:
    events: list[Event | None] = [example(SessionCreated)]
    for step in steps:
        position = sum(isinstance(event, MessageAppended) for event in events)
        match step:
            case "say":
                events.append(example(MessageAppended, position=position + 1, message_id=f"m{position + 1}"))
            case "connect":
                events.append(SpaceConnected(space_id=SPACE_ID))
            case "flush":
                events.append(FlushRequested(through_position=position))
            case _:
                events.append(None)
    return history(SESSION, *events, *([SessionDeleted()] if deleted else []))


class TestBatches:
    """How the log is cut into batches is chance, so it must not be seen in what people read."""

    @settings(deadline=None)
    @given(st.lists(SESSION_STEPS, max_size=25), st.booleans(), CUTS)
    def test_any_cut_of_a_session_reads_the_same(self, steps: list[str], deleted: bool, cuts: list[int]):  # noqa: FBT001 - drawn
        events = session_history(steps, deleted=deleted)
        at_once, in_parts = fold(projection.session, events), fold(projection.session, events, cuts)
        assert (in_parts.head, in_parts.children) == (at_once.head, at_once.children)

    @settings(deadline=None)
    @given(st.lists(DISK_STEPS, max_size=25), st.booleans(), CUTS)
    def test_any_cut_of_a_disk_reads_the_same(self, steps: list[Event | None], deleted: bool, cuts: list[int]):  # noqa: FBT001 - drawn
        events = history(DISK, DiskCreated(), *steps, *([DiskDeleted()] if deleted else []))
        at_once, in_parts = fold(projection.disk, events), fold(projection.disk, events, cuts)
        assert (in_parts.head, in_parts.children) == (at_once.head, at_once.children)


class TestHistory:
    """A log that was recorded earlier is read the same for ever."""

    @pytest.fixture
    def read(self) -> dict[str, ReadModel]:
        by_aggregate: dict[tuple[Kind, str], list[Recorded]] = {}
        for stored in json.loads((HISTORIES / "price_table.json").read_text()):
            past = decode(stored["subject"], stored["headers"], json.dumps(stored["data"]).encode(), stored["seq"])
            by_aggregate.setdefault((past.address.kind, past.address.id), []).append(past)
        folds = {
            Kind.SESSION: projection.session,
            Kind.DISK: projection.disk,
            Kind.SPACE: projection.space,
        }
        return {
            aggregate: fold(folds[kind], events) for (kind, aggregate), events in by_aggregate.items() if kind in folds
        }

    def test_the_session_has_its_messages_in_order(self, read: dict[str, ReadModel]):
        session = read["3f3af1ec-ebbd-4410-8b41-7ec0d27bbfcb"]
        assert (session.said["messages"], session.said["deleted"]) == (6, False)
        assert session.said["space_id"] == "3f49dbbf-e051-4b20-8c03-8923424fedf8"
        roles = [document["meta"].get("original_role", document["role"]) for document in session.children.values()]
        assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
        assert [document["parts"][-1]["type"] for document in session.children.values()] == [
            "text",
            "text",
            "tool-call",
            "tool-result",
            "image",
            "text",
        ]

    def test_the_disk_has_the_last_file_and_not_the_draft(self, read: dict[str, ReadModel]):
        disk = read["1044dec7-206e-4d7c-8fbb-4ae8f7666684"]
        files = [child for (collection, _), child in disk.children.items() if collection == ARTIFACTS]
        assert [file["path"] + file["filename"] for file in files] == ["/prices.md"]
        assert files[0]["meta"] == {"rows": 1, "sources": True}

    @pytest.mark.parametrize(
        "deleted", ["9fa2eb3e-ff94-4936-8393-cb23a647e22b", "a9021820-7dbc-4675-8c58-22cdd0b001d8"]
    )
    def test_what_was_erased_reads_as_deleted(self, deleted: str, read: dict[str, ReadModel]):
        assert read[deleted].said == {"deleted": True}
        assert [collection for collection, _ in read[deleted].children] == ["erasures"]
