import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftlog.gateway import bodies
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.limits import DEEPEST, MOST_AT_ONCE, MOST_VALUES, parse

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0")), inner)
    ),
    max_leaves=20,
)


def refused(body):
    with pytest.raises(InvalidError) as refusal:
        parse(body)
    return refusal.value


class TestParse:
    @given(JSON, st.booleans())
    def test_what_can_be_stored_is_read_as_it_is(self, value, escaped):
        assert parse(json.dumps(value, ensure_ascii=escaped).encode()) == value

    def test_more_values_than_a_body_may_have_are_refused_however_few_bytes_they_are(self):
        assert len(parse(b"[" + b"0," * (MOST_VALUES - 2) + b"0]")) == MOST_VALUES - 1
        assert "more than 200000 values" in str(refused(b"[" + b"[]," * MOST_VALUES + b"0]"))

    @pytest.mark.parametrize(
        ("body", "field", "words"),
        [
            (b"", "body", "is empty"),
            (b" \n", "body", "is empty"),
            (b'{"a": ', "body", "is not JSON"),
            (b"\xff", "body", "is not UTF-8"),
            (b'{"a": "\xed\xa0\x80"}', "body", "is not UTF-8"),
            (b'{"a": NaN}', "a", "not a finite"),
            (b'{"a": [1, -Infinity]}', "a[1]", "not a finite"),
            (b'{"a": {"b": 1e999}}', "a.b", "not a finite"),
            (b'{"a": [{"b": 9223372036854775808}]}', "a[0].b", "over 64 bit"),
            (b'{"a": -9223372036854775809}', "a", "over 64 bit"),
            (b'{"a": 1' + b"0" * 5000 + b"}", "body", "over 64 bit"),
            (b'{"a": {"x\\u0000y": 1}}', "a.x\\0y", "NUL"),
            (b'{"a": "\\ud800"}', "a", "lone surrogate"),
            (b'{"a": {"\\udfff": 1}}', "a.\\udfff", "lone surrogate"),
            (b'"\\ud800"', "body", "lone surrogate"),
        ],
    )
    def test_what_cannot_be_stored_is_refused_by_its_path(self, body, field, words):
        refusal = refused(body)
        assert refusal.field == field
        assert words in str(refusal)

    def test_a_text_may_hold_nul_and_whole_characters_written_as_escapes(self):
        assert parse(b'{"a": "x\\u0000y \\ud83d\\ude00"}') == {"a": "x\0y \U0001f600"}

    def test_the_deepest_level_is_accepted(self):
        assert parse(b"[" * DEEPEST + b"]" * DEEPEST)

    @pytest.mark.parametrize("depth", [DEEPEST + 1, 1_000, 100_000])
    def test_more_levels_are_refused_by_the_path_that_leads_there(self, depth):
        body = b'{"blob": {"first": ["x"], "content": ' + b"[" * depth + b"]" * depth + b"}}"
        refusal = refused(body)
        assert refusal.field.startswith("blob.content")
        assert "deeper than 64" in str(refusal)

    def test_a_refusal_can_always_be_written_as_utf8(self):
        assert str(refused(b'{"\\ud800\\u0000": 1}')).encode()


class TestParseAside:
    @pytest.mark.parametrize(("size", "aside"), [(MOST_AT_ONCE, False), (MOST_AT_ONCE + 1, True)])
    async def test_reads_large_bodies_in_a_thread(self, monkeypatch: pytest.MonkeyPatch, size: int, *, aside: bool):
        threads: list[threading.Thread] = []

        def noted(body: bytes, root: str) -> Any:
            threads.append(threading.current_thread())
            return parse(body, root)

        monkeypatch.setattr(bodies, "parse", noted)
        assert await bodies.parse_aside(b'"' + b"x" * (size - 2) + b'"') == "x" * (size - 2)
        assert [one is not threading.main_thread() for one in threads] == [aside]
