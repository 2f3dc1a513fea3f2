"""How many tokens a session has: counted once, and then only what is new, since a message never changes."""

import asyncio

from craftlog.contracts.subjects import Address
from craftlog.gateway import tokens
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.reading import read


async def total_tokens(gateway: Gateway, session: Address, messages: int) -> int:
    """Return the tokens of a session's first messages."""
    total = 0
    async for _, found in read(gateway, session, 1, messages):
        total += await asyncio.to_thread(tokens.count, found)
    return total
