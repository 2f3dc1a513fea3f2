"""Old results replaced and old arguments left out: the calls and their results stay where they are. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

from craftlog.contracts.messages import Message, Part, PartType
from craftlog.gateway import tokens
from craftlog.gateway.dialects.pairing import paired, tool_name
from craftlog.gateway.editing.strategies import RemoveCallParams, RemoveToolResults, Spared

_ABOUT_A_RESULT: Final = ("tool_call_id", "name", "is_error", "paired")


def without_results(messages: Sequence[Message], wanted: RemoveToolResults) -> Sequence[Message]:
    """Return the messages with a placeholder in each result that is not spared."""

    def emptied(part: Part) -> Part:
        # What else its provider said is about the content that goes.
        meta = {key: value for key, value in (part.meta or {}).items() if key in _ABOUT_A_RESULT}
        return Part(type="tool-result", text=wanted.placeholder, meta=meta)

    return _changed(messages, "tool-result", wanted.spared, emptied)


def without_params(messages: Sequence[Message], wanted: RemoveCallParams) -> Sequence[Message]:
    """Return the messages with no arguments in each call that is not spared."""

    def emptied(part: Part) -> Part:
        return part.model_copy(update={"meta": {**(part.meta or {}), "arguments": "{}"}})

    return _changed(messages, "tool-call", wanted.spared, emptied)


def _changed(
    messages: Sequence[Message], kind: PartType, spared: Spared, change: Callable[[Part], Part]
) -> Sequence[Message]:
    changed = list(messages)
    for index, place in _not_spared(messages, kind, spared):
        parts = list(changed[index].parts)
        parts[place] = change(parts[place])
        changed[index] = changed[index].model_copy(update={"parts": tuple(parts)})
    return changed


def _not_spared(messages: Sequence[Message], kind: PartType, spared: Spared) -> list[tuple[int, int]]:
    """Return the places, message and part, of what a strategy may change."""
    found = [
        ((index, place), part)
        for index, message in enumerate(paired(messages))
        for place, part in enumerate(message.parts)
        if part.type == kind and tool_name(part) not in spared.tools
    ]
    found = found[: max(len(found) - spared.recent, 0)]
    if spared.up_to is not None:
        sizes = tokens.of_parts(part for _, part in found)
        found = [one for one, size in zip(found, sizes, strict=True) if size > spared.up_to]
    return [at for at, _ in found]
