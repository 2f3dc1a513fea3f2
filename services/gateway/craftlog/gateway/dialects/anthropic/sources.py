"""What Anthropic's images, documents and search results are made of, and what is kept of any block. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from craftlog.contracts.messages import Part
from craftlog.gateway.dialects.texts import fold
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.fields import Json, a_text, a_text_or_none, an_object

_IMAGE_SOURCES: Final[Mapping[str, Sequence[str]]] = {
    "base64": ("media_type", "data"),
    "url": ("url",),
    "file": ("file_id",),
}
_TEXT_SOURCES: Final = ("text", "content")


def aside(block: Json, at: str, *known: str) -> Json:
    """Return ``cache_control`` and, under ``anthropic``, what is not known or null."""
    cache = block.get("cache_control")
    rest = {key: value for key, value in block.items() if key != "type" and (key not in known or value is None)}
    meta: Json = {}
    if cache is not None:
        meta["cache_control"] = an_object(rest.pop("cache_control"), f"{at}.cache_control")
    return meta | ({"anthropic": rest} if rest else {})


def kept(meta: Json, **more: Any) -> Json:
    """Return what is known with something more under ``anthropic``."""
    return meta | {"anthropic": meta.get("anthropic", {}) | more} if more else meta


def numbered(items: Sequence[Any], at: str) -> list[tuple[str, Any]]:
    """Return items, each with its path."""
    return [(f"{at}[{index}]", item) for index, item in enumerate(items)]


def read_image(block: Json, at: str) -> list[Part]:
    """Return the part of an image."""
    source, rest = _read_source(block, at, _IMAGE_SOURCES)
    meta = aside(block, at, "source")
    return [Part(type="image", meta=source | kept(meta, **rest))]


def read_document(block: Json, at: str) -> list[Part]:
    """Return the part of a document; one that is text has it as its own."""
    meta = aside(block, at, "source", "title")
    if (title := a_text_or_none(block.get("title"), f"{at}.title")) is not None:
        meta["filename"] = title
    kind = an_object(block.get("source"), f"{at}.source").get("type")
    if kind in _TEXT_SOURCES:
        text, source, rest = _read_text_source(block["source"], f"{at}.source")
        return [Part(type="file", text=text, meta=source | kept(meta, **rest))]
    source, rest = _read_source(block, at, {**_IMAGE_SOURCES, **dict.fromkeys(_TEXT_SOURCES, ())})
    return [Part(type="file", meta=source | kept(meta, **rest))]


def read_search_result(block: Json, at: str) -> list[Part]:
    """Return a search result: a file that is text."""
    content = block.get("content")
    if not isinstance(content, list):
        raise InvalidError(f"{at}.content", "must be a list of texts")
    text, form = _read_texts(content, f"{at}.content")
    meta = {
        "type": "search_result",
        "url": a_text(block.get("source"), f"{at}.source"),
        "filename": a_text(block.get("title"), f"{at}.title"),
    }
    meta |= kept(aside(block, at, "content", "source", "title"), content=form)
    return [Part(type="file", text=text, meta=meta)]


def _read_source(block: Json, at: str, kinds: Mapping[str, Sequence[str]]) -> tuple[Json, Json]:
    """Return where the bytes are, and the keys of the source that we do not know."""
    source = an_object(block.get("source"), f"{at}.source")
    kind = source.get("type")
    if not isinstance(kind, str) or kind not in kinds:
        raise InvalidError(f"{at}.source.type", f"must be one of {', '.join(kinds)}")
    known = {name: a_text(source.get(name), f"{at}.source.{name}") for name in kinds[kind]}
    rest = {key: value for key, value in source.items() if key != "type" and key not in known}
    return {"type": kind, **known}, {"source": rest} if rest else {}


def _read_text_source(source: Json, at: str) -> tuple[str, Json, Json]:
    """Return the text of a document, what it is, and what else its source says."""
    names = ("type", "media_type", "data") if source["type"] == "text" else ("type", "content")
    rest = {key: value for key, value in source.items() if key not in names}
    if source["type"] == "text":
        known = {"type": "text", "media_type": a_text(source.get("media_type"), f"{at}.media_type")}
        return a_text(source.get("data"), f"{at}.data"), known, {"source": rest} if rest else {}
    text, form = _read_texts(source.get("content"), f"{at}.content")
    return text, {"type": "content"}, {"source": rest | {"content": form}}


def _read_texts(content: Any, at: str) -> tuple[str, Any]:
    """Return the text of a string or of a list of blocks, and the form."""
    if isinstance(content, str):
        return content, "text"
    if not isinstance(content, list):
        raise InvalidError(at, "must be a string or a list of blocks")
    return fold([an_object(piece, where) for where, piece in numbered(content, at)], at)
