"""The providers' message formats, each a pure pair: into the canonical message and back."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from craftlog.gateway.dialects import acontext, anthropic, gemini, openai
from craftlog.gateway.dialects.canonical import Dialect

DIALECTS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {"openai": openai, "anthropic": anthropic, "gemini": gemini, "acontext": acontext}
)


def files_named(dialect: str, blob: Any) -> frozenset[str]:
    """Return the multipart fields whose files a message names: in the reference's own format alone it can."""
    return acontext.files_named(blob) if dialect == "acontext" else frozenset()
