"""Order keys: always room between two, and the order of text is theirs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftlog.observer.ranks import between, rank_of


class TestRankOf:
    @given(st.integers(1, 99_998))
    def test_sorts_as_the_numbers_do(self, order):
        assert rank_of(order) < rank_of(order + 1)


class TestBetween:
    @given(st.lists(st.integers(0, 400), max_size=300), st.integers(1, 30))
    def test_finds_room_wherever_something_is_put(self, places, already):
        ranks = [rank_of(0), *(rank_of(order) for order in range(1, already + 1))]
        for place in places:
            at = place % (len(ranks) - 1)
            ranks.insert(at + 1, between(ranks[at], ranks[at + 1]))
        assert ranks == sorted(set(ranks))

    def test_grows_slowly_where_all_is_put_at_one_place(self):
        lower, upper = rank_of(1), rank_of(2)
        for _ in range(500):
            upper = between(lower, upper)
        assert len(upper) < 150

    def test_refuses_what_is_in_the_wrong_order(self):
        with pytest.raises(ValueError, match="does not come before"):
            between("b", "a")
