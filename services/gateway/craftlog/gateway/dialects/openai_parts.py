"""The pieces of an OpenAI chat message, content parts and calls, to canonical parts and back. Pure.

Keys of a piece that we do not know are kept in the part's ``meta`` under ``openai``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from craftlog.contracts.messages import Part, PartType
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.fields import Json, a_text, an_object

PARTS_OF: Final[Mapping[str, Sequence[str]]] = {
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
    "system": ("text",),
    "developer": ("text",),
    "tool": ("text",),
    "function": (),
}
_MEDIA: Final[Mapping[str, tuple[PartType, Sequence[str]]]] = {
    "image_url": ("image", ("url",)),
    "input_audio": ("audio", ("data", "format")),
    "file": ("file", ()),
}
_WIRE_TYPE: Final = {canonical: wire for wire, (canonical, _) in _MEDIA.items()}
_ARGUMENTS: Final = {"function": "arguments", "custom": "input"}


def read_part(element: Any, at: str, speaker: str) -> Part:
    """Return the canonical part of one element of a ``content`` array."""
    element = an_object(element, at)
    kind = element.get("type")
    allowed = PARTS_OF[speaker]
    if not isinstance(kind, str) or kind not in allowed:
        raise InvalidError(f"{at}.type", f"{kind!r} has no place in a message of role {speaker}: {', '.join(allowed)}")
    unknown = {key: value for key, value in element.items() if key not in ("type", kind)}
    if kind in _MEDIA:
        return _read_media(an_object(element.get(kind), f"{at}.{kind}"), kind, unknown, f"{at}.{kind}")
    meta: Json = {"openai": unknown} if unknown else {}
    if kind == "refusal":
        meta["is_refusal"] = True
    return Part(type="text", text=a_text(element.get(kind), f"{at}.{kind}"), meta=meta or None)


def _read_media(described: Json, kind: str, unknown: Json, at: str) -> Part:
    canonical, texts = _MEDIA[kind]
    for name in texts:
        a_text(described.get(name), f"{at}.{name}")
    if "openai" in described:
        raise InvalidError(f"{at}.openai", "is a name that we keep for ourselves")
    return Part(type=canonical, meta=described | ({"openai": unknown} if unknown else {}))


def write_part(part: Part) -> Json:
    """Return the element of a ``content`` array that a canonical part came from."""
    meta = dict(part.meta or {})
    unknown = meta.pop("openai", {})
    if part.type == "text":
        kind = "refusal" if meta.get("is_refusal") else "text"
        return {"type": kind, kind: part.text or "", **unknown}
    kind = _WIRE_TYPE[part.type]
    return {"type": kind, kind: meta, **unknown}


def read_call(call: Json, kind: str, at: str) -> Part:
    """Return the tool-call part of ``{name, arguments}`` (kind function) or ``{name, input}`` (kind custom)."""
    arguments = _ARGUMENTS[kind]
    meta: Json = {
        "name": a_text(call.get("name"), f"{at}.name"),
        "arguments": a_text(call.get(arguments), f"{at}.{arguments}"),
        "type": kind,
    }
    if unknown := {key: value for key, value in call.items() if key not in ("name", arguments)}:
        meta["openai"] = {kind: unknown}
    return Part(type="tool-call", meta=meta)


def write_call(part: Part) -> Json:
    """Return what stands inside ``function``, ``custom`` or ``function_call``."""
    meta = part.meta or {}
    kind = meta["type"]
    return {"name": meta["name"], _ARGUMENTS[kind]: meta["arguments"], **meta.get("openai", {}).get(kind, {})}


def read_tool_call(call: Any, at: str) -> Part:
    """Return the tool-call part of one element of ``tool_calls``."""
    call = an_object(call, at)
    kind = call.get("type")
    if not isinstance(kind, str) or kind not in _ARGUMENTS:
        raise InvalidError(f"{at}.type", "must be function or custom")
    part = read_call(an_object(call.get(kind), f"{at}.{kind}"), kind, f"{at}.{kind}")
    meta = {"id": a_text(call.get("id"), f"{at}.id")} | (part.meta or {})
    if unknown := {key: value for key, value in call.items() if key not in ("id", "type", kind)}:
        meta["openai"] = meta.get("openai", {}) | unknown
    return Part(type="tool-call", meta=meta)


def write_tool_call(part: Part) -> Json:
    """Return the element of ``tool_calls`` that a tool-call part came from."""
    meta = part.meta or {}
    kind = meta["type"]
    unknown = {key: value for key, value in meta.get("openai", {}).items() if key != kind}
    return {"id": meta["id"], "type": kind, kind: write_call(part), **unknown}
