"""Who reads the messages of a session and says what they mean for its board."""

from collections.abc import Sequence
from typing import Protocol

from craftlog.contracts.messages import Message
from craftlog.contracts.subjects import Address
from craftlog.observer.commands import Command
from craftlog.observer.decider import State


class Agent(Protocol):
    """An engine that observes sessions. It proposes commands; the decider disposes.

    ``engine`` names it on everything that it makes.
    """

    engine: str

    async def observe(self, board: State, session: Address, messages: Sequence[Message]) -> list[Command]:
        """Return what to do to the board, ending with ``FinishObserving`` through the last message that was read.

        Args:
            board: the board as it was after the last observation, with what the engine remembered then.
            session: for ids that a repeat finds again, and whose project may have words of its own.
            messages: those after ``board.through_position``, in order and without gaps.
        """
        ...
