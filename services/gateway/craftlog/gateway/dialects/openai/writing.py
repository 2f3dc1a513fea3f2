"""OpenAI chat messages out, of whatever came in. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from craftlog.contracts.messages import Part
from craftlog.gateway.dialects.canonical import Said
from craftlog.gateway.dialects.media import AUDIO_FORMATS, described, source_of
from craftlog.gateway.dialects.openai.reading import ARGUMENTS, MEDIA, REQUIRED
from craftlog.gateway.dialects.pairing import call_id, tool_name
from craftlog.gateway.dialects.texts import arguments_text, unfold
from craftlog.gateway.dialects.turns import kept, meta_of, runs
from craftlog.gateway.fields import Json

_WIRE_TYPE: Final = {canonical: wire for wire, (canonical, _) in MEDIA.items()}
_SYSTEM: Final = ("system", "developer")
_OURS: Final = ("openai", "of_result", "paired")


def from_canonical(message: Said, urls: Mapping[str, str], /) -> list[Json]:
    """Return the OpenAI chat messages of a canonical message: results first, each a message of its own."""
    writer = _Writer(message, urls)
    items = [item for side, parts in runs(message) for item in writer.write(side, parts)]
    items[0] |= {key: value for key, value in writer.kept.items() if key not in items[0]}
    return items


class _Writer:
    """What all items of one message share."""

    def __init__(self, message: Said, urls: Mapping[str, str]) -> None:
        self.kept = kept(message.meta, "openai")
        self._form = self.kept.pop("content") if isinstance(self.kept.get("content"), list) else None
        self._own = message.meta.get("source_format") == "openai"
        self._role = message.meta.get("original_role")
        self._name = message.meta.get("name")
        self._urls = urls

    def write(self, side: str, parts: Sequence[Part]) -> list[Json]:
        """Return what comes of one run of parts."""
        if side == "assistant":
            return [self._assistant(parts)]
        told = [self._result(part) for part in parts if part.type == "tool-result"]
        others = [part for part in parts if part.type != "tool-result"]
        return told + ([self._said(others)] if others or not told else [])

    def _said(self, parts: Sequence[Part]) -> Json:
        if self._role in _SYSTEM:
            return self._named({"role": self._role, "content": self._content(parts, ())})
        return self._named({"role": "user", "content": self._content(parts, MEDIA)})

    def _assistant(self, parts: Sequence[Part]) -> Json:
        item: Json = {"role": "assistant"}
        said = [part for part in parts if part.type != "tool-call" and not _is_field(part)]
        if said or self._form is not None or not parts:
            item["content"] = self._content(said, ("refusal",))
        for part in parts:
            meta = meta_of(part)
            if _is_refusal_field(part):
                item["refusal"] = part.text or ""
            elif _is_audio_field(part):
                item["audio"] = _flat(meta) | kept(kept(meta, "openai"), "audio")
            elif part.type == "tool-call" and self._own and "id" not in meta:
                item["function_call"] = _call(part, "function")
            elif part.type == "tool-call":
                item.setdefault("tool_calls", []).append(_tool_call(part))
        return self._named(item)

    def _named(self, item: Json) -> Json:
        return {**item, "name": self._name} if isinstance(self._name, str) else item

    def _content(self, parts: Sequence[Part], kinds: Sequence[str] | Mapping[str, Any]) -> str | list[Json]:
        elements = [self._element(part, kinds) for part in parts]
        plain = len(elements) == 1 and elements[0].keys() == {"type", "text"}
        if self._form is None and (plain or not elements):
            return str(elements[0]["text"]) if elements else ""
        return elements

    def _element(self, part: Part, kinds: Sequence[str] | Mapping[str, Any]) -> Json:
        """Return an element of a ``content`` that takes texts and elements of these kinds."""
        around = kept(meta_of(part), "openai")
        if part.type == "text":
            kind = "refusal" if meta_of(part).get("is_refusal") is True and "refusal" in kinds else "text"
            return {**around, "type": kind, kind: part.text or ""}
        kind = _WIRE_TYPE.get(part.type, "")
        fields = self._fields(part) if kind in kinds else None
        if fields is None:
            return {"type": "text", "text": described(part, self._urls)}
        inside = around.pop(kind, None)
        return {**around, "type": kind, kind: {**inside, **fields} if isinstance(inside, dict) else fields}

    def _fields(self, part: Part) -> Json | None:
        """Return what stands inside ``image_url``, ``input_audio`` or ``file``; None where it has no form there."""
        meta = meta_of(part)
        if self._own and _is_openais(part):
            return _flat(meta)
        source = source_of(part, self._urls)
        if part.type == "image":
            url = source.web_url or (source.data and source.data_url("image/png"))
            detail = meta.get("detail")
            return {"url": url, **({"detail": detail} if isinstance(detail, str) else {})} if url else None
        if part.type == "audio":
            known = AUDIO_FORMATS.get(source.mime)
            return {"data": source.data, "format": known} if source.data and known else None
        if source.data:
            return {"filename": source.name or "file", "file_data": source.data_url("application/pdf")}
        return {"file_id": source.file_id} if source.file_id and "type" not in meta else None

    def _result(self, part: Part) -> Json:
        meta = meta_of(part)
        if self._own and self._role == "function" and not meta.get("tool_call_id"):
            item: Json = {"role": "function", "name": meta.get("name")}
        else:
            given = meta.get("tool_call_id") if self._own else None
            item = {"role": "tool", "tool_call_id": given if isinstance(given, str) else call_id(part)}
            if isinstance(meta.get("name"), str):
                item["name"] = meta["name"]
        if self._own and part.text is None:
            return item
        pieces = unfold(part.text or "", self._form)
        return {**item, "content": (part.text or "") if pieces is None else pieces}


def _is_openais(part: Part) -> bool:
    """Tell whether a part's meta is what OpenAI's format has: a client's own meta may only claim to be."""
    meta, known = meta_of(part), MEDIA[_WIRE_TYPE[part.type]][1]
    texts = all(isinstance(meta.get(name), str) for name in REQUIRED[part.type])
    return texts and all(isinstance(meta.get(name), str | None) for name in known)


def _is_field(part: Part) -> bool:
    return _is_refusal_field(part) or _is_audio_field(part)


def _is_refusal_field(part: Part) -> bool:
    """Tell whether this text was the message's ``refusal`` and not part of its content."""
    return part.type == "text" and meta_of(part).get("field") == "refusal"


def _is_audio_field(part: Part) -> bool:
    """Tell whether this is what an agent said aloud, which its provider keeps by an id."""
    return part.type == "audio" and isinstance(meta_of(part).get("id"), str)


def _flat(meta: Json) -> Json:
    return {key: value for key, value in meta.items() if key not in _OURS}


def _call(part: Part, kind: str) -> Json:
    """Return what stands inside ``function``, ``custom`` or ``function_call``."""
    meta = meta_of(part)
    fields = {"name": tool_name(part), ARGUMENTS[kind]: arguments_text(meta.get("arguments"))}
    return kept(kept(meta, "openai"), kind) | fields


def _tool_call(part: Part) -> Json:
    kind = "custom" if meta_of(part).get("type") == "custom" else "function"
    around = {key: value for key, value in kept(meta_of(part), "openai").items() if key != kind}
    given = meta_of(part).get("id")
    return {**around, "id": given if isinstance(given, str) else call_id(part), "type": kind, kind: _call(part, kind)}
