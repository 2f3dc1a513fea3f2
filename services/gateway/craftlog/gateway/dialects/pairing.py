"""Which tool result belongs to which call, where a provider's format does not say so within one message. Pure.

Gemini's calls and OpenAI's oldest ones have no ids, and most results do not name their tool. Both follow from the
messages before. What follows stands in a part's ``meta`` under ``paired``, beside what was sent, and is never stored.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from craftlog.contracts.messages import Message, Part
from craftlog.gateway.fields import Json

Needed = Literal["ids", "names", "calls"]

PAIRED: Final = "paired"
_ID_OF: Final = {"tool-call": "id", "tool-result": "tool_call_id"}


def paired(messages: Iterable[Message], before: Iterable[Message] = ()) -> list[Message]:
    """Return messages where ``call_id`` knows every call and result, and ``tool_name`` every result whose call is seen.

    A result without an id belongs to the newest turn of the agent that has an unanswered call of its name, and there to
    the first of them. An id that is made up depends on nothing but where the call stands.

    Args:
        messages: in order.
        before: the ones right before them, where results look for their calls, too; see ``lacks_calls``.
    """
    calls = _Calls()
    for message in before:
        _read(message, calls)
    return [_read(message, calls) for message in messages]


def lacks_calls(messages: Iterable[Message], needed: Needed = "ids") -> bool:
    """Tell whether a result's id, that or its tool's name, or its call itself is known only from messages before."""
    calls = _Calls()
    for message in messages:
        _read(message, calls)
    return needed in calls.missed


def call_id(part: Part) -> str:
    """Return the id of a call, or of the call that a result answers; it is empty where nobody knows."""
    meta = part.meta or {}
    return _text(meta.get(_ID_OF.get(part.type, ""))) or _text(_paired(meta).get("id"))


def tool_name(part: Part) -> str:
    """Return the name of the tool that is called or that answers; it is empty where nobody knows."""
    meta = part.meta or {}
    return _text(meta.get("name")) or _text(_paired(meta).get("name"))


def identified(part: Part) -> Json:
    """Return what is known of a part, a call's or a result's id as if it had been sent."""
    meta = {key: value for key, value in (part.meta or {}).items() if key != PAIRED}
    found = call_id(part)
    return meta | {_ID_OF[part.type]: found} if found else meta


@dataclass(slots=True)
class _Call:
    id: str
    name: str
    answered: bool = False


class _Calls:
    """The calls so far: each turn's unanswered ones by name, and the newest of each id."""

    def __init__(self) -> None:
        self.missed: set[Needed] = set()
        self._turn = 0
        self._by_id: dict[str, _Call] = {}
        self._unanswered: dict[str, list[tuple[int, deque[_Call]]]] = {}

    def end_turn(self) -> None:
        self._turn += 1

    def add(self, call: _Call) -> None:
        self._by_id[call.id] = call
        turns = self._unanswered.setdefault(call.name, [])
        if not turns or turns[-1][0] != self._turn:
            turns.append((self._turn, deque()))
        turns[-1][1].append(call)

    def answer(self, call_id: str, name: str) -> _Call | None:
        """Return the call that a result with this id, or else with this name, answers."""
        call = self._by_id.get(call_id) if call_id else self._oldest_of_newest_turn(name)
        if call is None:
            told: set[Needed] = {"calls", "ids", "names"}
            self.missed |= told - ({"ids"} if call_id else set()) - ({"names"} if call_id and name else set())
            return None
        call.answered = True
        return call

    def _oldest_of_newest_turn(self, name: str) -> _Call | None:
        turns = self._unanswered.get(name, [])
        while turns:
            calls = turns[-1][1]
            while calls:
                call = calls.popleft()
                if not call.answered:
                    return call
            turns.pop()
        return None


def _read(message: Message, calls: _Calls) -> Message:
    if message.role != "assistant":
        calls.end_turn()
    known = [_known(part, f"call_{message.position}_{index}", calls) for index, part in enumerate(message.parts)]
    if not any(known):
        return message
    parts = (_with(part, more) if more else part for part, more in zip(message.parts, known, strict=True))
    return message.model_copy(update={"parts": tuple(parts)})


def _known(part: Part, made_up: str, calls: _Calls) -> dict[str, str]:
    """Return what is known of a call or a result beyond what was sent."""
    if part.type == "tool-call":
        given, name = call_id(part), tool_name(part)
        calls.add(_Call(given or made_up, name))
        return {} if given else {"id": made_up}
    if part.type == "tool-result":
        given, name = call_id(part), tool_name(part)
        call = calls.answer(given, name)
        more = {} if given else {"id": call.id if call else made_up}
        return more if name or call is None else {**more, "name": call.name}
    return {}


def _with(part: Part, more: dict[str, str]) -> Part:
    return part.model_copy(update={"meta": {**(part.meta or {}), PAIRED: more}})


def _paired(meta: Json) -> Json:
    said = meta.get(PAIRED)
    return said if isinstance(said, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
