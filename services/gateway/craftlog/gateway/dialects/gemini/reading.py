"""Gemini contents in. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from craftlog.contracts.messages import Part
from craftlog.gateway.dialects.canonical import Attached, Canonical
from craftlog.gateway.dialects.gemini.spelling import Spelling
from craftlog.gateway.dialects.texts import json_text
from craftlog.gateway.dialects.turns import OF_RESULT, medium, meta_of
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.fields import Json, a_text, a_text_or_none, an_object, an_object_or_none

CODE_EXECUTION: Final = "code_execution"
_ROLES: Final = ("user", "model", "function")
_SAID: Final = ("text", "inlineData", "fileData")
_OF_MODEL: Final = (*_SAID, "functionCall", "executableCode", "codeExecutionResult", "toolCall", "toolResponse")
_OF_USER: Final = (*_SAID, "functionResponse", "toolResponse")
_OPAQUE: Final = {"toolCall": "tool_call", "toolResponse": "tool_response"}
_KINDS: Final = (*_OF_MODEL, "functionResponse")


def to_canonical(blob: Any, _files: Mapping[str, Attached], /) -> Canonical:
    """Return the canonical message of a Gemini content.

    Raises:
        InvalidError: it is none, or holds something that could not be given back as it came.
    """
    message = an_object(blob, "blob")
    role = message.get("role")
    if role is not None and role not in _ROLES:
        raise InvalidError("blob.role", f"must be one of {', '.join(_ROLES)}")
    content = message.get("parts")
    if not isinstance(content, list) or not content:
        raise InvalidError("blob.parts", "must be a list of at least one part")
    if "snake" in message:
        raise InvalidError("blob.snake", "is a name that we keep for ourselves")
    spelling = Spelling()
    parts: list[Part] = []
    for index, part in enumerate(content):
        at = f"blob.parts[{index}]"
        parts += _read(spelling.camel(part, at), at, _OF_MODEL if role == "model" else _OF_USER, spelling)
    unknown = {key: value for key, value in message.items() if key not in ("role", "parts")}
    if role not in ("user", "model"):
        unknown["role"] = role if "role" in message else "absent"
    if spelling.snake:
        unknown["snake"] = True
    meta: Json = {"source_format": "gemini"} | ({"gemini": unknown} if unknown else {})
    return Canonical("assistant" if role == "model" else "user", tuple(parts), meta)


def _read(part: Json, at: str, allowed: Sequence[str], spelling: Spelling) -> list[Part]:
    """Return the parts of a part: one, or a response and what is in it."""
    kinds = [kind for kind in _KINDS if part.get(kind) is not None]
    if len(kinds) > 1:
        raise InvalidError(at, f"holds {' and '.join(kinds)}; a part is one of them")
    around = {key: value for key, value in part.items() if key not in kinds}
    if not kinds:
        if "text" not in allowed or all(value is None for value in around.values()):
            raise InvalidError(at, f"holds none of {', '.join(allowed)}")
        return [Part(type="text", meta={"gemini": around})]
    (kind,) = kinds
    if kind not in allowed:
        raise InvalidError(f"{at}.{kind}", f"has no place there: {', '.join(allowed)}")
    if kind == "functionResponse":
        return _read_response(an_object(part[kind], f"{at}.{kind}"), f"{at}.{kind}", around, spelling)
    return [_READ[kind](part[kind], f"{at}.{kind}", around)]


def _meta(around: Json, kind: str, inside: Json, **known: Any) -> Json:
    """Return what is known, and under ``gemini`` what else stands around and in the object of this kind."""
    unknown = around | ({kind: inside} if inside else {})
    return known | ({"gemini": unknown} if unknown else {})


def _rest(value: Json, *known: str) -> Json:
    return {key: item for key, item in value.items() if key not in known or item is None}


def _read_text(text: Any, at: str, around: Json) -> Part:
    said = a_text(text, at)
    if around.get("thought") is not True:
        return Part(type="text", text=said, meta=_meta(around, "text", {}) or None)
    around = {key: value for key, value in around.items() if key != "thought"}
    return Part(type="data", text=said, meta=_meta(around, "text", {}, data_type="thinking"))


def _read_inline_data(value: Any, at: str, around: Json) -> Part:
    blob = an_object(value, at)
    mime = a_text(blob.get("mimeType"), f"{at}.mimeType")
    known: Json = {"type": "base64", "media_type": mime, "data": a_text(blob.get("data"), f"{at}.data")}
    return _media(known, blob, _meta(around, "inlineData", _rest(blob, "mimeType", "data", "displayName")), at)


def _read_file_data(value: Any, at: str, around: Json) -> Part:
    file = an_object(value, at)
    known: Json = {"type": "url", "url": a_text(file.get("fileUri"), f"{at}.fileUri")}
    if (mime := a_text_or_none(file.get("mimeType"), f"{at}.mimeType")) is not None:
        known["media_type"] = mime
    return _media(known, file, _meta(around, "fileData", _rest(file, "mimeType", "fileUri", "displayName")), at)


def _media(known: Json, value: Json, meta: Json, at: str) -> Part:
    if (name := a_text_or_none(value.get("displayName"), f"{at}.displayName")) is not None:
        known["filename"] = name
    return Part(type=medium(known.get("media_type", "")), meta=known | meta)


def _read_call(value: Any, at: str, around: Json) -> Part:
    call = an_object(value, at)
    arguments = an_object_or_none(call.get("args"), f"{at}.args")
    inside = _rest(call, "id", "name", "args") | ({} if "args" in call else {"args": "absent"})
    known = _identified(call, "id", at)
    known |= {"name": a_text(call.get("name"), f"{at}.name"), "arguments": json_text(arguments or {})}
    return Part(type="tool-call", meta=_meta(around, "functionCall", inside, **known, type="function"))


def _identified(value: Json, name: str, at: str) -> Json:
    given = a_text_or_none(value.get("id"), f"{at}.id")
    return {} if given is None else {name: given}


def _read_code(value: Any, at: str, around: Json) -> Part:
    code = an_object(value, at)
    known = _identified(code, "id", at)
    arguments = {key: item for key, item in code.items() if key != "id"}
    known |= {"name": CODE_EXECUTION, "arguments": json_text(arguments), "type": "executable_code"}
    inside = {"id": None} if "id" in code and not known.get("id") else {}
    return Part(type="tool-call", meta=_meta(around, "executableCode", inside, **known))


def _read_code_result(value: Any, at: str, around: Json) -> Part:
    result = an_object(value, at)
    known = _identified(result, "tool_call_id", at)
    known |= {"name": CODE_EXECUTION, "type": "code_execution_result"}
    if result.get("outcome") not in (None, "OUTCOME_OK"):
        known["is_error"] = True
    meta = _meta(around, "codeExecutionResult", _rest(result, "id", "output"), **known)
    return Part(type="tool-result", text=a_text_or_none(result.get("output"), f"{at}.output"), meta=meta)


def _read_response(response: Json, at: str, around: Json, spelling: Spelling) -> list[Part]:
    known = _identified(response, "tool_call_id", at) | {"name": a_text(response.get("name"), f"{at}.name")}
    inside = _rest(response, "id", "name", "response", "parts")
    answer = an_object_or_none(response.get("response"), f"{at}.response")
    text: str | None = None
    if answer is not None:
        text, form = _read_answer(answer)
        known |= {"is_error": True} if answer.keys() == {"error"} else {}
        inside |= {"response": form} if form else {}
    elif "response" not in response:
        inside["response"] = "absent"
    pieces = response.get("parts")
    if pieces is not None and not isinstance(pieces, list):
        raise InvalidError(f"{at}.parts", "must be a list")
    inside |= {"parts": []} if pieces == [] else {}
    shown = [
        part
        for index, piece in enumerate(pieces or ())
        for part in _read(spelling.camel(piece, f"{at}.parts[{index}]"), f"{at}.parts[{index}]", _SAID[1:], spelling)
    ]
    of_result = [part.model_copy(update={"meta": {**meta_of(part), OF_RESULT: True}}) for part in shown]
    return [Part(type="tool-result", text=text, meta=_meta(around, "functionResponse", inside, **known)), *of_result]


def _read_answer(answer: Json) -> tuple[str, str | None]:
    """Return the text of a response, and which of its forms it has, where that is not ``output`` or ``error`` alone."""
    if len(answer) == 1:
        ((key, value),) = answer.items()
        if isinstance(value, str) and key in ("output", "error", "result"):
            return value, "result" if key == "result" else None
    return json_text(answer), "json"


def _read_opaque(kind: str) -> Callable[[Any, str, Json], Part]:
    def read(value: Any, at: str, around: Json) -> Part:
        an_object(value, at)
        return Part(type="data", meta={"data_type": _OPAQUE[kind], "gemini": {**around, kind: value}})

    return read


_READ: Final[Mapping[str, Callable[[Any, str, Json], Part]]] = {
    "text": _read_text,
    "inlineData": _read_inline_data,
    "fileData": _read_file_data,
    "functionCall": _read_call,
    "executableCode": _read_code,
    "codeExecutionResult": _read_code_result,
    **{kind: _read_opaque(kind) for kind in _OPAQUE},
}
