from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftlog.contracts.readmodels import Document
from craftlog.gateway import containment
from craftlog.gateway.containment import contains, sessions_with
from craftlog.gateway.cursors import Page, after_time

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.0, 0.5]) | st.sampled_from(["", "a", "b"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "$c.d", ""]), inner),
    max_leaves=6,
)


class TestContains:
    @pytest.mark.parametrize(
        ("value", "wanted"),
        [
            ({"a": 1, "b": 2}, {"a": 1}),
            ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"d": 2}}}),
            ({"a": [1, [2, 3], {"b": 4, "c": 5}]}, {"a": [{"b": 4}, [3], 1, 1]}),
            ({"a": None}, {"a": None}),
            ({"a": 1.0}, {"a": 1}),
            ({"a": [True]}, {"a": []}),
            ({"a": 1}, {}),
        ],
    )
    def test_what_says_less_of_the_same_is_contained(self, value: Any, wanted: Any) -> None:
        assert contains(value, wanted)

    @pytest.mark.parametrize(
        ("value", "wanted"),
        [
            ({"a": 1}, {"a": 2}),
            ({"a": 1}, {"b": 1}),
            ({"a": {"b": 1}}, {"b": 1}),
            ({"a": 1}, {"a": True}),
            ({"a": False}, {"a": 0}),
            ({"a": "1"}, {"a": 1}),
            ({}, {"a": None}),
            ({"a": [1]}, {"a": 1}),
            ({"a": 1}, {"a": [1]}),
            ({"a": [{"b": 1}, {"c": 2}]}, {"a": [{"b": 1, "c": 2}]}),
            ({"a": [1]}, {"a": {}}),
            ({"a": {}}, {"a": []}),
        ],
    )
    def test_what_says_something_else_is_not(self, value: Any, wanted: Any) -> None:
        assert not contains(value, wanted)

    @given(JSON)
    def test_everything_contains_itself(self, value: Any) -> None:
        assert contains(value, value)

    @given(JSON, JSON, JSON)
    def test_what_is_contained_in_something_contained_is_contained(self, most: Any, more: Any, least: Any) -> None:
        if contains(most, more) and contains(more, least):
            assert contains(most, least)


class Sessions:
    """Read models of a thousand sessions, three created at a time; the configs of a few have a mark."""

    def __init__(self) -> None:
        self.looks = 0
        begin = datetime(2026, 1, 1, tzinfo=UTC)
        self.all: list[Document] = [
            {"_id": f"{n:04d}", "created_at": begin + timedelta(seconds=n // 3), "configs": {"few": [n % 97 == 0]}}
            for n in range(1000)
        ]

    async def heads(self, _collection: str, _project: str, page: Page, **_filters: Any) -> list[Document]:
        self.looks += 1
        after = after_time(page.cursor)
        ordered = self.all[::-1] if page.time_desc else self.all
        if after is not None:
            place = [(head["created_at"], head["_id"]) for head in ordered].index(after)
            ordered = ordered[place + 1 :]
        return ordered[: page.limit + 1]


class TestSessionsWith:
    @pytest.mark.parametrize("newest", [False, True])
    async def test_looks_at_a_bounded_number_of_them_and_says_where_to_go_on(
        self, monkeypatch: pytest.MonkeyPatch, *, newest: bool
    ) -> None:
        monkeypatch.setattr(containment, "_MOST_LOOKS", 2)
        sessions, page = Sessions(), Page(200, None, newest)
        heads, more = await sessions_with(sessions, "p", page, {}, {"few": [True]})
        assert (sessions.looks, len(heads), more["has_more"]) == (2, 5 if not newest else 4, True)
        rest: list[Document] = []
        while more["has_more"]:
            some, more = await sessions_with(sessions, "p", Page(200, more["next_cursor"], newest), {}, {"few": [True]})
            rest += some
        marked = [head for head in sessions.all if head["configs"]["few"] == [True]]
        assert [*heads, *rest] == (marked[::-1] if newest else marked)

    @pytest.mark.parametrize("newest", [False, True])
    @pytest.mark.parametrize("limit", [1, 2, 10, 11, 12, 200])
    @pytest.mark.parametrize("wanted", [[True], [False], []])
    async def test_finds_each_once_in_order_however_far_apart_they_are(
        self, *, wanted: list[bool], limit: int, newest: bool
    ) -> None:
        sessions, page, found = Sessions(), Page(limit, None, newest), list[Document]()
        more: dict[str, Any] = {"has_more": True}
        while more["has_more"]:
            heads, more = await sessions_with(sessions, "p", page, {}, {"few": wanted})
            assert len(heads) <= limit
            found += heads
            page = Page(limit, more.get("next_cursor"), newest)
        expected = [head for head in sessions.all if contains(head["configs"]["few"], wanted)]
        assert found == (expected[::-1] if newest else expected)
