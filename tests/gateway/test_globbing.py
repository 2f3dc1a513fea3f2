import re
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given as always
from hypothesis import strategies as st

from craftlog.contracts.readmodels import Document
from craftlog.gateway import routes_search
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.globbing import glob
from craftlog.gateway.grepping import Found

PIECES = st.text("ab[].%\n", min_size=1, max_size=2)


def plainly(pattern: str, text: str) -> bool:
    """Whether a text is what a pattern means, by its definition: what is left of both, letter by letter."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(plainly(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and plainly(pattern[1:], text[1:])


class TestGlob:
    @always(st.text("ab/*?[]!.%\n", max_size=6), st.lists(PIECES, min_size=1, max_size=3))
    def test_matches_what_its_definition_says(self, pattern, pieces):
        path, name = "".join(f"/{piece}" for piece in pieces[:-1]) + "/", pieces[-1]
        whole = pattern if pattern.startswith(("/", "*")) else f"/{pattern}"
        wanted = glob(pattern)
        assert wanted.matches(path, name) == plainly(whole, path + name)
        if wanted.matches(path, name):
            assert path.startswith(wanted.below)

    @pytest.mark.parametrize(
        ("pattern", "below"),
        [("/a/b*", "/a/"), ("a/b/?", "/a/b/"), ("**/x", "/"), ("?", "/"), ("/a/b", "/a/"), ("", "/")],
    )
    def test_knows_where_to_begin(self, pattern, below):
        assert glob(pattern).below == below

    def test_takes_no_time_for_a_pattern_made_to_take_all(self):
        # With plain backtracking this takes longer than anybody waits.
        assert not glob("*a" * 500 + "b").matches("/", "a" * 1024)

    def test_that_is_longer_than_any_path_is_refused(self):
        with pytest.raises(InvalidError, match=re.escape("query: is longer than 2048 characters")):
            glob("a" * 2049)


class TestMatching:
    async def test_stops_where_a_request_has_done_enough_and_says_where(self, monkeypatch):
        names = ["a", "b", "c" * 100, "d"]

        async def batches() -> AsyncIterator[Sequence[Document]]:
            yield [{"_id": name, "path": "/", "filename": name} for name in names]

        async def found(pattern: str, limit: int = 100) -> Found:
            return await routes_search._matching(batches(), glob(pattern), limit)

        assert await found("*") == Found(ids=names)
        assert await found("*", limit=2) == Found(ids=names[:2], after=("/", "b"))
        monkeypatch.setattr(routes_search, "MOST_STEPS", 50)
        assert await found("*") == Found(ids=names[:3], after=("/", "c" * 100))
        assert await found("*" * 30) == Found(ids=names[:1], after=("/", "a"))
