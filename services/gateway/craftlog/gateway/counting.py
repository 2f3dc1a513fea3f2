"""How many tokens a session has: counted once, and then only what is new, since a message never changes."""

import asyncio
from typing import Final

from craftlog.contracts.subjects import Address
from craftlog.gateway import tokens
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.reading import read

_MOST_SESSIONS: Final = 10_000


async def total_tokens(gateway: Gateway, session: Address, messages: int) -> int:
    """Return the tokens of a session's first messages.

    Raises:
        MissingError: it was deleted meanwhile.
        UnavailableError: the read model or the bucket cannot be reached.
    """
    counted, total = gateway.counted.pop(session.id, (0, 0))
    # Where another reader has seen more of it than this one, its sum is the newer truth.
    async for _, found in read(gateway, session, range(counted + 1, messages + 1)):
        total += await asyncio.to_thread(tokens.count, found)
    gateway.counted[session.id] = max(counted, messages), total
    while len(gateway.counted) > _MOST_SESSIONS:
        del gateway.counted[next(iter(gateway.counted))]
    return total
