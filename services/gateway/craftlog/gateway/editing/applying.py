"""Strategies applied to a history, in an order that does not depend on the request. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from craftlog.contracts.messages import Message
from craftlog.gateway.editing.shortening import from_the_middle, from_the_oldest
from craftlog.gateway.editing.strategies import MiddleOut, RemoveCallParams, RemoveToolResults, Strategy, TokenLimit
from craftlog.gateway.editing.tools import without_params, without_results
from craftlog.gateway.errors import InvalidError

# What makes messages smaller comes before what drops them.
_ORDER: Final[Sequence[type[Strategy]]] = (RemoveToolResults, RemoveCallParams, MiddleOut, TokenLimit)


@dataclass(frozen=True, slots=True)
class Edited:
    """A history after editing. ``edited_at`` is the last message that strategies looked at, None where none did."""

    messages: Sequence[Message]
    edited_at: str | None


def edit(
    messages: Sequence[Message], wanted: Sequence[Strategy], pin: str | None, before: Sequence[Message] = ()
) -> Edited:
    """Return the messages as the strategies want them.

    What they do depends on nothing but the messages up to ``edited_at``, so that whoever pins the next reads there gets
    the same beginning again, whatever was appended: a provider's prompt cache stays valid.

    Args:
        messages: in order; none of them is changed.
        wanted: what to do, in any order.
        pin: the id of the message after which nothing is edited; None for the last one.
        before: the ones right before them: an answer to a call that stands there stays, though maybe a shorter one.

    Raises:
        InvalidError: ``pin`` is none of the messages.
    """
    if not wanted or not (messages or pin):
        return Edited(messages, None)
    end = len(messages) if pin is None else _end(messages, pin)
    head = messages[:end]
    for strategy in sorted(wanted, key=lambda one: _ORDER.index(type(one))):
        head = _applied(head, strategy, before)
    return Edited([*head, *messages[end:]], messages[end - 1].message_id)


def _end(messages: Sequence[Message], pin: str) -> int:
    for index, message in enumerate(messages, start=1):
        if message.message_id == pin:
            return index
    raise InvalidError("pin_editing_strategies_at_message", "is none of the messages of this page")


def _applied(messages: Sequence[Message], strategy: Strategy, before: Sequence[Message]) -> Sequence[Message]:
    match strategy:
        case RemoveToolResults():
            return without_results(messages, strategy, before)
        case RemoveCallParams():
            return without_params(messages, strategy)
        case MiddleOut(tokens):
            return from_the_middle(messages, tokens, before)
        case TokenLimit(tokens):
            return from_the_oldest(messages, tokens, before)
        case _:
            assert_never(strategy)
