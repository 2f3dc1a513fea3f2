"""One question for all who wait: reads that are asked for at the same time cost one round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Together(Generic[K, V]):
    """Look values up by key, those that are asked for while a look is under way in the next one, all at once.

    So no answer is older than its question, and the more there are who ask the fewer looks each of them costs.

    Args:
        look: returns what it found by key; an exception for a key is raised to those who asked for that.
    """

    def __init__(self, look: Callable[[Sequence[K]], Awaitable[Mapping[K, V | Exception]]]) -> None:
        self._look = look
        self._wanted: dict[K, asyncio.Future[V | None]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def __call__(self, key: K) -> V | None:
        """Return the value as it is now or later, None where there is none; raise whatever the look raised."""
        if key not in self._wanted:
            self._wanted[key] = asyncio.get_running_loop().create_future()
        answer = self._wanted[key]
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_on())
        # Others may wait for the same answer: whoever hangs up takes it from nobody.
        return await asyncio.shield(answer)

    async def _look_on(self) -> None:
        try:
            while self._wanted:
                wanted, self._wanted = self._wanted, {}
                await self._answer(wanted)
        finally:
            self._looking = None

    async def _answer(self, wanted: Mapping[K, asyncio.Future[V | None]]) -> None:
        found: Mapping[K, V | Exception]
        try:
            found = await self._look(list(wanted))
        except Exception as error:  # noqa: BLE001 - it goes to whoever asked
            found = dict.fromkeys(wanted, error)
        for key, answer in wanted.items():
            value = found.get(key)
            if isinstance(value, Exception):
                answer.set_exception(value)
                answer.exception()  # whoever asked may have hung up, and nobody else minds
            else:
                answer.set_result(value)
