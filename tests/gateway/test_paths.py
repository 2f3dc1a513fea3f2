import re
from urllib.parse import unquote

import pytest
from hypothesis import given as always
from hypothesis import strategies as st

from craftlog.gateway import paths
from craftlog.gateway.errors import InvalidError


class TestSplit:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("report.pdf", ("/", "report.pdf")),
            ("/documents/", ("/documents/", "")),
            ("//a//b", ("//a//", "b")),
            (" notes/x ", ("/notes/", "x")),
            ("", ("/", "")),
            ("/über/день 😀/a..b.txt", ("/über/день 😀/", "a..b.txt")),
        ],
    )
    def test_gives_the_directory_and_the_name(self, given, expected):
        assert paths.split(given) == expected

    @pytest.mark.parametrize(
        "given",
        ["/a/../b", "../b", "/a..b/c", "/.../c", "/a\0/b", "/a/b\0", "/\ud800/a", "/" * 66, f"/{'a' * 1024}/b"],
    )
    def test_refuses_what_is_no_place_on_a_disk(self, given):
        with pytest.raises(InvalidError, match=r"^file_path: "):
            paths.split(given)


class TestDirectory:
    def test_must_begin_and_end_with_a_slash(self):
        assert paths.directory("/a/b/") == "/a/b/"
        for given in ("/a", "a/", ""):
            with pytest.raises(InvalidError, match=r"^path: "):
                paths.directory(given)


class TestSubdirectories:
    def test_are_the_next_names_below_each_once(self):
        found = paths.subdirectories("/a/", ["/", "/a/", "/a/c/", "/a/b/", "/a/b/d/", "/ab/x/"])
        assert found == ["b", "c"]


class TestFilename:
    def test_keeps_no_white_space_at_its_end_as_no_path_does(self):
        assert paths.filename(" a b \n") == " a b"

    @pytest.mark.parametrize("given", [".", "..", ".. ", "a\0", "\ud800", "a" * 1025])
    def test_refuses_what_no_file_can_have(self, given):
        with pytest.raises(InvalidError, match=r"^file: "):
            paths.filename(given)


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=6)
STRANGE = [".", "..", "...", "C:", "c:x", "a\\..\\b", "~", "é" * 300, "a.b", "a~1", "\r\n"]
ODD = st.one_of(NAMES, st.sampled_from(STRANGE))


class TestSplitting:
    @always(st.lists(ODD, max_size=3), NAMES)
    def test_puts_every_path_apart_as_it_was_put_together_or_refuses_it(self, way, name):
        path = "".join(f"/{piece}" for piece in way) + "/"
        try:
            place = paths.directory(path), paths.filename(name)
        except InvalidError:
            return
        if place[1]:
            assert paths.split("".join(place)) == place


class TestAttachment:
    @always(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
    def test_is_one_header_whatever_the_name_and_says_it(self, name):
        header = paths.attachment(name)
        assert header.isascii()
        assert header.isprintable()
        assert header.count('"') == 2
        assert unquote(header.rpartition("UTF-8''")[2]) == name[-120:]
        assert len(header) < 2048


class TestInArchive:
    @always(st.lists(st.tuples(st.lists(ODD, max_size=3), ODD, st.booleans()), max_size=8))
    def test_no_name_leads_out_of_a_directory_and_no_two_files_have_one(self, files):
        places = {("".join(f"/{piece}" for piece in way) + "/", name): double for way, name, double in files}
        named = [paths.in_archive(place, "/", is_directory=double) for place, double in places.items()]
        assert len(set(named)) == len(places)
        for name in named:
            assert "\\" not in name
            assert not name.startswith("/")
            for piece in name.split("/"):
                assert piece not in ("", ".", "..")
                assert len(piece.encode()) <= 255
                assert not re.match("[A-Za-z]:", piece)

    @pytest.mark.parametrize(
        ("place", "name"),
        [
            (("/a/b/", "é 😀.txt"), "b/é 😀.txt"),
            (("/a/", ".env"), ".env"),
            (("/a//b/", "c.txt"), "b/c~4ffa8ab7.txt"),
            (("/a/", "C:x\\y.txt"), "_x_y~d50552ce.txt"),
        ],
    )
    def test_a_name_is_as_it_was_unless_it_cannot_be(self, place, name):
        assert paths.in_archive(place, "/a/", is_directory=False) == name
