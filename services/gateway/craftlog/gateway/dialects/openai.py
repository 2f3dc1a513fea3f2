"""OpenAI chat messages to canonical messages and back, so that what comes out equals what was sent, key for key. Pure.

What the canonical message has no place for is kept in its ``meta`` under ``openai``: top-level keys that we do not
know, explicit nulls, and the form of ``content`` where the default would be wrong (an empty list: it was an array; for
a tool result: the array with each text replaced by its length, since the part holds them joined).
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

from craftlog.contracts.messages import Part
from craftlog.gateway.dialects.canonical import Attached, Canonical, Said
from craftlog.gateway.dialects.openai_parts import (
    PARTS_OF,
    read_call,
    read_part,
    read_tool_call,
    write_call,
    write_part,
    write_tool_call,
)
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.fields import Json, a_text, a_text_or_none, an_object

_SAID: Final = frozenset({"content", "name"})
_KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "user": _SAID,
    "system": _SAID,
    "developer": _SAID,
    "assistant": _SAID | {"refusal", "audio", "function_call", "tool_calls"},
    "tool": _SAID | {"tool_call_id"},
    "function": _SAID,
}


def to_canonical(blob: Any, _files: Mapping[str, Attached]) -> Canonical:
    """Return the canonical message of an OpenAI chat message.

    Raises:
        InvalidError: it is none, or holds something that could not be given back as it came.
    """
    message = an_object(blob, "blob")
    speaker = message.get("role")
    if not isinstance(speaker, str) or speaker not in PARTS_OF:
        raise InvalidError("blob.role", f"must be one of {', '.join(PARTS_OF)}")
    known = _KNOWN[speaker]
    kept = {key: value for key, value in message.items() if value is None or (key not in known and key != "role")}
    parts = _READ[speaker](message, speaker, kept)
    if not parts:
        raise InvalidError("blob.content", "there is no content, nor anything else that the message says")
    meta: Json = {"source_format": "openai"}
    name = a_text_or_none(message.get("name"), "blob.name")
    if name is not None and speaker not in ("tool", "function"):
        meta["name"] = name
    if speaker not in ("user", "assistant"):
        meta["original_role"] = speaker
    if kept:
        meta["openai"] = kept
    return Canonical("assistant" if speaker == "assistant" else "user", parts, meta)


def from_canonical(message: Said, _urls: Mapping[str, str]) -> list[Json]:
    """Return the OpenAI chat messages of a canonical message."""
    speaker: str = message.meta.get("original_role", message.role)
    kept: Json = dict(message.meta.get("openai") or {})
    written: Json = {"role": speaker}
    _WRITE[speaker](written, message.parts, kept)
    if "name" in message.meta:
        written["name"] = message.meta["name"]
    return [written | kept]


# ── user, system, developer ──────────────────────────────────────────────────────────────────────────────────────────


def _read_said(message: Json, speaker: str, kept: Json) -> tuple[Part, ...]:
    content = message.get("content")
    if isinstance(content, str):
        return (Part(type="text", text=content),)
    if not isinstance(content, list):
        raise InvalidError("blob.content", "must be a string or a list of parts")
    parts = tuple(read_part(element, f"blob.content[{index}]", speaker) for index, element in enumerate(content))
    if not parts or _is_plain(parts):
        kept["content"] = []
    return parts


def _write_said(message: Json, parts: Sequence[Part], kept: Json) -> None:
    as_list = kept.pop("content", None) is not None
    message["content"] = (parts[0].text or "") if _is_plain(parts) and not as_list else list(map(write_part, parts))


def _is_plain(parts: Sequence[Part]) -> bool:
    """Tell whether by default these parts are one string."""
    return len(parts) == 1 and parts[0].type == "text" and not parts[0].meta


# ── assistant ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read_assistant(message: Json, speaker: str, kept: Json) -> tuple[Part, ...]:
    parts: list[Part] = []
    if message.get("content") is not None:
        parts += _read_said(message, speaker, kept)
    if (refusal := message.get("refusal")) is not None:
        text = a_text(refusal, "blob.refusal")
        parts.append(Part(type="text", text=text, meta={"is_refusal": True, "field": "refusal"}))
    if (audio := message.get("audio")) is not None:
        parts.append(Part(type="audio", meta=an_object(audio, "blob.audio")))
    if (call := message.get("function_call")) is not None:
        parts.append(read_call(an_object(call, "blob.function_call"), "function", "blob.function_call"))
    if (calls := message.get("tool_calls")) is not None:
        if not isinstance(calls, list):
            raise InvalidError("blob.tool_calls", "must be a list")
        if not calls:
            kept["tool_calls"] = []
        parts += [read_tool_call(call, f"blob.tool_calls[{index}]") for index, call in enumerate(calls)]
    return tuple(parts)


def _write_assistant(message: Json, parts: Sequence[Part], kept: Json) -> None:
    said = [part for part in parts if part.type == "text" and not _is_field(part)]
    if said or kept.get("content") is not None:
        _write_said(message, said, kept)
    for part in parts:
        if _is_field(part):
            message["refusal"] = part.text
        elif part.type == "audio":
            message["audio"] = part.meta
        elif part.type == "tool-call" and "id" in (part.meta or {}):
            message.setdefault("tool_calls", []).append(write_tool_call(part))
        elif part.type == "tool-call":
            message["function_call"] = write_call(part)


def _is_field(part: Part) -> bool:
    """Tell whether this text was the message's ``refusal`` and not part of its content."""
    return part.type == "text" and (part.meta or {}).get("field") == "refusal"


# ── tool and (its predecessor) function ──────────────────────────────────────────────────────────────────────────────


def _read_result(message: Json, speaker: str, kept: Json) -> tuple[Part, ...]:
    meta: Json = {"tool_call_id": a_text(message.get("tool_call_id"), "blob.tool_call_id")}
    if (name := a_text_or_none(message.get("name"), "blob.name")) is not None:
        meta["name"] = name
    content = message.get("content")
    if not isinstance(content, list):
        return (Part(type="tool-result", text=a_text_or_none(content, "blob.content"), meta=meta),)
    texts = [read_part(piece, f"blob.content[{index}]", speaker).text or "" for index, piece in enumerate(content)]
    kept["content"] = [{**piece, "text": len(text)} for piece, text in zip(content, texts, strict=True)]
    return (Part(type="tool-result", text="".join(texts), meta=meta),)


def _write_result(message: Json, parts: Sequence[Part], kept: Json) -> None:
    (part,) = parts
    message.update(part.meta or {})
    if kept.get("content") is not None:
        message["content"] = _cut(part.text or "", kept.pop("content"))
    elif part.text is not None:
        message["content"] = part.text


def _cut(text: str, pieces: Sequence[Json]) -> list[Json]:
    ends = list(accumulate(piece["text"] for piece in pieces))
    return [{**piece, "text": text[end - piece["text"] : end]} for piece, end in zip(pieces, ends, strict=True)]


def _read_function(message: Json, _speaker: str, _kept: Json) -> tuple[Part, ...]:
    meta = {"tool_call_id": "", "name": a_text(message.get("name"), "blob.name")}
    return (Part(type="tool-result", text=a_text_or_none(message.get("content"), "blob.content"), meta=meta),)


def _write_function(message: Json, parts: Sequence[Part], kept: Json) -> None:
    _write_result(message, parts, kept)
    del message["tool_call_id"]


_READ: Final[Mapping[str, Callable[[Json, str, Json], tuple[Part, ...]]]] = {
    "user": _read_said,
    "system": _read_said,
    "developer": _read_said,
    "assistant": _read_assistant,
    "tool": _read_result,
    "function": _read_function,
}
_WRITE: Final[Mapping[str, Callable[[Json, Sequence[Part], Json], None]]] = {
    "user": _write_said,
    "system": _write_said,
    "developer": _write_said,
    "assistant": _write_assistant,
    "tool": _write_result,
    "function": _write_function,
}
