"""Who reads the messages of a session and says what they mean for its board."""

from collections.abc import Sequence
from typing import Protocol

from craftlog.contracts.messages import Message
from craftlog.observer.commands import Command
from craftlog.observer.decider import State


class Agent(Protocol):
    """An engine that observes sessions. It proposes commands; the decider disposes.

    ``engine`` names it on everything that it makes.
    """

    engine: str

    async def observe(self, board: State, session_id: str, messages: Sequence[Message]) -> list[Command]:
        """Return what to do to the board, ending with ``FinishObserving`` through the last message that was read.

        Args:
            board: the board as it was after the last observation, with what the engine remembered then.
            session_id: the session, for ids that a repeat finds again.
            messages: those after ``board.through_position``, in order and without gaps.
        """
        ...
