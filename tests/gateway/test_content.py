import pytest

from craftlog.gateway.content import kind_of, parsed


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
        [("json", b"{"), ("json", b"[" * 100_000), ("csv", b"a,b\n1\n"), ("csv", b'"a'), ("text", b"\xff")],
    )
    def test_gives_nothing_for_what_is_not_what_it_says(self, kind, data):
        assert parsed(kind, data) is None
