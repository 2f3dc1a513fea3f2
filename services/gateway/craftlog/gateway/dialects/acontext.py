"""The reference's own message format, ``{role, parts, meta?}``: nearly the canonical message. Pure.

A call's arguments may be any JSON there; here they are a string, and ``meta["acontext"]`` tells those that were none.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast, get_args

from craftlog.contracts.messages import Part, PartType
from craftlog.gateway.dialects.canonical import Attached, Canonical, Said
from craftlog.gateway.dialects.pairing import PAIRED, identified
from craftlog.gateway.dialects.texts import json_text, json_value
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.fields import Json, a_text, a_text_or_none, an_object, an_object_or_none

_TYPES: Final = get_args(PartType)
_KEYS: Final = ("type", "text", "meta", "file_field")
_VALUE: Final = {"arguments": "value"}
_RESERVED: Final = (PAIRED, "acontext")


def to_canonical(blob: Any, files: Mapping[str, Attached], /) -> Canonical:
    """Return the canonical message of one in the reference's format; nulls are absent.

    Raises:
        InvalidError: it is none, or names a file that was not sent.
    """
    message = an_object(blob, "blob")
    role = message.get("role")
    if role not in ("user", "assistant"):
        raise InvalidError("blob.role", "must be one of user, assistant")
    _refuse_unknown(message, ("role", "parts", "meta"), "blob")
    parts = message.get("parts")
    if not isinstance(parts, list) or not parts:
        raise InvalidError("blob.parts", "must be a list of at least one part")
    meta = an_object_or_none(message.get("meta"), "blob.meta") or {}
    read = tuple(_read(part, f"blob.parts[{index}]", files) for index, part in enumerate(parts))
    return Canonical("assistant" if role == "assistant" else "user", read, {"source_format": "acontext"} | meta)


def from_canonical(message: Said, _urls: Mapping[str, str], /) -> list[Json]:
    """Return a canonical message in the reference's format. A part's file is told by its ``asset``."""
    return [{"role": message.role, "parts": shown(message.parts, message.meta), "meta": message.meta}]


def shown(parts: Sequence[Part], meta: Mapping[str, Any]) -> list[Json]:
    """Return the parts of a message of this ``meta`` as they were sent; what is empty is absent.

    Others' calls and results have the ids that ``paired`` found out, since a result needs one in this format.
    """
    return [
        _shown(part, (part.meta or {}) if meta.get("source_format") == "acontext" else identified(part))
        for part in parts
    ]


def _shown(part: Part, meta: Json) -> Json:
    meta = {key: value for key, value in meta.items() if key not in _RESERVED}
    if (part.meta or {}).get("acontext") == _VALUE:
        meta["arguments"] = json_value(meta["arguments"])
    written: Json = part.model_dump(exclude_none=True, exclude={"meta"})
    return written | ({"meta": meta} if meta else {})


def files_named(blob: Any) -> frozenset[str]:
    """Return the multipart fields that a message in this format names; what is malformed names none."""
    parts = blob.get("parts") if isinstance(blob, dict) else None
    named = [part.get("file_field") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return frozenset(field for field in named if isinstance(field, str))


def _refuse_unknown(value: Json, known: tuple[str, ...], at: str) -> None:
    for key, item in value.items():
        if key not in known and item is not None:
            raise InvalidError(f"{at}.{key}", f"is none of {', '.join(known)}")


def _read(part: Any, at: str, files: Mapping[str, Attached]) -> Part:
    part = an_object(part, at)
    kind = part.get("type")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise InvalidError(f"{at}.type", f"must be one of {', '.join(_TYPES)}")
    _refuse_unknown(part, _KEYS, at)
    meta = an_object_or_none(part.get("meta"), f"{at}.meta")
    text = a_text_or_none(part.get("text"), f"{at}.text")
    for name in _RESERVED:
        if name in (meta or {}):
            raise InvalidError(f"{at}.meta.{name}", "is a name that we keep for ourselves")
    _CHECKS.get(kind, _takes_anything)(text, meta or {}, at)
    if kind == "tool-call" and meta and not isinstance(meta["arguments"], str):
        meta = meta | {"arguments": json_text(meta["arguments"]), "acontext": _VALUE}
    field = a_text_or_none(part.get("file_field"), f"{at}.file_field")
    if field and field not in files:
        raise InvalidError(f"{at}.file_field", f"missing file {field}")
    attached = files[field] if field else None
    return Part(
        type=cast("PartType", kind),
        text=text,
        asset=attached.asset if attached else None,
        filename=attached.filename if attached else None,
        meta=meta or None,
    )


def _takes_anything(_text: str | None, _meta: Json, _at: str) -> None:
    pass


def _check_text(text: str | None, _meta: Json, at: str) -> None:
    if not text:
        raise InvalidError(f"{at}.text", "must not be empty in a text part")


def _check_call(_text: str | None, meta: Json, at: str) -> None:
    a_text(meta.get("name"), f"{at}.meta.name")
    a_text_or_none(meta.get("id"), f"{at}.meta.id")
    if "arguments" not in meta:
        raise InvalidError(f"{at}.meta.arguments", "is missing")


def _check_result(_text: str | None, meta: Json, at: str) -> None:
    a_text(meta.get("tool_call_id"), f"{at}.meta.tool_call_id")


def _check_data(_text: str | None, meta: Json, at: str) -> None:
    if "data_type" not in meta:
        raise InvalidError(f"{at}.meta.data_type", "is missing")


_CHECKS: Final[Mapping[str, Callable[[str | None, Json, str], None]]] = {
    "text": _check_text,
    "tool-call": _check_call,
    "tool-result": _check_result,
    "data": _check_data,
}
