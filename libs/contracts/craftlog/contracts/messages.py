"""The canonical message: role and parts, whatever provider's dialect it arrived in.

The shapes are stored in the log and cross the wire as the SDKs of the reference expect them: add optional fields only.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PartType = Literal["text", "image", "audio", "video", "file", "tool-call", "tool-result", "data"]
Role = Literal["user", "assistant"]


class Shape(BaseModel):
    """A frozen value that ignores fields it does not know, so that readers may be older than writers."""

    # The errors of a message that cannot be decoded go into logs and the health: not with what the user said.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Asset(Shape):
    """Bytes in the bucket. ``size_b`` in bytes, ``sha256`` in hex."""

    bucket: str
    s3_key: str
    etag: str
    sha256: str
    mime: str
    size_b: int


class Part(Shape):
    """One piece of a message.

    What ``meta`` holds by type: tool-call ``{id?, name, arguments, type}`` (arguments as the provider sent them, for
    OpenAI a JSON string); tool-result ``{tool_call_id, name?}`` with the result in ``text``; image ``{url, detail?}``;
    audio ``{data, format}``; file ``{file_id?, file_data?, filename?}``; a refusal is a text with
    ``{is_refusal: true}``.
    """

    type: PartType
    text: str | None = None
    asset: Asset | None = None
    filename: str | None = None
    meta: dict[str, Any] | None = None


class Stored(Shape):
    """An object in the bucket that stands in for a body too large for the log (claim check)."""

    key: str
    sha256: str
    size_b: int


class Message(Shape):
    """One message of a session as the agents read it. ``position`` counts 1, 2, 3 … without gaps.

    ``meta`` holds ``source_format``, a ``name`` where the sender gave one, and ``original_role`` where the sender's
    role was neither user nor assistant (``tool`` results and ``system`` or ``developer`` texts have the role user).
    """

    message_id: str
    position: int
    role: Role
    parts: tuple[Part, ...]
    meta: dict[str, Any] = Field(default_factory=dict)
