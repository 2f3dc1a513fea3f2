"""Which messages of a history can only go together. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from craftlog.contracts.messages import Message
from craftlog.gateway.dialects.pairing import call_id, paired

_INSTRUCTIONS: Final = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Piece:
    """Messages, by index, that go or stay together.

    ``closes`` says that it closes a turn: it may go only after the other pieces of that turn.
    """

    messages: tuple[int, ...]
    closes: bool


def pieces(messages: Sequence[Message]) -> list[Piece]:
    """Return what a history can be taken apart into, turn by turn, each turn's closing piece last.

    A turn is what the user said and all that follows up to what the user says next. Its steps are messages, or calls
    together with all their results. What the user said and the last step, mostly the answer, are one piece: so no
    history comes to begin with an answer, and no call to follow one. Instructions (system, developer) are in no piece.
    """
    turns: list[list[list[int]]] = [[]]
    for step in _steps(messages):
        if _is_question(messages[step[0]]):
            turns.append([])
        turns[-1].append(step)
    found: list[Piece] = []
    for turn in filter(None, turns):
        asked = _is_question(messages[turn[0][0]])
        found += [Piece(tuple(step), closes=False) for step in turn[asked:-1]]
        found.append(Piece(tuple(sorted({*(turn[0] if asked else ()), *turn[-1]})), closes=True))
    return found


def _is_question(message: Message) -> bool:
    return message.role == "user" and all(part.type != "tool-result" for part in message.parts)


def _steps(messages: Sequence[Message]) -> list[list[int]]:
    """Return messages by index, those that calls and their results hold together in one list."""
    joined, caller = list(range(len(messages))), dict[str, int]()
    for index, message in enumerate(paired(messages)):
        for part in message.parts:
            if part.type == "tool-call":
                caller[call_id(part)] = index
            elif part.type == "tool-result" and (called := caller.get(call_id(part))) is not None:
                first, second = sorted((_first(joined, index), _first(joined, called)))
                joined[second] = first
    steps: dict[int, list[int]] = {}
    for index, message in enumerate(messages):
        if message.meta.get("original_role") not in _INSTRUCTIONS:
            steps.setdefault(_first(joined, index), []).append(index)
    return list(steps.values())


def _first(joined: list[int], index: int) -> int:
    """Return the first of the messages that this one is joined with."""
    while joined[index] != index:
        joined[index] = joined[joined[index]]
        index = joined[index]
    return index
