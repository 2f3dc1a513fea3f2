"""Anthropic messages in. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from craftlog.contracts.messages import Part
from craftlog.gateway.dialects.anthropic.blocks import BY_ROLE, CALLS, IN_PLACE, IN_RESULTS, OPAQUE, SERVER_RESULTS
from craftlog.gateway.dialects.anthropic.sources import (
    aside,
    kept,
    numbered,
    read_document,
    read_image,
    read_search_result,
)
from craftlog.gateway.dialects.canonical import Attached, Canonical
from craftlog.gateway.dialects.texts import fold, json_text
from craftlog.gateway.dialects.turns import OF_RESULT, meta_of
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.fields import Json, a_flag, a_text, an_object


def to_canonical(blob: Any, _files: Mapping[str, Attached], /) -> Canonical:
    """Return the canonical message of an Anthropic message.

    Raises:
        InvalidError: it is none, or holds something that could not be given back as it came.
    """
    message = an_object(blob, "blob")
    role = message.get("role")
    if not isinstance(role, str) or role not in BY_ROLE:
        raise InvalidError("blob.role", f"must be one of {', '.join(BY_ROLE)}")
    unknown = {key: value for key, value in message.items() if key not in ("role", "content")}
    content = message.get("content")
    if isinstance(content, str):
        parts: Sequence[Part] = (Part(type="text", text=content),)
        unknown["content"] = "text"
    elif isinstance(content, list) and content:
        parts = [part for at, block in numbered(content, "blob.content") for part in _read(block, at, BY_ROLE[role])]
    else:
        raise InvalidError("blob.content", "must be a string or a list of at least one block")
    meta: Json = {"source_format": "anthropic"}
    if role == "system":
        meta["original_role"] = role
    if unknown:
        meta["anthropic"] = unknown
    return Canonical("assistant" if role == "assistant" else "user", tuple(parts), meta)


def _read(block: Any, at: str, allowed: Sequence[str]) -> list[Part]:
    """Return the parts of a block: one, or a result and what is in it."""
    block = an_object(block, at)
    kind = block.get("type")
    if not isinstance(kind, str) or kind not in allowed:
        raise InvalidError(f"{at}.type", f"{kind!r} has no place there: {', '.join(allowed)}")
    if kind in CALLS:
        return [_read_call(block, at)]
    if kind in SERVER_RESULTS:
        return [_read_server_result(block, at)]
    if kind in OPAQUE:
        return [Part(type="data", meta={"data_type": kind} | aside(block, at))]
    return _READ[kind](block, at)


def _read_text(block: Json, at: str) -> list[Part]:
    text = a_text(block.get("text"), f"{at}.text")
    return [Part(type="text", text=text, meta=aside(block, at, "text") or None)]


def _read_thinking(block: Json, at: str) -> list[Part]:
    text = a_text(block.get("thinking"), f"{at}.thinking")
    return [Part(type="data", text=text, meta={"data_type": "thinking"} | aside(block, at, "thinking"))]


def _read_call(block: Json, at: str) -> Part:
    meta = {
        "id": a_text(block.get("id"), f"{at}.id"),
        "name": a_text(block.get("name"), f"{at}.name"),
        "arguments": json_text(an_object(block.get("input"), f"{at}.input")),
        "type": block["type"],
    }
    return Part(type="tool-call", meta=meta | aside(block, at, "id", "name", "input"))


def _read_server_result(block: Json, at: str) -> Part:
    meta = {"tool_call_id": a_text(block.get("tool_use_id"), f"{at}.tool_use_id"), "type": block["type"]}
    content = block.get("content")
    if not isinstance(content, (dict, list)):
        raise InvalidError(f"{at}.content", "must be an object or a list")
    if isinstance(content, dict) and str(content.get("type")).endswith("_error"):
        meta["is_error"] = True
    return Part(type="tool-result", text=json_text(content), meta=meta | aside(block, at, "tool_use_id", "content"))


def _read_result(block: Json, at: str) -> list[Part]:
    meta: Json = {"tool_call_id": a_text(block.get("tool_use_id"), f"{at}.tool_use_id")}
    if block["type"] in IN_PLACE:
        meta["type"] = block["type"]
    if block.get("is_error") is not None:
        meta["is_error"] = a_flag(block["is_error"], f"{at}.is_error")
    meta |= aside(block, at, "tool_use_id", "content", "is_error")
    content = block.get("content")
    if content is None:
        return [Part(type="tool-result", meta=meta if "content" in block else kept(meta, content="absent"))]
    if isinstance(content, str):
        return [Part(type="tool-result", text=content, meta=kept(meta, content="text"))]
    if not isinstance(content, list):
        raise InvalidError(f"{at}.content", "must be a string or a list of blocks")
    return _read_pieces(content, f"{at}.content", meta)


def _read_pieces(content: Sequence[Any], at: str, meta: Json) -> list[Part]:
    """Return a result, and after it what it shows beside text."""
    inside: list[Part] = []
    pieces: list[Json] = []
    for where, piece in numbered(content, at):
        read = _read(piece, where, IN_RESULTS)
        pieces.append(piece if piece["type"] == "text" else {})
        inside += read if piece["type"] != "text" else ()
    text, form = fold(pieces, at)
    if [piece.keys() for piece in pieces] != [{"type", "text"}, *[set()] * len(inside)]:
        meta = kept(meta, content=form)
    of_result = [part.model_copy(update={"meta": {**meta_of(part), OF_RESULT: True}}) for part in inside]
    return [Part(type="tool-result", text=text, meta=meta), *of_result]


_READ: Final[Mapping[str, Callable[[Json, str], list[Part]]]] = {
    "text": _read_text,
    "image": read_image,
    "document": read_document,
    "search_result": read_search_result,
    "thinking": _read_thinking,
    "tool_result": _read_result,
    "mcp_tool_result": _read_result,
}
