"""Anthropic messages out, of whatever came in. Pure."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from craftlog.contracts.messages import Part
from craftlog.gateway.dialects.anthropic.blocks import CALLS, IN_PLACE, OPAQUE, SERVER_RESULTS
from craftlog.gateway.dialects.canonical import Said
from craftlog.gateway.dialects.media import EMPTY, Source, described, is_empty, source_of
from craftlog.gateway.dialects.pairing import call_id, tool_name
from craftlog.gateway.dialects.texts import arguments_object, json_value, unfold
from craftlog.gateway.dialects.turns import grouped, kept, meta_of, runs
from craftlog.gateway.fields import Json

_SENT: Final = {"base64": ("media_type", "data"), "url": ("url",), "file": ("file_id",)}
_BLOCKS: Final = {"image": "image", "file": "document"}
_TYPES: Final = {"image": ("image/png", "image/jpeg", "image/gif", "image/webp"), "file": ("application/pdf",)}
_PLAIN: Final = "text/plain"
_LISTED: Final = "list"
_OPAQUE_META: Final = {"data_type", "anthropic", "cache_control", "of_result"}


def from_canonical(message: Said, urls: Mapping[str, str], /) -> list[Json]:
    """Return the Anthropic messages of a canonical message; there is no role for a system: it speaks as the user."""
    writer = _Writer(message, urls)
    items = [
        {"role": writer.role(side, parts), "content": writer.content(side, parts)}
        for side, parts in runs(message, IN_PLACE)
    ]
    items[0] |= {key: value for key, value in writer.kept.items() if key not in items[0]}
    return items


class _Writer:
    """What all items of one message share."""

    def __init__(self, message: Said, urls: Mapping[str, str]) -> None:
        self.kept = kept(message.meta, "anthropic")
        self._is_text = self.kept.get("content") == "text"
        self._own = message.meta.get("source_format") == "anthropic"
        self._original_role = message.meta.get("original_role")
        self._urls = urls

    def role(self, side: str, parts: Sequence[Part]) -> str:
        """Return the role of a side: what came as a system's goes back as one, which has texts only."""
        is_system = self._own and side == "user" and self._original_role == "system"
        return "system" if is_system and all(part.type == "text" for part in parts) else side

    def content(self, side: str, parts: Sequence[Part]) -> str | list[Json]:
        """Return the content of one run of parts, results first unless they were sent otherwise."""
        groups = grouped(parts, self._fits)
        if side == "user" and not self._own:
            groups.sort(key=lambda group: group[0].type != "tool-result")
        blocks = [self._block(*group) for group in groups if self._own or not is_empty(group[0])]
        if self._is_text and len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
            return str(blocks[0]["text"])
        return blocks or [{"type": "text", "text": EMPTY}]

    def _fits(self, part: Part) -> bool:
        """Tell whether a result can hold a part as more than a text of ours."""
        own = kept(meta_of(part), "anthropic")
        return (self._data if part.type == "data" else self._media)(part, own) is not None

    def _block(self, part: Part, *inside: Part) -> Json:
        own = kept(meta_of(part), "anthropic")
        match part.type:
            case "text":
                block: Json = {"type": "text", "text": part.text or ""}
            case "tool-call":
                block = _call(part)
            case "tool-result":
                block = self._result(part, own.pop("content", _LISTED), [self._block(piece) for piece in inside])
            case "data":
                block = self._data(part, own) or self._described(part)
            case _:
                block = self._media(part, own) or self._described(part)
        cache = meta_of(part).get("cache_control")
        around = {key: value for key, value in own.items() if key not in block}
        return block | around | ({"cache_control": cache} if isinstance(cache, dict) else {})

    def _described(self, part: Part) -> Json:
        return {"type": "text", "text": described(part, self._urls)}

    def _result(self, part: Part, form: Any, inside: Sequence[Json]) -> Json:
        kind = meta_of(part).get("type")
        block: Json = {"type": kind if kind in IN_PLACE else "tool_result", "tool_use_id": call_id(part)}
        if kind in SERVER_RESULTS:
            gone = {"type": f"{kind}_error", "error_code": "unavailable"}
            content = json_value(part.text)
            return {**block, "content": content if isinstance(content, (dict, list)) else gone}
        if isinstance(is_error := meta_of(part).get("is_error"), bool):
            block["is_error"] = is_error
        if part.text is None and not inside:
            return block | ({"content": None} if form is None else {})
        if form == "text" and not inside:
            return {**block, "content": part.text}
        pieces = _filled(unfold(part.text or "", form), inside)
        if pieces is None:
            said = [{"type": "text", "text": part.text or ""}] if part.text or self._own else []
            pieces = [*said, *inside]
        return {**block, "content": pieces} if pieces or self._own else block

    def _data(self, part: Part, own: Json) -> Json | None:
        """Return a block that is kept as it came; None where it came from elsewhere, or without a signature."""
        meta = meta_of(part)
        kind = meta.get("data_type")
        if kind == "thinking" and (self._own or "signature" in own):
            return {"type": "thinking", "thinking": part.text or ""}
        return {"type": kind} if kind in OPAQUE and meta.keys() <= _OPAQUE_META else None

    def _media(self, part: Part, own: Json) -> Json | None:
        """Return an image or a document; None where the part is neither, nor can be told as one."""
        unknown = own.pop("source", None)
        meta = meta_of(part)
        if part.type == "file" and meta.get("type") == "search_result":
            texts = unfold(part.text or "", own.pop("content", None))
            said = [{"type": "text", "text": part.text or ""}] if texts is None else texts
            return {"type": "search_result", "source": meta.get("url"), "title": meta.get("filename"), "content": said}
        if part.type not in _BLOCKS:
            return None
        source = self._source(part, unknown if isinstance(unknown, dict) else {})
        if source is None:
            return None
        title = part.filename or meta.get("filename")
        named = part.type == "file" and isinstance(title, str)
        return {"type": _BLOCKS[part.type], "source": source} | ({"title": title} if named else {})

    def _source(self, part: Part, unknown: Json) -> Json | None:
        meta = meta_of(part)
        kind = meta.get("type")
        names = _SENT.get(kind, ()) if self._own and isinstance(kind, str) else ()
        if names and all(isinstance(meta.get(name), str) for name in names):
            return {"type": kind, **{name: meta[name] for name in names}} | unknown
        if part.type == "file" and part.text is not None:
            return _text_source(part, unknown)
        return _source(source_of(part, self._urls), part.type)


def _call(part: Part) -> Json:
    meta = meta_of(part)
    kind = meta.get("type")
    return {
        "type": kind if kind in CALLS else "tool_use",
        "id": call_id(part),
        "name": tool_name(part),
        "input": arguments_object(meta.get("arguments")),
    }


def _filled(pieces: Sequence[Json] | None, inside: Sequence[Json]) -> list[Json] | None:
    """Return a list with each empty place taken by the next block; None where they are not as many."""
    if pieces is None or sum(not piece for piece in pieces) != len(inside):
        return None
    blocks = iter(inside)
    return [piece or next(blocks) for piece in pieces]


def _text_source(part: Part, unknown: Json) -> Json:
    """Return the source of a document that is text."""
    meta = meta_of(part)
    if meta.get("type") != "content":
        mime = meta.get("media_type") if meta.get("type") == "text" else _PLAIN
        return {"type": "text", "media_type": mime, "data": part.text} | unknown
    pieces = unfold(part.text or "", unknown.pop("content", None))
    return {"type": "content", "content": part.text if pieces is None else pieces} | unknown


def _source(source: Source, kind: str) -> Json | None:
    """Return a source by its address or its data, of what Anthropic takes; what tells no type is taken for that."""
    known = _TYPES[kind]
    if source.web_url and (kind == "image" or source.mime in ("", *known)):
        return {"type": "url", "url": source.web_url}
    if source.data and source.mime in ("", *known):
        return {"type": "base64", "media_type": source.mime or known[0], "data": source.data}
    return _decoded(source.data) if source.data and kind == "file" and source.mime.startswith("text/") else None


def _decoded(data: str) -> Json | None:
    try:
        return {"type": "text", "media_type": _PLAIN, "data": b64decode(data, validate=True).decode()}
    except ValueError:
        return None
