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
    """One piece of a message; ``meta`` says by type what else is known, alike for every format it may have come in.

    - tool-call ``{id?, name, arguments, type?}``: arguments are a JSON string; ``type`` is the provider's word for it.
    - tool-result ``{tool_call_id?, name?, is_error?, type?}``, the result is ``text``. A ``type`` says that the
      provider ran the tool itself: then call and result stand in one message of the agent. What a result shows beside
      text follows as parts of their own with ``{of_result: true}``.
    - image, audio, video, file: the ``asset``; else ``{url}``; else ``{data}`` (base64) with ``media_type`` or
      ``format``, or ``{file_data}`` (base64 or a data URL); else ``{file_id}`` in the provider's store; ``filename?``.
      A file that is text has it in ``text``.
    - data ``{data_type}``: anything else. ``thinking`` has an agent's thoughts in ``text``.
    - text: a refusal has ``{is_refusal: true}``.

    A call or a result without an id belongs to its counterpart by name and order. ``cache_control`` is Anthropic's.
    What only one provider has a place for is kept under its name: ``openai``, ``anthropic``, ``gemini``, ``acontext``.
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
