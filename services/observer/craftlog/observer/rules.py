"""The offline engine: it reads the structure of a conversation, not its meaning, and calls no model.

Deterministic and batch-invariant: messages are read one by one, and what must be known again at the next one is in the
board or in ``Memory``. It understands English; another language opens tasks but does not finish them.
"""

from collections.abc import Sequence

from craftlog.contracts.messages import Message
from craftlog.contracts.subjects import Address
from craftlog.observer import agent_side, user_side
from craftlog.observer.commands import Command
from craftlog.observer.decider import State
from craftlog.observer.hearing import hear
from craftlog.observer.ledger import ENGINE, Ledger


class RulesAgent:
    """The rules as an Agent."""

    engine = ENGINE

    async def observe(self, board: State, session: Address, messages: Sequence[Message]) -> list[Command]:
        """Return what the messages mean for the board, ending with ``FinishObserving``."""
        return read(board, session.id, messages)


def read(board: State, session_id: str, messages: Sequence[Message]) -> list[Command]:
    """Return the commands for messages that follow ``board.through_position`` in order."""
    ledger = Ledger(board, session_id)
    for message in messages:
        _read_one(ledger, message)
    return ledger.close()


def _read_one(ledger: Ledger, message: Message) -> None:
    ledger.turn_page(message.position)
    heard = hear(message)
    if heard.speaker == "system":
        return
    task_id = None
    if heard.speaker == "agent":
        task_id = agent_side.hear(ledger, heard)
    # Some providers run tools themselves: then an agent's message has the results of its own calls.
    if heard.speaker == "user" or heard.results:
        task_id = agent_side.hear_results(ledger, heard.results) or task_id
    if heard.speaker == "user" and heard.text:
        task_id = user_side.hear(ledger, heard.text)
    if task_id is not None:
        ledger.link(task_id)
    elif ledger.memory.waiting is not None:
        ledger.hold()
