import pytest
from hypothesis import given as always
from hypothesis import strategies as st

from craftlog.gateway.content import Lines, kind_of, parsed


class TestKindOf:
    @pytest.mark.parametrize(
        ("filename", "mime", "kind"),
        [
            ("a.JSON", "application/octet-stream", "json"),
            ("a", "application/json; charset=utf-8", "json"),
            ("a.csv", "application/octet-stream", "csv"),
            ("a", "application/csv", "csv"),
            ("a.py", "application/octet-stream", "code"),
            ("a", "text/x-python", "code"),
            ("a.md", "application/octet-stream", "text"),
            ("a", "text/plain", "text"),
            ("a.png", "image/png", None),
            ("json", "application/octet-stream", None),
            (".dockerfile", "application/octet-stream", "code"),
            ("a.", "application/octet-stream", None),
        ],
    )
    def test_goes_by_ending_or_type(self, filename, mime, kind):
        assert kind_of(filename, mime) == kind


class TestParsed:
    @pytest.mark.parametrize(
        ("kind", "data"), [("json", b'{"a": 1}'), ("csv", b"a,b\n1,2\n\n"), ("code", b"x"), ("text", "é".encode())]
    )
    def test_gives_the_text_as_it_is(self, kind, data):
        assert parsed(kind, data) == {"type": kind, "raw": data.decode()}

    @pytest.mark.parametrize(
        ("kind", "data"),
        [
            ("json", b"{"),
            ("json", b"[NaN]"),
            ("json", b"[" * 100_000),
            ("csv", b"a,b\n1\n"),
            ("csv", b'"a'),
            ("text", b"\xff"),
        ],
    )
    def test_gives_nothing_for_what_is_not_what_it_says(self, kind, data):
        assert parsed(kind, data) is None

    def test_reads_values_that_are_larger_than_most(self):
        for kind, data in (("csv", b"a," + b"x" * 1_000_000), ("json", b"[" + b"9" * 5000 + b"]")):
            assert parsed(kind, data) == {"type": kind, "raw": data.decode()}

    def test_looks_at_no_json_of_more_than_1_mib(self):
        most = b"[" + b" " * (1024 * 1024 - 2) + b"]"
        assert parsed("json", most) == {"type": "json", "raw": most.decode()}
        assert parsed("json", most + b" ") == {"type": "text", "raw": most.decode() + " "}
        assert parsed("json", most + b"{") == {"type": "text", "raw": most.decode() + "{"}

    @always(st.text("ab\n\r\u2028", max_size=8), st.integers(0, 9), st.integers(1, 9) | st.none())
    def test_cuts_lines_as_the_tools_of_the_sdks_do(self, text, offset, limit):
        lines = text.split("\n")
        cut = parsed("text", text.encode(), Lines(offset, limit))
        wanted = "\n".join(lines[offset : None if limit is None else offset + limit])
        assert cut == {"type": "text", "raw": wanted, "line_offset": offset, "total_lines": len(lines)}
