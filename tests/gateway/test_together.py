import asyncio
from collections.abc import Sequence

import pytest

from craftlog.gateway.together import Together


class Store:
    """Values by key; a look takes until it is let go, and sees what there was when it was begun."""

    def __init__(self) -> None:
        self.values: dict[str, int | Exception] = {}
        self.looks: list[Sequence[str]] = []
        self.let_go = asyncio.Semaphore(0)
        self.begun = asyncio.Semaphore(0)

    async def look(self, keys: Sequence[str]) -> dict[str, int | Exception]:
        self.looks.append(keys)
        seen = {key: self.values[key] for key in keys if key in self.values}
        self.begun.release()
        await self.let_go.acquire()
        return seen


@pytest.fixture
async def store() -> Store:
    return Store()


class TestTogether:
    async def test_those_who_ask_during_a_look_share_the_next_and_never_see_what_was_before_they_asked(self, store):
        together = Together(store.look)
        store.values = {"a": 1, "b": 1}
        first = asyncio.create_task(together("a"))
        await store.begun.acquire()
        store.values = {"a": 2, "b": 2}
        others = [asyncio.create_task(together(key)) for key in ("a", "b", "a", "c")]
        store.let_go.release()
        assert await first == 1
        store.let_go.release()
        assert await asyncio.gather(*others) == [2, 2, 2, None]
        assert store.looks == [["a"], ["a", "b", "c"]]

    async def test_an_error_goes_to_those_who_asked_and_the_next_look_is_a_new_one(self, store):
        together = Together(store.look)
        store.values = {"a": ValueError("a"), "b": 1}
        asked = [asyncio.create_task(together(key)) for key in ("a", "b", "a")]
        store.let_go.release()
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [str(one) for one in found] == ["a", "1", "a"]
        store.values = {"a": 3}
        store.let_go.release()
        assert await together("a") == 3

    async def test_a_look_that_fails_fails_for_all(self):
        async def look(_: Sequence[str]) -> dict[str, int]:
            raise ConnectionError("down")

        together = Together(look)
        found = await asyncio.gather(together("a"), together("b"), return_exceptions=True)
        assert [type(one) for one in found] == [ConnectionError, ConnectionError]
        with pytest.raises(ConnectionError):
            await together("a")

    async def test_who_hangs_up_takes_the_answer_from_nobody(self, store):
        together = Together(store.look)
        store.values = {"a": 1}
        gone, there = (asyncio.create_task(together("a")) for _ in range(2))
        await store.begun.acquire()
        gone.cancel()
        store.let_go.release()
        assert await there == 1
        assert gone.cancelled()
