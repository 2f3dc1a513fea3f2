"""Flush: wait until a session's board has read every message, however often the client has to ask."""

import asyncio
from datetime import UTC, datetime
from math import ceil
from typing import Final
from uuid import uuid4

from starlette.types import Receive

from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import OBSERVER_HEARS, Address, Kind
from craftlog.gateway import wire
from craftlog.gateway.decider.session import Session
from craftlog.gateway.decider.session_commands import RequestFlush
from craftlog.gateway.errors import MissingError, UnfinishedError
from craftlog.gateway.handlers import Gateway
from craftlog.runtime.desk import Decided

FLUSH_BUDGET: Final = 25.0
_LOOK_FOR_PARKED_EVERY: Final = 2.0
_LONGEST_WAIT: Final = 60
_MOST_NAMED: Final = 20


async def flush(
    gateway: Gateway, address: Address, receive: Receive, *, budget: float = FLUSH_BUDGET
) -> tuple[int, str]:
    """Ask for the board to read all messages and wait until it has; return a status and what is to be said of it.

    The status is 200 where all is read but what is parked, which is named; 500 where nothing more will be read.

    Args:
        gateway: what to work with.
        address: the session.
        receive: the client's side of the connection; where it hangs up, the waiting ends.
        budget: how long to wait, in seconds; clients give up a little later.

    Raises:
        AbsentError, MissingError: there is no such session, or it was deleted meanwhile.
        UnfinishedError: the board is not there within the budget; the text says how far it got, and why it waits.
    """
    decided = await gateway.sessions.transact(address, [RequestFlush()], cause=str(uuid4()))
    if not (decided.state.tracked and decided.state.messages):
        return 200, ""
    board = Address(Kind.BOARD, address.project, address.id)
    waiting = asyncio.create_task(_Waiting(gateway, board, decided).result(budget))
    gone = asyncio.create_task(_hung_up(receive))
    try:
        await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else (500, "the client hung up")
    finally:
        waiting.cancel()
        gone.cancel()


class _Waiting:
    """One client's waiting for a board to have read all that its session had when it was ``asked``."""

    def __init__(self, gateway: Gateway, board: Address, asked: Decided[Session]) -> None:
        self._gateway = gateway
        self._board = board
        self._through = asked.state.messages
        self._asked_at = asked.position.seq
        self._reached = 0

    async def result(self, budget: float) -> tuple[int, str]:
        """Return what ``flush`` does; raises as it does."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + budget
        while (left := deadline - clock()) > 0:
            try:
                return await self._gateway.heads.until(self._board, self._seen, min(left, _LOOK_FOR_PARKED_EVERY))
            except TimeoutError:
                due = await self._gateway.reads.observing_due(self._board.id)
                if due.get("parked"):
                    return 500, f"{self._how_far}; the rest is parked: {due.get('error')}"
        # In this order: what was heard before was noted before.
        heard = await self._gateway.log.acknowledged(OBSERVER_HEARS) >= self._asked_at
        due = await self._gateway.reads.observing_due(self._board.id)
        if heard and not due:
            await self._ask_again()
        raise UnfinishedError(f"{self._how_far}{_why(due)}; ask again to go on waiting", _wait(due))

    async def _ask_again(self) -> None:
        """Have the session looked at, which nobody intends to: what was parked is dropped, or what was due is lost.

        What the observer has yet to hear, as after it was down, it need not be told twice.
        """
        session = Address(Kind.SESSION, self._board.project, self._board.id)
        await self._gateway.sessions.transact(session, [RequestFlush(again=True)], cause=str(uuid4()))

    @property
    def _how_far(self) -> str:
        return f"{self._reached} of {self._through} messages are observed"

    def _seen(self, head: Document | None) -> tuple[int, str] | None:
        head = head or {}
        if head.get("deleted"):
            raise MissingError(f"there is no session {self._board.id}")
        self._reached = head.get("through_position", 0)
        if self._reached >= self._through:
            return 200, _parked([one for one in head.get("skipped", ()) if not one.get("dropped")])
        return (500, f"the board stands still at version {head.get('version', 0)}") if "stalled" in head else None


def _parked(skipped: list[Document]) -> str:
    """Name the messages that nobody could read."""
    named = ", ".join(f"{one['position']} ({one['reason']})" for one in skipped[:_MOST_NAMED])
    more = f" and {len(skipped) - _MOST_NAMED} more" if len(skipped) > _MOST_NAMED else ""
    return f"parked messages by position: {named}{more}" if skipped else ""


def _why(due: Document) -> str:
    if not due.get("error"):
        return ""
    return f", waiting because of: {due['error']}; next attempt at {wire.at(due['due_at'])}"


def _wait(due: Document) -> int:
    """Return in how many seconds it is worth while to ask again."""
    if not due.get("error"):
        return 1
    seconds: float = (due["due_at"] - datetime.now(UTC)).total_seconds()
    return min(max(ceil(seconds), 1), _LONGEST_WAIT)


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
