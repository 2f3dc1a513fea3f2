"""Wait for what is on its way, with a deadline instead of a guess."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_EVERY = 0.02


async def until(ask: Callable[[], Awaitable[T]], seconds: float = 30.0) -> T:
    """Ask again and again until the answer is truthy, and return it.

    Raises:
        TimeoutError: it was not in time; the text has the last answer.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not (answer := await ask()):
        if loop.time() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain; the last answer was {answer!r}")
        await asyncio.sleep(_EVERY)
    return answer
