"""Changes to children that were written before: what a store has to set, however many changes came together."""

import copy
from typing import Any

from hypothesis import given as always
from hypothesis import strategies as st

from craftlog.contracts.readmodels import Changes, Document, patch

CHILD = ("blocks", "b")
STEPS = {"steps": [{"tool": "a", "do": "x"}, {"tool": "b"}]}


def whole() -> Document:
    return copy.deepcopy({"title": "t", "props": STEPS})


PATCHES = st.lists(
    st.one_of(
        st.builds(lambda title: {"title": title}, st.text(max_size=2)),
        st.builds(lambda at, name: {f"props.steps.{at}.tool": name}, st.integers(0, 3), st.text(max_size=2)),
        st.builds(lambda: {"props": copy.deepcopy(STEPS), "sort": 1}),
    ),
    max_size=6,
)


class TestPatches:
    @always(PATCHES, st.booleans())
    def test_that_come_together_are_as_one_after_the_other(self, patches: list[Document], written_now: bool):  # noqa: FBT001
        one_by_one = whole()
        for values in copy.deepcopy(patches):
            patch(one_by_one, values)
        changes = Changes({})
        if written_now:
            changes.put(*CHILD, whole())
        for values in copy.deepcopy(patches):
            changes.patch(*CHILD, values)
        together: Any = changes.children.get(CHILD, whole())
        patch(together, changes.patches.get(CHILD, {}))
        assert together == one_by_one

    @always(PATCHES)
    def test_never_set_a_value_and_a_part_of_it_at_once(self, patches: list[Document]):
        changes = Changes({})
        for values in patches:
            changes.patch(*CHILD, values)
        paths = list(changes.patches.get(CHILD, {}))
        assert not [(one, other) for one in paths for other in paths if other.startswith(f"{one}.")]

    def test_of_a_child_that_goes_or_comes_later_are_nothing(self):
        changes = Changes({})
        changes.patch(*CHILD, {"title": "x"})
        changes.put(*CHILD, None)
        changes.patch(*CHILD, {"title": "y"})
        assert (changes.children, changes.patches) == ({CHILD: None}, {})

    def test_of_parts_that_are_not_there_are_nothing(self):
        document = whole()
        patch(document, {"props.steps.7.tool": "z", "props.none.0.tool": "z", "title.0": "z"})
        assert document == whole()
