"""One aggregate, one subject, and nothing that is no id gets into one."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftlog.contracts.subjects import STREAM_SUBJECTS, Address, Kind, ask, every, parse, waited
from craftlog.testing.examples import BOARD, DISK_ID, PROJECT, SESSION, SESSION_ID

NO_IDS = [
    "",
    "*",
    ">",
    "a.b",
    "not-a-uuid",
    SESSION_ID.upper().replace("1", "A"),
    SESSION_ID.replace("-", ""),
    f"{{{SESSION_ID}}}",
    f"{SESSION_ID}\n",
    f" {SESSION_ID}",
    f"{SESSION_ID}.>",
]


class TestAddress:
    def test_its_subject_names_kind_partition_project_and_id(self):
        assert SESSION.subject == f"craftlog.v1.session.{SESSION.partition}.{PROJECT}.{SESSION_ID}"

    def test_a_board_lies_beside_its_session_but_not_in_its_subject(self):
        assert (BOARD.id, BOARD.partition) == (SESSION.id, SESSION.partition)
        assert BOARD.subject != SESSION.subject

    def test_partitions_are_the_same_for_ever(self):
        # These numbers are in the subjects of stored events: if this fails, the log can no longer be found.
        assert [Address(Kind.DISK, PROJECT, i).partition for i in (PROJECT, SESSION_ID, DISK_ID)] == [1, 0, 1]

    @pytest.mark.parametrize("wrong", NO_IDS)
    def test_what_is_no_id_is_refused(self, wrong: str):
        with pytest.raises(ValueError, match=r"id .* is not a canonical"):
            Address(Kind.SESSION, PROJECT, wrong)
        with pytest.raises(ValueError, match=r"project .* is not a canonical"):
            Address(Kind.SESSION, wrong, SESSION_ID)

    @given(st.sampled_from(Kind), st.uuids(), st.uuids())
    def test_a_subject_is_parsed_back(self, kind: Kind, project: UUID, aggregate: UUID):
        address = Address(kind, str(project), str(aggregate))
        assert parse(address.subject) == address
        assert 0 <= address.partition < 8


class TestParse:
    @pytest.mark.parametrize(
        "subject",
        [
            "",
            "craftlog.v1.session.0",
            f"craftlog.v2.session.0.{PROJECT}.{SESSION_ID}",
            f"other.v1.session.0.{PROJECT}.{SESSION_ID}",
            f"craftlog.v1.cart.0.{PROJECT}.{SESSION_ID}",
            f"craftlog.v1.session.0.{PROJECT}.{SESSION_ID}.more",
            f"craftlog.v1.session.0.{PROJECT}.*",
        ],
    )
    def test_refuses_what_is_no_subject_of_the_log(self, subject: str):
        with pytest.raises(ValueError, match=r".+"):
            parse(subject)


class TestCoreSubjects:
    def test_a_kind_has_one_filter_over_all_its_partitions(self):
        assert every(Kind.SESSION) == "craftlog.v1.session.>"

    def test_what_is_not_history_stays_outside_the_stream(self):
        stored = STREAM_SUBJECTS.removesuffix(">")
        assert SESSION.subject.startswith(stored)
        assert not ask("search", "experience").startswith(stored)
        assert not SESSION.head_subject.startswith(stored)
        assert not waited(Kind.SESSION).startswith(stored)
