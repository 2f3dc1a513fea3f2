"""Pure: what an agent did with its tools: calls and results, told in the first person and weighed."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from craftlog.contracts.messages import Part
from craftlog.observer.words import clip

LONGEST_NOTE: Final = 240
_LONGEST_NAME: Final = 80
_LONGEST_VALUE: Final = 60
_MOST_VALUES: Final = 5
_MOST_PARSED: Final = 4000
_HTTP_ERRORS: Final = range(400, 600)

_NAME_PARTS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")
_ERROR = re.compile(
    r"^\W{0,4}(?:\w{0,40}(?:error|exception)\b|traceback \(|fail(?:ed|ure)\b(?!\W{0,3}0\b)|fatal\b|panic\b|denied\b"
    r"|forbidden\b|timed? ?out\b|unauthori[sz]ed\b|(?:command|file|page) not found\b|could not\b|cannot\b|can't\b"
    r"|unable to\b|no such \w+)",
    re.IGNORECASE,
)
_ERROR_FIELD = re.compile(r'\s*\{\s*"errors?"\s*:\s*(?!null|false|""|\[\s*\]|\{\s*\}|0\b)')
_READING: Final = frozenset(
    "browse calculate check compute count describe diff display explain fetch find get glob grep inspect list load look"  # noqa: SIM905 - so many quoted words read worse
    " lookup ls measure open peek ping plan preview query read recall retrieve scan search see show stat status"
    " summarize tail test think validate verify view".split()
)
_THINKING: Final = frozenset({"think", "thinking", "thought", "reflect", "reason", "reasoning"})
_HANDING_OVER: Final = frozenset({"transfer", "escalate", "handoff", "handover", "hand"})
_PEOPLE: Final = frozenset(
    {"human", "humans", "person", "people", "operator", "supervisor", "representative", "support", "staff"}
)


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that the agent called. ``id`` is empty where the provider gives none."""

    id: str
    name: str
    arguments: str

    @property
    def is_thought(self) -> bool:
        """Tell whether the tool does nothing but hold a thought."""
        return is_thought(self.name)

    @property
    def hands_over(self) -> bool:
        """Tell whether the tool gives the conversation to a person."""
        parts = _parts(self.name)
        return bool(_HANDING_OVER.intersection(parts)) and bool(_PEOPLE.intersection(parts))

    @property
    def note(self) -> str:
        """Return what the agent would say of it."""
        with_what = f" with {self.arguments}" if self.arguments else ""
        return clip(f"I called {self.name}{with_what}.", LONGEST_NOTE)


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool answered. ``name`` is empty where only the call has it."""

    id: str
    name: str
    text: str
    failed: bool

    def note(self, name: str) -> str:
        """Return what the agent would say of it."""
        said = clip(self.text, LONGEST_NOTE // 2)
        if self.failed:
            return clip(f"{name} failed: {said}", LONGEST_NOTE)
        return clip(f"I got from {name}: {said}" if said else f"{name} answered nothing.", LONGEST_NOTE)


def call(part: Part) -> Call:
    """Return the call in a tool-call part, whatever its meta holds."""
    meta = part.meta or {}
    return Call(_identifier(meta.get("id")), _name(meta.get("name")) or "a tool", _arguments(meta.get("arguments")))


def result(part: Part) -> Result:
    """Return the result in a tool-result part, whatever its meta holds."""
    meta = part.meta or {}
    text = (part.text or "")[:_MOST_PARSED]
    failed = meta.get("is_error") is True or _reads_as_error(text)
    name = _name(meta.get("name") or meta.get("function_name"))
    return Result(_identifier(meta.get("tool_call_id")), name, text, failed)


def is_thought(name: str) -> bool:
    """Tell whether a tool of this name does nothing but hold a thought."""
    return bool(_THINKING.intersection(_parts(name)))


def changes(name: str) -> bool:
    """Tell whether a tool of this name does something rather than looks something up."""
    parts = _parts(name)
    return not parts or not (_READING | _THINKING).intersection((parts[0], parts[-1]))


def _parts(name: str) -> list[str]:
    return [part.lower() for part in _NAME_PARTS.findall(name[:_LONGEST_NAME])]


def _identifier(value: Any) -> str:
    return clip(value, _LONGEST_NAME) if isinstance(value, str) else ""


def _name(value: Any) -> str:
    return clip(value, _LONGEST_NAME) if isinstance(value, str) else ""


def _arguments(given: Any) -> str:
    """Return the first arguments as ``name=value``, shortened."""
    if isinstance(given, str):
        given = _parsed(given) if len(given) <= _MOST_PARSED else given
    if isinstance(given, Mapping):
        shown = [
            f"{clip(str(name), _LONGEST_VALUE)}={_value(value)}" for name, value in list(given.items())[:_MOST_VALUES]
        ]
        return ", ".join(shown) + (", …" if len(given) > _MOST_VALUES else "")
    return "" if given in (None, "") else _value(given)


def _value(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = "…"
    return clip(text, _LONGEST_VALUE)


def _parsed(text: str) -> Any:
    """Return the JSON in a text, or the text where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _reads_as_error(text: str) -> bool:
    if _ERROR.match(text[:200]) or _ERROR_FIELD.match(text[:200]):
        return True
    answer = _parsed(text) if text.lstrip()[:1] == "{" else None
    if not isinstance(answer, dict):
        return False
    status = answer.get("status", answer.get("status_code"))
    return (
        bool(answer.get("error") or answer.get("errors"))
        or answer.get("success") is False
        or answer.get("ok") is False
        or (isinstance(status, str) and status.lower() in {"error", "failed", "failure"})
        or (isinstance(status, int) and status in _HTTP_ERRORS)
    )
