"""Messages in and out, as the document describes them."""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, JsonValue

from craftlog.gateway.document.said import Absent, Id, Items, Said, Sent, Shape, Status, Time, Times
from craftlog.gateway.fields import Json
from craftlog.gateway.limits import MOST_IN_BATCH


class Asset(Shape):
    """A file in the bucket."""

    bucket: str
    s3_key: str
    etag: str
    sha256: str
    mime: str
    size_b: int


class Part(Shape):
    """A piece of a message."""

    type: Literal["text", "image", "audio", "video", "file", "tool-call", "tool-result", "data"]
    text: str | Absent = None
    asset: Asset | Absent = None
    filename: str | Absent = None
    meta: Json | Absent = None


class Message(Times):
    """A message; its status says whether its session's board has it."""

    id: Id
    session_id: Id
    parent_id: Id | None
    role: Literal["user", "assistant"]
    meta: Json
    parts: list[Part]
    task_id: Id | None
    session_task_process_status: Status


class PublicURL(Shape):
    """Where anybody can download a file, until it expires."""

    url: str
    expire_at: Time


class Messages(Shape):
    """Messages in the format that was asked for; one id an item, repeated where a message comes to several items."""

    items: list[Message] | list[Json]
    ids: list[Id]
    metas: list[Json]
    this_time_tokens: int
    edit_at_message_id: Id | None
    public_urls: dict[str, PublicURL] | None
    has_more: bool
    next_cursor: str | None


class TokenCounts(Shape):
    """How many tokens all messages of a session have together."""

    total_tokens: int


Format = Literal["openai", "anthropic", "gemini", "acontext", ""] | None

_MESSAGES: Final[list[JsonValue]] = [
    {"blob": {"role": "user", "content": "What is on?"}, "meta": {"from": "web"}},
    {"format": "anthropic", "blob": {"role": "user", "content": [{"type": "text", "text": "What is on?"}]}},
    {"format": "gemini", "blob": {"role": "user", "parts": [{"text": "What is on?"}]}},
    {"format": "acontext", "blob": {"role": "user", "parts": [{"type": "text", "text": "What is on?"}]}},
]


class NewMessage(Sent):
    """A message as its provider spells it; ``meta`` is what the sender wants to know of it."""

    model_config = ConfigDict(json_schema_extra={"examples": _MESSAGES})

    format: Format = None
    blob: Json
    meta: Json | None = None


class NewMessages(Sent):
    """Messages to append in this order, all or none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"blobs": [{"role": "user", "content": "Hello"}]}]})

    format: Format = None
    blobs: Annotated[list[Json], Field(min_length=1, max_length=MOST_IN_BATCH)]
    meta: Json | None = None


class MessageForm(Sent):
    """A message as JSON text, beside a file for each ``file_field`` that it names."""

    payload: str


ROUTES: Final[dict[str, Said]] = {
    "GET /session/{session_id}/messages": Said(Messages),
    "GET /session/{session_id}/token_counts": Said(TokenCounts),
    "POST /session/{session_id}/messages": Said(Message, NewMessage, MessageForm, keyed=True),
    "POST /session/{session_id}/messages/batch": Said(Items[Message], NewMessages, keyed=True),
}
