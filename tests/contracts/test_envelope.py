"""What is appended today is read back tomorrow, and what is not ours is refused by name."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftlog.contracts.envelope import UndecodableError, decode, encode, event_id
from craftlog.contracts.events import EVENTS, TOMBSTONES, Event, MessageAppended, SessionCreated, wire_name
from craftlog.contracts.messages import Part
from craftlog.contracts.subjects import Address
from craftlog.testing.examples import EXAMPLES, PROJECT, SESSION, SESSION_ID, START, example

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def sent(event: Event) -> tuple[str, dict[str, str], bytes]:
    address = Address(type(event).KIND, PROJECT, SESSION_ID)
    headers, body = encode(address, 3, event, event_id="e-3", time=START, traceparent="00-1-2-01")
    return address.subject, headers, body


class TestRoundTrip:
    @pytest.mark.parametrize("kind", EVENTS)
    def test_every_event_is_read_back_as_it_was_written(self, kind: type[Event]):
        subject, headers, body = sent(EXAMPLES[kind])
        back = decode(subject, headers, body, seq=9)
        assert back.event == EXAMPLES[kind]
        assert (back.address.kind, back.version, back.seq, back.id) == (kind.KIND, 3, 9, "e-3")
        assert (back.type, back.time, back.traceparent) == (wire_name(kind), START, "00-1-2-01")
        assert back.is_tombstone == (kind in TOMBSTONES)

    @given(st.dictionaries(st.text(), JSON, max_size=4))
    def test_whatever_json_a_user_sent_is_kept_to_the_letter(self, value: dict[str, Any]):
        created = example(SessionCreated, configs=value)
        assert decode(*sent(created), seq=1).event == created
        spoken = example(MessageAppended, meta=value, parts=(Part(type="data", meta=value),))
        assert decode(*sent(spoken), seq=1).event == spoken

    def test_a_reader_passes_over_fields_that_a_newer_writer_added(self):
        subject, headers, _ = sent(example(SessionCreated))
        back = decode(subject, headers, b'{"configs": {"a": 1}, "added_later": true}', seq=1)
        assert back.event == SessionCreated(configs={"a": 1})

    def test_an_event_of_a_type_not_known_here_is_read_as_nothing(self):
        subject, headers, _ = sent(example(SessionCreated))
        back = decode(subject, {**headers, "ce-type": "SessionCreated.v2"}, b"\x00 not even JSON", seq=1)
        assert (back.event, back.type, back.version) == (None, "SessionCreated.v2", 3)
        assert not back.is_tombstone


class TestAttributes:
    def test_a_message_is_a_cloud_event_in_binary_mode(self):
        _, headers, body = sent(SessionCreated())
        assert headers == {
            "ce-specversion": "1.0",
            "ce-id": "e-3",
            "ce-type": "SessionCreated.v1",
            "ce-source": f"/projects/{PROJECT}/session/{SESSION_ID}",
            "ce-time": "2026-01-01T00:00:00+00:00",
            "ce-sequence": "3",
            "content-type": "application/json",
            "traceparent": "00-1-2-01",
        }
        assert body == b'{"disable_task_tracking":false}'

    def test_the_same_cause_has_the_same_id_and_no_other_has_it(self):
        assert event_id("a", "b") == event_id("a", "b")
        assert len({event_id("a", "b"), event_id("ab"), event_id("a", "b", ""), event_id("b", "a")}) == 4


class TestUndecodable:
    @pytest.mark.parametrize("header", ["ce-type", "ce-id", "ce-time", "ce-sequence"])
    def test_a_missing_attribute_is_named(self, header: str):
        subject, headers, body = sent(SessionCreated())
        del headers[header]
        with pytest.raises(UndecodableError, match=f"stream sequence 9: header '{header}' is missing"):
            decode(subject, headers, body, seq=9)

    @pytest.mark.parametrize(
        ("changed", "body", "words"),
        [
            ({"ce-sequence": "three"}, b"{}", "three"),
            ({"ce-time": "yesterday"}, b"{}", "yesterday"),
            ({}, b"", "JSON"),
            ({}, b"[]", "SessionCreated"),
            ({}, b'{"disable_task_tracking": "perhaps"}', "disable_task_tracking"),
        ],
    )
    def test_a_wrong_value_is_named(self, changed: dict[str, str], body: bytes, words: str):
        subject, headers, _ = sent(SessionCreated())
        with pytest.raises(UndecodableError, match=words):
            decode(subject, headers | changed, body, seq=9)

    @pytest.mark.parametrize("body", [b'{"configs": "my secret"}', b'"my secret', b'["my secret"]'])
    def test_what_the_user_said_is_not_repeated(self, body: bytes):
        subject, headers, _ = sent(SessionCreated())
        with pytest.raises(UndecodableError) as refused:
            decode(subject, headers, body, seq=9)
        assert "my secret" not in str(refused.value)

    def test_a_subject_of_somebody_else_is_refused(self):
        _, headers, body = sent(SessionCreated())
        with pytest.raises(UndecodableError, match=r"orders\.new"):
            decode("orders.new", headers, body, seq=9)

    def test_time_is_kept_to_the_microsecond(self):
        moment = datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
        headers, body = encode(SESSION, 1, SessionCreated(), event_id="e", time=moment)
        assert decode(SESSION.subject, headers, body, seq=1).time == moment
