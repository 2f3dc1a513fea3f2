import pytest

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
        "given", ["/a/../b", "../b", "/a..b/c", "/.../c", "/a\0/b", "/a/b\0", "/\ud800/a", "/" * 1025]
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
