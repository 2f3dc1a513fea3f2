"""OpenAI chat messages in. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from craftlog.contracts.messages import Part, PartType
from craftlog.gateway.dialects.canonical import Attached, Canonical
from craftlog.gateway.dialects.texts import fold
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.fields import Json, a_text, a_text_or_none, an_object

ARGUMENTS: Final = {"function": "arguments", "custom": "input"}
MEDIA: Final[Mapping[str, tuple[PartType, Sequence[str]]]] = {
    "image_url": ("image", ("url", "detail")),
    "input_audio": ("audio", ("data", "format")),
    "file": ("file", ("file_id", "file_data", "filename")),
}
REQUIRED: Final[Mapping[str, Sequence[str]]] = {"image": ("url",), "audio": ("data", "format"), "file": ()}
_AUDIO: Final = ("id", "data", "transcript", "expires_at")
_SAID: Final = frozenset({"content", "name"})
_KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "user": _SAID,
    "system": _SAID,
    "developer": _SAID,
    "assistant": _SAID | {"refusal", "audio", "function_call", "tool_calls"},
    "tool": _SAID | {"tool_call_id"},
    "function": _SAID,
}
_PARTS: Final[Mapping[str, Sequence[str]]] = {
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
    "system": ("text",),
    "developer": ("text",),
    "tool": ("text",),
    "function": (),
}


def to_canonical(blob: Any, _files: Mapping[str, Attached], /) -> Canonical:
    """Return the canonical message of an OpenAI chat message.

    Raises:
        InvalidError: it is none, or holds something that could not be given back as it came.
    """
    message = an_object(blob, "blob")
    speaker = message.get("role")
    if not isinstance(speaker, str) or speaker not in _PARTS:
        raise InvalidError("blob.role", f"must be one of {', '.join(_PARTS)}")
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


def _read_said(message: Json, speaker: str, kept: Json) -> tuple[Part, ...]:
    content = message.get("content")
    if isinstance(content, str):
        return (Part(type="text", text=content),)
    if not isinstance(content, list):
        raise InvalidError("blob.content", "must be a string or a list of parts")
    parts = tuple(_read_part(element, f"blob.content[{index}]", speaker) for index, element in enumerate(content))
    if not parts or (len(parts) == 1 and parts[0].type == "text" and not parts[0].meta):
        kept["content"] = []
    return parts


def _read_part(element: Any, at: str, speaker: str) -> Part:
    element = an_object(element, at)
    kind = element.get("type")
    allowed = _PARTS[speaker]
    if not isinstance(kind, str) or kind not in allowed:
        raise InvalidError(f"{at}.type", f"{kind!r} has no place in a message of role {speaker}: {', '.join(allowed)}")
    unknown = {key: value for key, value in element.items() if key not in ("type", kind)}
    if kind in MEDIA:
        canonical, _ = MEDIA[kind]
        described = an_object(element.get(kind), f"{at}.{kind}")
        return Part(type=canonical, meta=_read_fields(described, f"{at}.{kind}", kind, unknown))
    meta: Json = {"openai": unknown} if unknown else {}
    if kind == "refusal":
        meta["is_refusal"] = True
    return Part(type="text", text=a_text(element.get(kind), f"{at}.{kind}"), meta=meta or None)


def _read_fields(described: Json, at: str, kind: str, around: Json) -> Json:
    """Return the known fields, and under ``openai`` what stands in unknown ones and around them."""
    canonical, known = MEDIA[kind]
    for name in known:
        if name in REQUIRED[canonical]:
            a_text(described.get(name), f"{at}.{name}")
        else:
            a_text_or_none(described.get(name), f"{at}.{name}")
    meta = {key: value for key, value in described.items() if key in known}
    inside = {key: value for key, value in described.items() if key not in known}
    unknown = ({kind: inside} if inside else {}) | around
    return meta | ({"openai": unknown} if unknown else {})


def _read_assistant(message: Json, speaker: str, kept: Json) -> tuple[Part, ...]:
    parts: list[Part] = []
    if message.get("content") is not None:
        parts += _read_said(message, speaker, kept)
    if (refusal := message.get("refusal")) is not None:
        text = a_text(refusal, "blob.refusal")
        parts.append(Part(type="text", text=text, meta={"is_refusal": True, "field": "refusal"}))
    if (audio := message.get("audio")) is not None:
        parts.append(_read_audio(an_object(audio, "blob.audio")))
    if (call := message.get("function_call")) is not None:
        parts.append(_read_call(an_object(call, "blob.function_call"), "function", "blob.function_call"))
    if (calls := message.get("tool_calls")) is not None:
        if not isinstance(calls, list):
            raise InvalidError("blob.tool_calls", "must be a list")
        if not calls:
            kept["tool_calls"] = []
        parts += [_read_tool_call(call, f"blob.tool_calls[{index}]") for index, call in enumerate(calls)]
    return tuple(parts)


def _read_audio(audio: Json) -> Part:
    a_text(audio.get("id"), "blob.audio.id")
    known = {key: value for key, value in audio.items() if key in _AUDIO}
    inside = {key: value for key, value in audio.items() if key not in _AUDIO}
    return Part(type="audio", meta=known | ({"openai": {"audio": inside}} if inside else {}))


def _read_call(call: Json, kind: str, at: str) -> Part:
    """Return the tool-call part of ``{name, arguments}`` (kind function) or ``{name, input}`` (kind custom)."""
    arguments = ARGUMENTS[kind]
    meta: Json = {
        "name": a_text(call.get("name"), f"{at}.name"),
        "arguments": a_text(call.get(arguments), f"{at}.{arguments}"),
        "type": kind,
    }
    if unknown := {key: value for key, value in call.items() if key not in ("name", arguments)}:
        meta["openai"] = {kind: unknown}
    return Part(type="tool-call", meta=meta)


def _read_tool_call(call: Any, at: str) -> Part:
    call = an_object(call, at)
    kind = call.get("type")
    if not isinstance(kind, str) or kind not in ARGUMENTS:
        raise InvalidError(f"{at}.type", "must be function or custom")
    part = _read_call(an_object(call.get(kind), f"{at}.{kind}"), kind, f"{at}.{kind}")
    meta = {"id": a_text(call.get("id"), f"{at}.id")} | (part.meta or {})
    if unknown := {key: value for key, value in call.items() if key not in ("id", "type", kind)}:
        meta["openai"] = meta.get("openai", {}) | unknown
    return Part(type="tool-call", meta=meta)


def _read_result(message: Json, speaker: str, kept: Json) -> tuple[Part, ...]:
    meta: Json = {"tool_call_id": a_text(message.get("tool_call_id"), "blob.tool_call_id")}
    if (name := a_text_or_none(message.get("name"), "blob.name")) is not None:
        meta["name"] = name
    content = message.get("content")
    if not isinstance(content, list):
        return (Part(type="tool-result", text=a_text_or_none(content, "blob.content"), meta=meta),)
    for index, piece in enumerate(content):
        _read_part(piece, f"blob.content[{index}]", speaker)
    text, kept["content"] = fold(content, "blob.content")
    return (Part(type="tool-result", text=text, meta=meta),)


def _read_function(message: Json, _speaker: str, _kept: Json) -> tuple[Part, ...]:
    meta = {"name": a_text(message.get("name"), "blob.name")}
    return (Part(type="tool-result", text=a_text_or_none(message.get("content"), "blob.content"), meta=meta),)


_READ: Final[Mapping[str, Callable[[Json, str, Json], tuple[Part, ...]]]] = {
    "user": _read_said,
    "system": _read_said,
    "developer": _read_said,
    "assistant": _read_assistant,
    "tool": _read_result,
    "function": _read_function,
}
