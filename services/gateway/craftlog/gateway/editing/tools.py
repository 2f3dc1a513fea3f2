"""Old results replaced and old arguments left out: the calls and their results stay where they are. Pure.

What a provider's own servers were asked and answered (a result with a ``type``) stays: it has a form that is theirs.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from craftlog.contracts.messages import Message, Part, PartType
from craftlog.gateway import tokens
from craftlog.gateway.dialects.pairing import call_id, paired, tool_name
from craftlog.gateway.dialects.turns import is_of_result
from craftlog.gateway.editing.strategies import RemoveCallParams, RemoveToolResults, Spared

_ABOUT_A_RESULT: Final = ("tool_call_id", "name", "is_error", "paired")


def without_results(
    messages: Sequence[Message], wanted: RemoveToolResults, before: Sequence[Message] = ()
) -> Sequence[Message]:
    """Return the messages with a placeholder in each result that is not spared, and nothing of what it showed."""

    def emptied(part: Part) -> Part:
        # What else its provider said is about the content that goes.
        meta = {key: value for key, value in (part.meta or {}).items() if key in _ABOUT_A_RESULT}
        return Part(type="tool-result", text=wanted.placeholder, meta=meta)

    return _changed(messages, _not_spared(messages, "tool-result", wanted.spared, before), emptied)


def without_params(messages: Sequence[Message], wanted: RemoveCallParams) -> Sequence[Message]:
    """Return the messages with no arguments in each call that is not spared."""

    def emptied(part: Part) -> Part:
        return part.model_copy(update={"meta": {**(part.meta or {}), "arguments": "{}"}})

    return _changed(messages, _not_spared(messages, "tool-call", wanted.spared), emptied)


def _changed(
    messages: Sequence[Message], found: Sequence[tuple[int, int]], change: Callable[[Part], Part]
) -> Sequence[Message]:
    old: dict[int, set[int]] = {}
    for index, place in found:
        old.setdefault(index, set()).add(place)
    changed = list(messages)
    for index, places in old.items():
        parts = tuple(_with_changes(messages[index].parts, places, change))
        changed[index] = messages[index].model_copy(update={"parts": parts})
    return changed


def _with_changes(parts: Sequence[Part], places: Collection[int], change: Callable[[Part], Part]) -> Iterator[Part]:
    """Yield parts with changes, without images and files that belong to a result that was changed."""
    emptied = False
    for place, part in enumerate(parts):
        if part.type == "tool-result":
            emptied = place in places
        if not (emptied and is_of_result(part)):
            yield change(part) if place in places else part


def _not_spared(
    messages: Sequence[Message], kind: PartType, spared: Spared, before: Sequence[Message] = ()
) -> list[tuple[int, int]]:
    """Return the places, message and part, of what a strategy may change."""
    known = paired(messages, before)
    theirs = {call_id(part) for message in known for part in message.parts if _is_of_the_provider(part)}
    found = [
        ((index, place), part)
        for index, message in enumerate(known)
        for place, part in enumerate(message.parts)
        if part.type == kind and call_id(part) not in theirs and tool_name(part) not in spared.tools
    ]
    found = found[: max(len(found) - spared.recent, 0)]
    if spared.up_to is not None:
        sizes = tokens.of_parts(part for _, part in found)
        found = [one for one, size in zip(found, sizes, strict=True) if size > spared.up_to]
    return [at for at, _ in found]


def _is_of_the_provider(part: Part) -> bool:
    return part.type == "tool-result" and "type" in (part.meta or {})
