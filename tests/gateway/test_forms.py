"""Multipart bodies as they come off the wire, in pieces of any size."""

import tempfile
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect, Request

from craftlog.gateway import forms
from craftlog.gateway.errors import InvalidError, TooLargeError
from craftlog.gateway.forms import form, text
from craftlog.runtime.errors import UnavailableError

BOUNDARY = b"frontier"
Field = tuple[str, str | None, bytes]


def body(fields: Iterable[Field], end: bytes = b"--") -> bytes:
    written = b""
    for name, filename, data in fields:
        named = f'form-data; name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
        written += b"--%s\r\nContent-Disposition: %s\r\n\r\n%s\r\n" % (BOUNDARY, named.encode(), data)
    return written + b"--" + BOUNDARY + end + b"\r\n"


def request(sent: bytes, size: int = 1 << 16, *, hung_up: bool = False, kind: bytes | None = None) -> Request:
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)] or [b""]
    last = len(pieces) - 1
    messages = [{"type": "http.request", "body": one, "more_body": at < last} for at, one in enumerate(pieces)]
    if hung_up:
        messages[-1] = {"type": "http.disconnect"}
    arriving = iter(messages)

    async def receive():
        return next(arriving)

    header = kind or b"multipart/form-data; boundary=" + BOUNDARY
    return Request({"type": "http", "headers": [(b"content-type", header)]}, receive)


async def read(sent: Request, most: int = 1 << 26) -> list[Field]:
    async with form(sent, most) as parts:
        bodies = [part.body() for part in parts]
        assert [one if isinstance(one, bytes) else one.read() for one in bodies] == [part.read() for part in parts]
        return [(part.field, part.filename, part.read()) for part in parts]


class TestForm:
    @given(
        fields=st.lists(
            st.tuples(
                st.sampled_from(["payload", "a file", "überall"]),
                st.none() | st.sampled_from(["a.png", "", "😀.txt"]),
                st.binary() | st.sampled_from([b"\r\n--front", b"\r\n--frontie\r\n", b"\r\n\r\n", b"-" * 300]),
            ),
            min_size=1,
        ),
        size=st.integers(1, 200),
        handed_over=st.integers(1, 200),
    )
    async def test_gives_back_every_part_however_it_is_cut(self, fields, size, handed_over):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(forms, "_HANDED_OVER", handed_over)
            assert await read(request(body(fields), size)) == fields

    async def test_takes_files_by_the_last_of_their_names(self):
        names = ["C:\\temp\\a.txt", "../../etc/passwd", "/"]
        fields = await read(request(body([("f", name, b"") for name in names])))
        assert [filename for _, filename, _ in fields] == ["a.txt", "passwd", ""]

    async def test_takes_for_a_file_also_what_has_only_an_extended_name(self):
        sent = body([("f", "a", b"x")]).replace(b'filename="a"', b"filename*=UTF-8''na%C3%AFve.txt")
        assert await read(request(sent)) == [("f", "naïve.txt", b"x")]

    async def test_takes_little_memory_also_where_it_comes_in_crumbs(self):
        sent = request(body([("f", "a", bytes(50_000))]), 1)
        tracemalloc.start()
        try:
            assert await read(sent) == [("f", "a", bytes(50_000))]
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < 2_000_000

    async def test_needs_no_file_where_it_is_small(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
        fields = [("a", "a", bytes(60_000)), ("b", None, bytes(60_000))]
        assert await read(request(body(fields))) == fields
        with pytest.raises(UnavailableError, match="uploads cannot be kept now"):
            await read(request(body([*fields, ("c", "c", bytes(60_000))])))

    async def test_reads_ranges_of_a_file_like_a_file(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(forms, "_HANDED_OVER", 1)
        async with form(
            request(body([("a", "a", b"first"), ("b", "b", b"0123456789"), ("c", "c", b"last")])), 100
        ) as got:
            file = got[1].body()
            assert not isinstance(file, bytes)
            assert file.read(4) == b"0123"
            assert file.tell() == 4
            file.seek(8)
            assert file.read() == b"89"
            assert file.read() == b""
            assert file.seek(0, 2) == 10

    @pytest.mark.parametrize(
        ("sent", "words"),
        [
            (request(body([("a", None, b"x")], end=b"")), "ends before its form does"),
            (request(body([("a", None, b"x")])[:-20]), "ends before its form does"),
            (request(b""), "ends before its form does"),
            (request(b"no form at all"), "is no multipart form"),
            (request(body([]), kind=b"multipart/form-data"), "Content-Type: names no boundary"),
            (request(body([("a", None, b"x")]).replace(b"name=", b"game=")), "a part without a name"),
            (request(body([("a", None, b"")] * 1001)), "more than 1000 parts"),
        ],
    )
    async def test_refuses_what_is_none(self, sent: Request, words: str):
        with pytest.raises(InvalidError, match=words):
            await read(sent)

    async def test_refuses_a_part_that_is_too_large_by_its_name(self):
        with pytest.raises(TooLargeError, match="picture: more than 16777216 bytes"):
            await read(request(body([("picture", "a.png", bytes(16 * 1024 * 1024 + 1))])))
        assert len(await read(request(body([("picture", "a.png", bytes(16 * 1024 * 1024))])))) == 1

    async def test_refuses_parts_that_are_too_large_together(self):
        many = body([(f"f{n}", "a", bytes(1 << 20)) for n in range(4)])
        assert len(await read(request(many), most=1 << 22)) == 4
        with pytest.raises(TooLargeError, match="body: more than"):
            await read(request(many), most=1 << 21)

    async def test_ends_when_the_client_hangs_up(self):
        with pytest.raises(ClientDisconnect):
            await read(request(body([("a", None, b"x" * 1000)]), 100, hung_up=True))

    async def test_gives_texts_by_name(self):
        async with form(
            request(body([("a", "file", b"x"), ("a", None, b"\xc3\xa9"), ("b", None, b"\xff")])), 100
        ) as got:
            assert text(got, "a", 2) == "é"
            assert text(got, "c", 2) is None
            with pytest.raises(TooLargeError, match="a: 2 bytes are more than 1"):
                text(got, "a", 1)
            with pytest.raises(InvalidError, match="b: is not UTF-8 at byte 0"):
                text(got, "b", 2)
