"""Asking the agent: for as many messages as it has an answer to, and whose fault it is where it has none."""

from collections.abc import Sequence
from typing import Final

import structlog

from craftlog.contracts.messages import Message, Part
from craftlog.contracts.subjects import Address
from craftlog.llm.models import AnswerError, LeftAloneError, ModelAwayError, QuestionError
from craftlog.observer.agent import Agent
from craftlog.observer.commands import Command, FinishObserving
from craftlog.observer.cutting import fewer
from craftlog.observer.decider import INITIAL, State
from craftlog.runtime.due import Item
from craftlog.runtime.errors import StoreError, UnavailableError
from craftlog.runtime.work import SAME_ERROR_IS_POISON

_MOST_COMMANDS: Final = 900  # a decision has at most 1,000 events
_LONGEST_REASON: Final = 300
_AWAY: Final = "the model does not answer"
_HARMLESS: Final = Message(message_id="", position=1, role="user", parts=(Part(type="text", text="Hello."),))

logger = structlog.get_logger()


class UnansweredError(StoreError):
    """The agent has no usable answer to the message at ``position``, alone; ``reason`` may be told to anybody."""

    def __init__(self, position: int, error: AnswerError | QuestionError) -> None:
        super().__init__(unanswered(position), error)
        self.position = position
        # An endpoint may repeat a piece of the key or of the prompt; what the model itself says is the project's.
        said = (
            str(error) if isinstance(error, AnswerError) else "its endpoint refuses the question, or does not answer it"
        )
        self.reason = f"the model gives no usable answer to it: {said}"[:_LONGEST_REASON]


def unanswered(position: int) -> str:
    """Return what is said of a session that waits because of the message at this position."""
    return f"the model gives no usable answer to message {position}"


async def ask(
    agent: Agent, state: State, session: Address, messages: Sequence[Message], item: Item | None = None
) -> list[Command]:
    """Return what the agent says of messages.

    Where the work on them has waited for it again and again it is asked something harmless first: if it answers that, a
    question that it does not answer is to blame itself.

    Raises:
        UnavailableError: it cannot answer now.
        AnswerError, QuestionError: it has no usable answer to these.
    """
    doubted = item is not None and _has_waited(item, messages[0].position)
    if doubted:
        # First, since the question itself may be what keeps the circuit open.
        await _answer_to_anything(agent, session)
    try:
        return await agent.observe(state, session, messages)
    except ModelAwayError as away:
        if doubted and not isinstance(away, LeftAloneError):
            raise QuestionError(str(away)) from away
        # An endpoint may repeat a piece of the key or of the prompt: not for everybody.
        raise UnavailableError(_AWAY, away) from away


def _has_waited(item: Item, position: int) -> bool:
    return item.error == unanswered(position) or (item.error == _AWAY and item.alike + 1 >= SAME_ERROR_IS_POISON)


async def propose(
    agent: Agent, state: State, session: Address, messages: Sequence[Message], item: Item
) -> tuple[list[Command], int]:
    """Return what to do to the board, and through which position that reads.

    Those are as many of the messages as the agent can answer for, and as one decision can hold.

    Raises:
        UnavailableError: the agent cannot answer now.
        UnansweredError: it has no answer to the first message.
    """
    less = fewer(messages)
    try:
        commands = await ask(agent, state, session, messages, item)
    except (AnswerError, QuestionError) as error:
        if not less:
            raise UnansweredError(messages[0].position, error) from error
        logger.info("asked_again_with_fewer", session=session.id, messages=len(messages), reason=str(error))
        return await propose(agent, state, session, less, item)
    if len(commands) > _MOST_COMMANDS and less:
        return await propose(agent, state, session, less, item)
    finish = commands[-1]
    return commands, finish.through if isinstance(finish, FinishObserving) else state.through_position


async def is_to_blame(agent: Agent, session: Address, item: Item, error: UnansweredError) -> bool:
    """Tell whether it is the message that the agent has no answer to: again and again, while it answers another.

    Raises:
        UnavailableError: it has no answer to anything.
    """
    if item.error != error.public or item.alike + 1 < SAME_ERROR_IS_POISON:
        return False
    await _answer_to_anything(agent, session)
    return True


async def _answer_to_anything(agent: Agent, session: Address) -> None:
    """Return where the agent answers what anybody can; raises UnavailableError where it does not."""
    try:
        await ask(agent, INITIAL, session, [_HARMLESS])
    except (AnswerError, QuestionError) as nothing:
        raise UnavailableError("the model gives no usable answer to anything", nothing) from nothing
