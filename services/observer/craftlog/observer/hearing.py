"""Pure: a stored message as the rules hear it: who speaks, what is said, what tools were called and answered."""

from dataclasses import dataclass
from typing import Final, Literal

from craftlog.contracts.messages import Message, Part
from craftlog.observer.calls import Call, Result, call, result
from craftlog.observer.words import readable

_MOST_PARTS: Final = 64
_MEDIA: Final = frozenset({"image", "audio", "video", "file", "data"})
_THOUGHTS: Final = ("thinking", "redacted_thinking")


@dataclass(frozen=True, slots=True)
class Heard:
    """One message. ``refused`` is set where the provider itself marks the text as a refusal."""

    speaker: Literal["user", "agent", "system"]
    text: str
    calls: tuple[Call, ...]
    results: tuple[Result, ...]
    refused: bool


def hear(message: Message) -> Heard:
    """Return what is to be heard of a message; of an endless one, the first parts."""
    parts = message.parts[:_MOST_PARTS]
    return Heard(
        speaker=_speaker(message),
        text=_text(parts),
        calls=tuple(call(part) for part in parts if part.type == "tool-call"),
        results=tuple(result(part) for part in parts if part.type == "tool-result"),
        refused=any(part.type == "text" and (part.meta or {}).get("is_refusal") is True for part in parts),
    )


def _speaker(message: Message) -> Literal["user", "agent", "system"]:
    if message.role == "assistant":
        return "agent"
    return "system" if message.meta.get("original_role") in ("system", "developer") else "user"


def _text(parts: tuple[Part, ...]) -> str:
    said = "\n".join(readable(part.text) for part in parts if part.type == "text" and part.text)
    if said.strip():
        return readable(said)
    return readable(" ".join(_name(part) for part in parts if _is_shown(part)))


def _is_shown(part: Part) -> bool:
    """Tell whether a part is something that its speaker shows: thoughts and what a tool gave back are not."""
    meta = part.meta or {}
    return part.type in _MEDIA and meta.get("of_result") is not True and meta.get("data_type") not in _THOUGHTS


def _name(part: Part) -> str:
    filename = part.filename or (part.meta or {}).get("filename")
    return f"[{part.type} {filename if isinstance(filename, str) else ''}".strip() + "]"
