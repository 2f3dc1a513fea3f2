"""Flush: wait until a session's board has read every message, however often the client has to ask."""

import asyncio
from typing import Final
from uuid import uuid4

from starlette.types import Receive

from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.decider.session_commands import RequestFlush
from craftlog.gateway.errors import MissingError
from craftlog.gateway.handlers import Gateway
from craftlog.runtime.errors import UnavailableError

FLUSH_BUDGET: Final = 25.0


async def flush(gateway: Gateway, address: Address, receive: Receive, *, budget: float = FLUSH_BUDGET) -> str:
    """Ask for the board to read all messages and wait until it has; return what is wrong with it, "" for nothing.

    Args:
        gateway: what to work with.
        address: the session.
        receive: the client's side of the connection; where it hangs up, the waiting ends.
        budget: how long to wait, in seconds; clients give up a little later.

    Raises:
        AbsentError, MissingError: there is no such session, or it was deleted meanwhile.
        UnavailableError: the board is not there within the budget; the text says how far it got.
    """
    decided = await gateway.sessions.transact(address, [RequestFlush()], cause=str(uuid4()))
    if not (decided.state.tracked and decided.state.messages):
        return ""
    board = Address(Kind.BOARD, address.project, address.id)
    waiting = asyncio.create_task(_observed(gateway, board, decided.state.messages, budget))
    gone = asyncio.create_task(_hung_up(receive))
    try:
        await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else "the client hung up"
    finally:
        waiting.cancel()
        gone.cancel()


async def _observed(gateway: Gateway, board: Address, through: int, budget: float) -> str:
    reached = 0

    def done(head: Document | None) -> str | None:
        nonlocal reached
        head = head or {}
        if head.get("deleted"):
            raise MissingError(f"there is no session {board.id}")
        reached = head.get("through_position", 0)
        if reached >= through:
            return ""
        return f"the board stands still at version {head.get('version', 0)}" if "stalled" in head else None

    try:
        return await gateway.heads.until(board, done, budget)
    except TimeoutError as late:
        raise UnavailableError(f"{reached} of {through} messages are observed; ask again to go on waiting") from late


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
