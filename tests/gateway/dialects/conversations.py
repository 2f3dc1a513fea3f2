"""What tests do with messages: store and read them, over a conversation, and say what matters of them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from craftlog.contracts.events import MessageAppended
from craftlog.contracts.messages import Message
from craftlog.gateway.dialects import DIALECTS
from craftlog.gateway.dialects.canonical import Attached
from craftlog.gateway.dialects.media import EMPTY
from craftlog.gateway.dialects.pairing import call_id, paired, tool_name
from craftlog.gateway.dialects.texts import arguments_object

Json = dict[str, Any]


def stored(
    dialect: str, blobs: Sequence[Any], *, files: Mapping[str, Attached] | None = None, start: int = 1
) -> list[Message]:
    """Return messages as the log gives them back: nothing but JSON comes through it."""
    read = []
    for position, blob in enumerate(blobs, start):
        canonical = DIALECTS[dialect].to_canonical(json.loads(json.dumps(blob)), files or {})
        event = MessageAppended(
            message_id=str(position),
            position=position,
            role=canonical.role,
            parts=canonical.parts,
            meta=canonical.meta,
        )
        event = MessageAppended.model_validate_json(event.model_dump_json(exclude_none=True))
        read.append(
            Message(message_id=str(position), position=position, role=event.role, parts=event.parts, meta=event.meta)
        )
    return read


def written(dialect: str, messages: Sequence[Message], urls: Mapping[str, str] | None = None) -> list[Json]:
    """Return all items that messages come to; each must be one that JSON can hold."""
    items = [item for message in paired(messages) for item in DIALECTS[dialect].from_canonical(message, urls or {})]
    return json.loads(json.dumps(items, allow_nan=False).encode())


def there_and_back(dialect: str, blob: Any) -> Any:
    """Return what comes out of a format for what went in."""
    (item,) = written(dialect, stored(dialect, [blob]))
    return item


def gist(messages: Sequence[Message]) -> tuple[list[str], list[tuple[str, str, str]], list[tuple[str, str]]]:
    """Return what no change of format may lose: texts, calls (id, name, arguments) and results (id, text)."""
    parts = [part for message in paired(messages) for part in message.parts]
    calls = [part for part in parts if part.type == "tool-call"]
    return (
        [part.text for part in parts if part.type == "text" and (part.text or "").strip() and part.text != EMPTY],
        sorted(
            (call_id(part), tool_name(part), same(arguments_object((part.meta or {})["arguments"]))) for part in calls
        ),
        sorted((call_id(part), part.text or "") for part in parts if part.type == "tool-result"),
    )


def same(value: Any) -> str:
    """Return a text that is equal for equal JSON and for no other: True is not 1."""
    return json.dumps(value, sort_keys=True)


def is_within(these: Sequence[str], those: Sequence[str]) -> bool:
    """Tell whether all of these are among those, in the same order."""
    rest = iter(those)
    return all(one in rest for one in these)
