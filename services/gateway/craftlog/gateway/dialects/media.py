"""Where the bytes of an image, an audio, a video or a file are, whatever format told it, and how to say so. Pure."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from craftlog.contracts.messages import Asset, Part
from craftlog.gateway.dialects.texts import json_text
from craftlog.gateway.dialects.turns import meta_of
from craftlog.gateway.fields import Json

# Stands for a message that says nothing where its provider takes none such.
EMPTY: Final = "[empty]"
# The names of audio formats in OpenAI's format, by media type.
AUDIO_FORMATS: Final = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
}
PROVIDERS: Final = ("openai", "anthropic", "gemini")
_OPAQUE: Final = ("thinking", "redacted_thinking")
_DATA_URL: Final = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),(.*)", re.DOTALL)
_WEB_URL: Final = re.compile(r"https?://\S", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """Bytes by ``url``, as ``data`` (base64), or as ``file_id`` in their provider's store. What is not known is empty.

    ``mime`` is a media type, ``name`` a filename or a title.
    """

    url: str = ""
    data: str = ""
    file_id: str = ""
    mime: str = ""
    name: str = ""

    @property
    def web_url(self) -> str:
        """Return the address, where anybody can try to fetch it."""
        return self.url if _WEB_URL.match(self.url) else ""

    def data_url(self, mime: str) -> str:
        """Return the bytes as a URL, with this media type where none is known."""
        return f"data:{self.mime or mime};base64,{self.data}"


def place_of(asset: Asset) -> str:
    """Return by what an asset's public URL is found: the same bytes may have been sent as several media types."""
    return f"{asset.sha256} {asset.mime}"


def source_of(part: Part, urls: Mapping[str, str]) -> Source:
    """Return where a part's bytes are: the asset's public URL, else the one that was sent, else the data."""
    meta = meta_of(part)
    name = part.filename or _text(meta.get("filename"))
    mime = part.asset.mime if part.asset else _text(meta.get("media_type"))
    if part.asset and (public := urls.get(place_of(part.asset))):
        return Source(url=public, mime=mime, name=name)
    if url := _text(meta.get("url")):
        return _of_url(url, mime, name)
    if data := _text(meta.get("data")):
        return Source(data=_standard(data), mime=mime or _audio_mime(_text(meta.get("format"))), name=name)
    if data := _text(meta.get("file_data")):
        return _of_url(data, mime, name) if data.startswith("data:") else Source(data=data, mime=mime, name=name)
    return Source(file_id=_text(meta.get("file_id")), mime=mime, name=name)


def is_empty(part: Part) -> bool:
    """Tell whether a part is a text without any words, which some providers refuse."""
    return part.type == "text" and not (part.text or "").strip()


def described(part: Part, urls: Mapping[str, str]) -> str:
    """Return a text that stands for a part which a format has no place for: what it is, where it is, what it says."""
    if part.type == "data":
        return _described_data(part)
    source = source_of(part, urls)
    size = f"{len(source.data) * 3 // 4} bytes" if source.data else ""
    about = [f"{part.type} {source.name or source.file_id}".strip(), source.mime, size or source.url]
    transcript = _text(meta_of(part).get("transcript"))
    return _lines(f"[{', '.join(filter(None, about))}]", part.text or transcript)


def _described_data(part: Part) -> str:
    meta = meta_of(part)
    kind = meta.get("data_type")
    shown: Json = {}
    if kind not in _OPAQUE:
        for name, value in meta.items():
            if name in PROVIDERS and isinstance(value, dict):
                shown |= value
            elif name not in ("data_type", "of_result"):
                shown[name] = value
    told = [f"[{kind if isinstance(kind, str) else 'data'}]", json_text(shown) if shown else "", part.text or ""]
    return _lines(*told)


def _lines(*told: str) -> str:
    return "\n".join(filter(None, told))


def _of_url(url: str, mime: str, name: str) -> Source:
    if not (found := _DATA_URL.fullmatch(url)):
        return Source(url=url, mime=mime, name=name)
    told, parameters, data = found.groups()
    if not parameters.endswith(";base64"):
        data = b64encode(unquote_to_bytes(data)).decode()
    return Source(data=_standard(data), mime=told or mime or "text/plain", name=name)


def _standard(data: str) -> str:
    """Return base64 in its common alphabet: Gemini's clients send the one for URLs."""
    return data.replace("-", "+").replace("_", "/") + "=" * (-len(data) % 4)


def _audio_mime(name: str) -> str:
    return next((mime for mime, known in AUDIO_FORMATS.items() if known == name), f"audio/{name}" if name else "")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
