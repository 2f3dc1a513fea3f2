"""Gemini contents out, of whatever came in. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from craftlog.contracts.messages import Part
from craftlog.gateway.dialects.canonical import Said
from craftlog.gateway.dialects.gemini.spelling import snake
from craftlog.gateway.dialects.media import EMPTY, described, is_empty, source_of
from craftlog.gateway.dialects.pairing import call_id, tool_name
from craftlog.gateway.dialects.texts import arguments_object, json_value
from craftlog.gateway.dialects.turns import grouped, kept, meta_of, runs
from craftlog.gateway.fields import Json

_IN_PLACE: Final = ("code_execution_result",)
_MIMES: Final = {"image": "image/png", "audio": "audio/wav", "video": "video/mp4", "file": "application/pdf"}
_SENT: Final = {
    "base64": ("inlineData", {"media_type": "mimeType", "data": "data", "filename": "displayName"}),
    "url": ("fileData", {"url": "fileUri", "media_type": "mimeType", "filename": "displayName"}),
}
_OTHER_ROLES: Final = ("function", "absent", None)
_OPAQUE: Final = ("tool_call", "tool_response")
# What stands for a tool's name where neither the result nor any call tells it: Gemini takes no response without one.
_UNKNOWN: Final = "unknown_tool"


def from_canonical(message: Said, urls: Mapping[str, str], /) -> list[Json]:
    """Return the Gemini contents of a canonical message; there is no role for a system: it speaks as the user."""
    writer = _Writer(message, urls)
    items = [writer.content(side, parts) for side, parts in runs(message, _IN_PLACE)]
    items[0] |= {key: value for key, value in writer.kept.items() if key not in (*items[0], "snake", "role")}
    return items


class _Writer:
    """What all items of one message share."""

    def __init__(self, message: Said, urls: Mapping[str, str]) -> None:
        self.kept = kept(message.meta, "gemini")
        self._snake = self.kept.get("snake") is True
        self._own = message.meta.get("source_format") == "gemini"
        self._urls = urls

    def content(self, side: str, parts: Sequence[Part]) -> Json:
        """Return the content of one run of parts."""
        groups = [group for group in grouped(parts, self._fits) if self._own or not is_empty(group[0])]
        written = [self._part(*group) for group in groups] or [{"text": EMPTY}]
        item: Json = {"role": "model" if side == "assistant" else "user"}
        if side == "user" and self.kept.get("role", "user") in _OTHER_ROLES:
            item = {} if self.kept["role"] == "absent" else {"role": self.kept["role"]}
        return {**item, "parts": [snake(part) for part in written] if self._snake else written}

    def _fits(self, part: Part) -> bool:
        """Tell whether a result can hold a part as more than a text of ours."""
        return part.type in _MIMES and "text" not in self._media(part, {})

    def _part(self, part: Part, *inside: Part) -> Json:
        around = kept(meta_of(part), "gemini")
        match part.type:
            case "text":
                written: Json = {} if part.text is None and around else {"text": part.text or ""}
            case "tool-call":
                written = self._call(part, around)
            case "tool-result":
                written = self._result(part, around, [self._part(piece) for piece in inside])
            case "data":
                written = self._data(part, around)
            case _:
                written = self._media(part, around)
        return written | {key: value for key, value in around.items() if key not in written}

    def _call(self, part: Part, around: Json) -> Json:
        arguments = arguments_object(meta_of(part).get("arguments"))
        if meta_of(part).get("type") == "executable_code":
            return {"executableCode": kept(around, "executableCode") | arguments | self._identified(part)}
        inside = kept(around, "functionCall")
        form = inside.pop("args", "given")
        call = self._identified(part) | {"name": tool_name(part)}
        if arguments or form == "given":
            call["args"] = arguments
        elif form is None:
            call["args"] = None
        return {"functionCall": inside | call}

    def _identified(self, part: Part) -> Json:
        """Return the id of a call or a result: one's own only where it was sent, others' always."""
        given = meta_of(part).get("id" if part.type == "tool-call" else "tool_call_id")
        if self._own:
            return {"id": given} if isinstance(given, str) else {}
        return {"id": call_id(part)} if call_id(part) else {}

    def _result(self, part: Part, around: Json, inside: Sequence[Json]) -> Json:
        if meta_of(part).get("type") in _IN_PLACE:
            said = {} if part.text is None else {"output": part.text}
            return {"codeExecutionResult": kept(around, "codeExecutionResult") | self._identified(part) | said}
        rest = kept(around, "functionResponse")
        form = rest.pop("response", "given")
        response = self._identified(part) | {"name": tool_name(part) or _UNKNOWN}
        if part.text is not None or form == "given":
            response["response"] = _answer(part, form)
        elif form is None:
            response["response"] = None
        if inside:
            response["parts"] = list(inside)
        return {"functionResponse": rest | response}

    def _data(self, part: Part, around: Json) -> Json:
        kind = meta_of(part).get("data_type")
        if kind == "thinking":
            return {"text": part.text or "", "thought": True}
        return {} if kind in _OPAQUE and around else {"text": described(part, self._urls)}

    def _media(self, part: Part, around: Json) -> Json:
        meta = meta_of(part)
        kind, names = _SENT.get(str(meta.get("type")), ("", {}))
        if self._own and kind and part.asset is None:
            return {kind: kept(around, kind) | {names[key]: meta[key] for key in names if key in meta}}
        source = source_of(part, self._urls)
        if part.text is None and source.data:
            return {"inlineData": {"mimeType": source.mime or _MIMES[part.type], "data": source.data}}
        if part.text is None and source.url:
            return {"fileData": {"fileUri": source.url, **({"mimeType": source.mime} if source.mime else {})}}
        return {"text": described(part, self._urls)}


def _answer(part: Part, form: object) -> Json:
    """Return the object that a response holds: what was sent, else the text as output or error."""
    if form == "json" and isinstance(value := json_value(part.text), dict):
        return value
    name = "error" if meta_of(part).get("is_error") is True else "output"
    return {"result" if form == "result" else name: part.text or ""}
