"""The prompt of one observation, rendered within its budget: what is the same each time first. Pure."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from craftlog.contracts.messages import Message, Part
from craftlog.observer.decider import State, Task
from craftlog.observer.proposals import name_of

T = TypeVar("T")
Count = Callable[[str], int]

_NOTES_SHOWN: Final = 3
_PREFERENCES_SHOWN: Final = 10
_LONGEST_CLOSED: Final = 120  # characters of what a finished task was about
_LONGEST_RECENT: Final = 400  # characters of a message that was read before
_RECENT: Final = 3
_SHARE_OF_RECENT: Final = 4  # a fourth of the messages' tokens at most
_RECENT_PARTS: Final = 4
_MOST_PARTS: Final = 256  # of a message
_MOST_CALLS: Final = 64  # without a result, remembered
_LONGEST_NAME: Final = 128
_OVERHEAD: Final = 40  # tokens of keys and brackets around what is counted
_FIRST_CLIP: Final = 16_384  # characters of a part, before what does not fit the budget is clipped further
_SHORTEST_CLIP: Final = 64


@dataclass(frozen=True, slots=True)
class Budget:
    """How many tokens a prompt may have besides its fixed part: for the board, and for messages, new or read before."""

    board: int = 3_000
    messages: int = 8_000


def render(board: State, messages: Sequence[Message], budget: Budget, count: Count) -> str | None:
    """Return what a model is shown of a board and new messages, or None where they do not fit the budget.

    One message always fits, however little is left of it.
    """
    recent, called = _memory(board)
    shown, left = _newest_that_fit(reversed(recent), budget.messages // _SHARE_OF_RECENT, count)
    new = _messages_in_words(messages, called, left + budget.messages - budget.messages // _SHARE_OF_RECENT, count)
    if new is None:
        return None
    before = _lines(shown)
    return f"# Board\n{board_in_words(board, budget.board, count)}\n\n# Read before\n{before}\n\n# New messages\n{new}"


def board_in_words(board: State, budget: int, count: Count) -> str:
    """Return the board as JSON: open tasks in full, finished ones in a line each, the oldest of them as a number.

    Where even the open tasks are too many, the oldest of them lose their notes, then their place.
    """
    open_tasks = [task for task in board.tasks.values() if task.status in {"pending", "running"}]
    closed = [task for task in board.tasks.values() if task.status in {"success", "failed"}]
    preferences, left = _newest_that_fit(
        reversed(board.preferences[-_PREFERENCES_SHOWN:]), (budget - _OVERHEAD) // 2, count
    )
    left += (budget - _OVERHEAD) - (budget - _OVERHEAD) // 2
    opened, left = _newest_that_fit(map(_in_full, reversed(open_tasks)), left, count)
    ended, left = _newest_that_fit(map(_in_short, reversed(closed)), left, count)
    shown: dict[str, Any] = {"preferences": preferences, "open": opened, "closed": ended}
    if hidden := len(board.tasks) - len(opened) - len(ended):
        shown["not_shown"] = hidden
    return _json(shown)


def remembered(board: State, messages: Sequence[Message]) -> dict[str, Any]:
    """Return what the next prompt has of these messages: the last few in short, and the calls without a result."""
    shown = [_shown(message, {}, _LONGEST_RECENT, _RECENT_PARTS) for message in messages[-_RECENT:]]
    recent, called = _memory(board)
    waiting = {**called, **_calls_of(messages)}
    for part in _parts_of(messages, "tool-result"):
        waiting.pop(_call_id((part.meta or {}).get("tool_call_id")), None)
    return {"shown": {"recent": [*recent, *shown][-_RECENT:], "calls": dict(list(waiting.items())[-_MOST_CALLS:])}}


def _memory(board: State) -> tuple[list[Any], dict[str, str]]:
    """Return what was remembered; another engine remembers other things, which say nothing here."""
    known = board.memory.get("shown", {})
    return known.get("recent", []), known.get("calls", {})


def _messages_in_words(messages: Sequence[Message], called: Mapping[str, str], budget: int, count: Count) -> str | None:
    """Return messages as a JSON array, one a line, clipped evenly until they fit."""
    names = {**called, **_calls_of(messages)}
    longest, most_parts = _FIRST_CLIP, _MOST_PARTS
    while longest >= _SHORTEST_CLIP or (len(messages) == 1 and most_parts > 1):
        text = _lines([_shown(message, names, max(longest, _SHORTEST_CLIP), most_parts) for message in messages])
        if count(text) <= budget:
            return text
        longest //= 2
        if longest < _SHORTEST_CLIP:
            most_parts //= 2
    return text if len(messages) == 1 else None


def _calls_of(messages: Iterable[Message]) -> dict[str, str]:
    """Return the tool's name by call id."""
    metas = [part.meta or {} for part in _parts_of(messages, "tool-call")]
    return {_call_id(meta["id"]): str(meta.get("name"))[:_LONGEST_NAME] for meta in metas if meta.get("id")}


def _call_id(said: object) -> str:
    """Return by what a call is known; whoever sent it made it as long as they liked, and an event must hold it."""
    return str(said)[:_LONGEST_NAME]


def _parts_of(messages: Iterable[Message], kind: str) -> list[Part]:
    return [part for message in messages for part in message.parts if part.type == kind]


def _newest_that_fit(newest_first: Iterable[T], budget: int, count: Count) -> tuple[list[T], int]:
    """Return the newest that fit a budget, in their order, and what they leave of it; no more of them are made."""
    kept: list[T] = []
    for item in newest_first:
        cost = count(_json(item)) + 1
        if cost > budget:
            break
        budget -= cost
        kept.append(item)
    return kept[::-1], budget


def _in_full(task: Task) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": name_of(task), "status": task.status, "description": task.description}
    if task.notes:
        shown["progress"] = list(task.notes[-_NOTES_SHOWN:])
    if task.preferences:
        shown["preferences"] = list(task.preferences[-_PREFERENCES_SHOWN:])
    return shown


def _in_short(task: Task) -> dict[str, Any]:
    return {"id": name_of(task), "status": task.status, "description": _clipped(task.description, _LONGEST_CLOSED)}


def _shown(message: Message, names: Mapping[str, str], longest: int, most_parts: int) -> dict[str, Any]:
    speaker = message.meta.get("original_role", message.role)
    parts = [_part(part, names, longest) for part in message.parts[:most_parts]]
    if left_out := len(message.parts) - len(parts):
        parts.append({"left_out": left_out})
    return {"id": message.position, "role": "agent" if speaker == "assistant" else speaker, "parts": parts}


def _part(part: Part, names: Mapping[str, str], longest: int) -> dict[str, Any]:
    meta = part.meta or {}
    text = _clipped(part.text or "", longest)
    match part.type:
        case "text":
            return {"text": text}
        case "tool-call":
            arguments = meta.get("arguments")
            said = arguments if isinstance(arguments, str) else _json(arguments)
            return {"call": str(meta.get("name"))[:_LONGEST_NAME], "arguments": _clipped(said, longest)}
        case "tool-result":
            name = meta.get("name") or names.get(_call_id(meta.get("tool_call_id")))
            return {"result_of": name and str(name)[:_LONGEST_NAME], "text": text}
        case kind:
            filename = part.filename or str(meta.get("filename") or "")
            return {kind: _clipped(filename, _LONGEST_NAME), **({"text": text} if text else {})}


def _clipped(text: str, longest: int) -> str:
    """Return a text, or its beginning and its end with a word on what lies between."""
    if len(text) <= longest:
        return text
    head = longest * 3 // 4
    left_out = len(text) - longest
    return f"{text[:head]} […{left_out} characters…] {text[head + left_out :]}"


def _lines(items: Sequence[Any]) -> str:
    return "[\n" + ",\n".join(map(_json, items)) + "\n]"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
