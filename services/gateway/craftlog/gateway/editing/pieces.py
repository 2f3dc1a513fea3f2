"""Which messages of a history can only go together. Pure."""

from collections.abc import Sequence
from typing import Final

from craftlog.contracts.messages import Message
from craftlog.gateway.dialects.pairing import call_id, paired

_INSTRUCTIONS: Final = ("system", "developer")
_ABOUT_TOOLS: Final = ("tool-call", "tool-result")

Piece = tuple[int, ...]


def pieces(messages: Sequence[Message], before: Sequence[Message] = ()) -> list[Piece]:
    """Return what a history can be taken apart into: messages, by index, that go or stay together.

    A turn is what the user said and all that follows up to what the user says next. Its steps are messages, or calls
    together with all their results. What the user said and the last step, mostly the answer, are one piece, and the
    last of its turn here: it may go only after the steps in between. So no history comes to begin with an answer, and
    no call to follow one. Instructions (system, developer) are in no piece, nor is a
    step that answers a call in the messages ``before``.
    """
    turns: list[list[Piece]] = [[]]
    for step in _steps(messages, before):
        if _is_question(messages[step[0]]):
            turns.append([])
        turns[-1].append(step)
    found: list[Piece] = []
    for first, *others in filter(None, turns):
        if others and _is_question(messages[first[0]]):
            found += [*others[:-1], tuple(sorted(first + others[-1]))]
        else:
            found += [first, *others]
    return found


def _is_question(message: Message) -> bool:
    return message.role == "user" and all(part.type not in _ABOUT_TOOLS for part in message.parts)


def _steps(messages: Sequence[Message], before: Sequence[Message]) -> list[Piece]:
    """Return messages by index, those that calls and their results hold together in one tuple."""
    joined, caller, stay = list(range(len(messages))), dict[str, int](), set[int]()
    asked = {call_id(part) for message in paired(before) for part in message.parts if part.type == "tool-call"}
    for index, message in enumerate(paired(messages, before)):
        for part in message.parts:
            if part.type == "tool-call":
                caller[call_id(part)] = index
            elif part.type == "tool-result" and (called := caller.get(call_id(part))) is not None:
                first, second = sorted((_first(joined, index), _first(joined, called)))
                joined[second] = first
            elif part.type == "tool-result" and call_id(part) in asked:
                stay.add(index)
    stay = {_first(joined, index) for index in stay}
    steps: dict[int, list[int]] = {}
    for index, message in enumerate(messages):
        if message.meta.get("original_role") not in _INSTRUCTIONS:
            steps.setdefault(_first(joined, index), []).append(index)
    return [tuple(step) for first, step in steps.items() if first not in stay]


def _first(joined: list[int], index: int) -> int:
    """Return the first of the messages that this one is joined with."""
    while joined[index] != index:
        joined[index] = joined[joined[index]]
        index = joined[index]
    return index
