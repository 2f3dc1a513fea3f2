from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftlog.gateway.cursors import after_names, after_number, after_time, encode, listed
from craftlog.gateway.errors import InvalidError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class TestCursor:
    def test_gives_back_where_a_page_ended(self):
        assert after_number(encode(7)) == 7
        assert after_time(encode(NOW.isoformat(), "id")) == (NOW, "id")
        assert after_number(None) is None
        assert after_time(None) is None
        assert after_names(None) == ("", "")
        assert after_names(encode("file")) == ("file", None)
        assert after_names(encode("", "directory")) == ("", "directory")

    @given(st.text() | st.builds(encode, st.integers() | st.text()))
    def test_of_somebody_else_is_refused(self, cursor):
        with pytest.raises(InvalidError, match=r"^cursor: "):
            after_time(cursor)

    @pytest.mark.parametrize("cursor", ["", "a", encode("7"), encode(1, 2), encode()])
    def test_of_another_list_is_refused(self, cursor):
        with pytest.raises(InvalidError, match=r"^cursor: "):
            after_number(cursor)

    @pytest.mark.parametrize("cursor", ["", encode(1), encode("a", 1), encode("a", "b", "c"), encode("a", "\ud800")])
    def test_of_no_directory_is_refused(self, cursor):
        with pytest.raises(InvalidError, match=r"^cursor: "):
            after_names(cursor)


class TestListed:
    def test_says_whether_there_is_more_and_where_it_goes_on(self):
        assert listed([1, 2], 2, lambda item: (item,)) == ([1, 2], {"has_more": False})
        assert listed([1, 2, 3], 2, lambda item: (item,)) == ([1, 2], {"has_more": True, "next_cursor": encode(2)})
