"""Pure: the tool calls of a conversation, each with its result, and what people said in between."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from craftlog.contracts.messages import Message, Part

_ERROR: Final = re.compile(
    r"\W*(?:(?:error|exception|traceback|failed|failure|invalid|denied|unable|cannot|could not)\b|http \W*[45]\d\d)",
    re.IGNORECASE,
)
_MOST_READ: Final = 4000
_HEAD: Final = 3000
_MOST_PARTS: Final = 64
_NOTHING: Final = ("", "[]", "{}", "null", "none")
_THINKING: Final = frozenset(
    {"think", "thinking", "thought", "thoughts", "reason", "reasoning", "reflect", "scratchpad"}
)


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call. ``result`` is None where none was seen; ``after`` is the index of the turn it followed."""

    tool: str
    arguments: Mapping[str, Any]
    turn: int
    call_id: str | None = None
    result: str | None = None
    failed: bool = False

    @property
    def words(self) -> list[str]:
        """Return the words of the tool's name, in lower case."""
        return words(self.tool)

    @property
    def is_thinking(self) -> bool:
        """Tell whether the tool only writes down thoughts."""
        return bool(_THINKING & {*self.words, *self.arguments}) and len(self.arguments) <= 1

    @property
    def found_nothing(self) -> bool:
        """Tell whether it looked for something that was not there."""
        return self.result is not None and self.result.strip().lower() in _NOTHING[1:]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said in words."""

    by_user: bool
    text: str


@dataclass(slots=True)
class Conversation:
    """What was said and what was done, in order: a call's ``turn`` counts the turns before it."""

    turns: list[Turn] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    @property
    def user_texts(self) -> list[str]:
        """Return what the user said."""
        return [turn.text for turn in self.turns if turn.by_user]


def read(messages: Sequence[Message]) -> Conversation:
    """Return the conversation in these messages; of an endless one, its first parts.

    Instructions of a system and results of tools are no user's words.
    """
    conversation = Conversation()
    for message in messages:
        spoken = "original_role" not in message.meta
        for part in message.parts[:_MOST_PARTS]:
            match part.type:
                case "tool-call":
                    conversation.calls.append(_call(part, len(conversation.turns)))
                case "tool-result":
                    _answer(conversation.calls, part)
                case "text" if spoken and part.text and part.text.strip():
                    conversation.turns.append(Turn(message.role == "user", _readable(part.text.strip())))
    return conversation


def words(name: str) -> list[str]:
    """Return the words in the name of a tool or an argument, in lower case: ``createUser_v2`` is create, user, v2."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.findall(r"[^\W_]+", spaced)]


def parsed(text: str | None) -> Any:
    """Return the JSON in a text, or the text itself where it is none."""
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError):
        return text


def leaves(value: Any) -> Iterator[Any]:
    """Yield every scalar in a JSON value, in its order."""
    return (item for item in _every(value) if not isinstance(item, dict | list))


def keys(value: Any) -> Iterator[str]:
    """Yield every key in a JSON value."""
    return (key for item in _every(value) if isinstance(item, dict) for key in item)


def _every(value: Any) -> Iterator[Any]:
    left = [value]  # a stack of its own: a result may be nested deeper than Python calls
    while left:
        item = left.pop()
        yield item
        if isinstance(item, dict | list):
            left.extend(reversed(item.values() if isinstance(item, dict) else item))


def _readable(text: str) -> str:
    """Return all of a text, or beginning and end of one too long to be read in bounded time."""
    return text if len(text) <= _MOST_READ else f"{text[:_HEAD]}\n{text[_HEAD - _MOST_READ :]}"


def _call(part: Part, turn: int) -> Call:
    meta = part.meta or {}
    arguments = meta.get("arguments")
    given = parsed(arguments) if isinstance(arguments, str) else arguments
    named = given if isinstance(given, dict) else {"input": given} if given else {}
    return Call(str(meta.get("name") or "").strip(), named, turn, meta.get("id"))


def _answer(calls: list[Call], part: Part) -> None:
    meta = part.meta or {}
    index = _answered(calls, meta.get("tool_call_id") or None, meta.get("name"))
    if index is not None:
        text = part.text or ""
        failed = bool(meta.get("is_error")) or _is_error(text)
        calls[index] = replace(calls[index], result=text, failed=failed)


def _answered(calls: Sequence[Call], call_id: Any, name: Any) -> int | None:
    """Return which call a result answers: the newest such without a result, or without an id the turn's oldest."""
    # NOTE: agents use the same call id again in one conversation; the newest call without a result is meant.
    found: int | None = None
    for index in range(len(calls) - 1, -1, -1):
        call = calls[index]
        if found is not None and call.turn != calls[found].turn:
            break
        if call.result is None and call_id in (None, call.call_id) and name in (None, call.tool):
            found = index
            if call_id:
                break
    return found


def _is_error(text: str) -> bool:
    result = parsed(text)
    if isinstance(result, dict):
        said = str(result.get("status", "")).lower() in ("error", "failed", "failure")
        return said or bool(result.get("error") or result.get("errors")) or False in _verdicts(result)
    return isinstance(result, str) and bool(_ERROR.match(result))


def _verdicts(result: Mapping[str, Any]) -> list[Any]:
    return [result[key] for key in ("success", "ok") if isinstance(result.get(key), bool)]
