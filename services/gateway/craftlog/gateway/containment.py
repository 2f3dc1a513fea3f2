"""Sessions whose configs contain what somebody looks for."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from craftlog.contracts.readmodels import SESSIONS, Document
from craftlog.gateway import wire
from craftlog.gateway.cursors import Page, encode, listed
from craftlog.gateway.fields import Json

_AT_ONCE: Final = 200
_MOST_LOOKS: Final = 10


class Lists(Protocol):
    """Where heads are found in their order (craftlog.gateway.reads.Reads)."""

    async def heads(self, collection: str, project: str, page: Page, **filters: Any) -> list[Document]:
        """Return heads in order of creation: one more than the page's limit, where there is one more."""
        ...


def contains(value: Any, wanted: Any) -> bool:
    """Tell whether a JSON value contains another one.

    An object contains one that says less of the same, an array one whose elements are each contained in one of its
    own, anything else what is equal to it; true is not 1, but 1 is 1.0.
    """
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(name in value and contains(value[name], wanted[name]) for name in wanted)
    if isinstance(wanted, list):
        return isinstance(value, list) and all(any(contains(one, other) for one in value) for other in wanted)
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


async def sessions_with(
    reads: Lists, project: str, page: Page, filters: Document, within: Json
) -> tuple[Sequence[Document], Json]:
    """Return the heads of sessions whose configs contain ``within``, and ``{has_more, next_cursor?}``.

    No more than 2,000 sessions are looked at: where there are others there is more, even where a page is not full.

    Raises:
        InvalidError: the cursor is none of ours.
        UnavailableError: MongoDB cannot be reached.
    """
    found: list[Document] = []
    further = replace(page, limit=_AT_ONCE)
    for _ in range(_MOST_LOOKS):
        heads = await reads.heads(SESSIONS, project, further, **filters, **dict(_equal(within, "configs")))
        found += [head for head in heads[:_AT_ONCE] if contains(head["configs"] or {}, within)]
        if len(heads) <= _AT_ONCE or len(found) > page.limit:
            return listed(found, page.limit, wire.place)
        further = replace(further, cursor=encode(*wire.place(heads[_AT_ONCE - 1])))
    return found, {"has_more": True, "next_cursor": further.cursor}


def _equal(within: Json, path: str) -> Iterator[tuple[str, Any]]:
    """Yield what MongoDB can look for by itself: it finds more than is contained, never less."""
    for name, value in within.items():
        if name and "." not in name and "$" not in name:
            if isinstance(value, dict):
                yield from _equal(value, f"{path}.{name}")
            elif not isinstance(value, list):
                yield f"{path}.{name}", value
