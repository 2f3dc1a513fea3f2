"""What one page takes into memory, sees of the messages before it, and says of the board."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftlog.contracts.messages import Part
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.cursors import after_number
from craftlog.gateway.editing import strategies
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.heads import Seen
from craftlog.gateway.reading import Page, Wish, _part, page
from craftlog.gateway.routes_task import observing_status
from craftlog.runtime.claims import PARTS

SESSION = Address(Kind.SESSION, "0b6a2c0e-6d1b-4a55-9e0f-3a1f0a7be001", "8f9d4e6e-0a51-4f0b-8a0a-0d6a4c1d5c7e")
MIB = 2**20


class Stored:
    """Read models and a bucket that hold these messages; ``fetched`` counts the bytes that came out of the bucket."""

    def __init__(self, *messages: dict[str, Any], board: dict[str, Any] | None = None) -> None:
        self.fetched = 0
        self._board = board
        self._messages = [
            {"message_id": f"m{at}", "position": at, "session_id": "s", "role": "user", "meta": {}, **_TIME, **message}
            for at, message in enumerate(messages, start=1)
        ]

    def gateway(self) -> Gateway:
        return cast("Gateway", SimpleNamespace(heads=self, reads=self, objects=self))

    async def seen(self, _address: Address) -> Seen:
        return Seen({"messages": len(self._messages)})

    async def seen_or_none(self, _address: Address) -> Seen | None:
        return Seen(self._board) if self._board else None

    async def observing_due(self, _session: str) -> dict[str, Any]:
        return {}

    async def head(self, _address: Address) -> dict[str, Any] | None:
        return self._board

    async def messages(self, _session: str, positions: Sequence[int]) -> list[dict[str, Any]]:
        return [self._messages[position - 1] for position in positions]

    async def parts(self, stored: list[dict[str, Any]]) -> list[tuple[Part, ...]]:
        self.fetched += sum(one["parts_ref"]["size_b"] for one in stored if "parts_ref" in one)
        return [PARTS.validate_python(one.get("parts", [{"type": "text", "text": "large"}])) for one in stored]


_TIME = {"created_at": datetime.now(UTC)}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"parts": [{"type": "text", "text": said}], **more}


def large(size: int) -> dict[str, Any]:
    return {"parts_ref": {"size_b": size}}


def call(*ids: str) -> dict[str, Any]:
    parts = [{"type": "tool-call", "meta": {"id": one, "name": f"find_{one}", "arguments": "{}"}} for one in ids]
    return {"role": "assistant", "parts": parts}


def result(call_id: str) -> dict[str, Any]:
    return {"parts": [{"type": "tool-result", "text": "found " * 50, "meta": {"tool_call_id": call_id}}]}


async def read(stored: Stored, **wish: Any) -> Page:
    wanted = {"limit": 0, "cursor": None, "newest": False, "format": "openai", "strategies": (), "pin": None}
    return await page(stored.gateway(), SESSION, Wish(**{**wanted, "with_urls": True, **wish}))


class TestMemory:
    async def test_counts_what_messages_hold_beside_their_parts(self) -> None:
        meta = {"user_meta": {"long": "x" * 60_000}}
        with pytest.raises(InvalidError, match="limit: there are more than"):
            await read(Stored(*[text("hi", meta=meta)] * 1200))

    async def test_takes_no_more_of_the_messages_before_a_page_than_of_a_page(self) -> None:
        stored = Stored(*[large(16 * MIB)] * 20, call("a"), result("a"))
        found = await read(stored, limit=1, newest=True, format="gemini")
        assert json.loads(found.items)[0]["parts"][0]["functionResponse"]["name"] == "find_a"
        assert stored.fetched <= 64 * MIB


class TestEditedPage:
    async def test_keeps_the_result_of_a_call_on_the_page_before(self) -> None:
        stored = Stored(text("go"), call("a", "b"), result("a"), result("b"), call("c"), result("c"), text("next"))
        limit = strategies('[{"type":"token_limit","params":{"limit_tokens":1}}]')
        assert (await read(stored, limit=4, newest=True, strategies=limit)).rest["ids"] == ["m4", "m7"]

    async def test_knows_the_tool_of_a_result_by_the_page_before(self) -> None:
        stored = Stored(text("go"), call("a", "b"), result("a"), result("b"))
        params = {"keep_recent_n_tool_results": 0, "keep_tools": ["find_b"]}
        wanted = strategies(json.dumps([{"type": "remove_tool_result", "params": params}]))
        items = json.loads((await read(stored, limit=2, newest=True, strategies=wanted)).items)
        assert [item["content"] for item in items] == ["Done", "found " * 50]


class TestPart:
    @given(st.lists(st.integers(1, 30), unique=True).map(sorted), st.integers(1, 9), st.booleans(), st.integers(-1, 40))
    def test_of_any_positions_has_each_once_in_both_directions(
        self,
        positions: list[int],
        limit: int,
        newest: bool,  # noqa: FBT001 - drawn
        elsewhere: int,
    ) -> None:
        found: list[int] = []
        after: int | None = None
        while True:
            part, more = _part(positions, limit, after, newest=newest)
            assert len(part) <= limit
            found = [*part, *found] if newest else [*found, *part]
            if not more["has_more"]:
                break
            after = after_number(more["next_cursor"])
        assert found == positions
        beyond, _ = _part(positions, 50, elsewhere, newest=newest)
        assert beyond == [at for at in positions if (at < elsewhere if newest else at > elsewhere)]


class TestBoard:
    async def test_has_a_message_in_one_task_at_most_and_planning_in_none(self) -> None:
        tasks = [{"id": "t1", "positions": [1, 4]}, {"id": "t2", "positions": [2]}]
        board = {"through_position": 4, "tasks": tasks, "planning": [3]}
        stored = Stored(*map(text, "abcd"), board=board)
        for wish, tasks_of in (({}, ["t1", "t2", None, "t1"]), ({"limit": 2, "newest": True}, [None, "t1"])):
            items = json.loads((await read(stored, format="acontext", **wish)).items)
            assert [item["task_id"] for item in items] == tasks_of

    async def test_has_failed_at_what_it_skipped(self) -> None:
        board = {"through_position": 2, "tasks": [], "skipped": [{"position": 1, "reason": "unreadable"}]}
        items = json.loads((await read(Stored(*map(text, "abc"), board=board), format="acontext")).items)
        assert [item["session_task_process_status"] for item in items] == ["failed", "success", "pending"]

    async def test_that_read_on_meanwhile_leaves_nothing_pending(self) -> None:
        stored = Stored(text("a"), board={"through_position": 3})
        answer = await observing_status(stored.gateway(), SESSION.project, SESSION.id)
        assert json.loads(answer.body)["data"]["pending"] == 0
