"""The providers' message formats, each a pure pair: into the canonical message and back."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from craftlog.gateway.dialects import openai
from craftlog.gateway.dialects.canonical import Dialect

DIALECTS: Final[Mapping[str, Dialect]] = MappingProxyType({"openai": openai})
