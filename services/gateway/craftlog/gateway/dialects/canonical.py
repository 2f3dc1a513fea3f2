"""What every dialect comes from and goes to: the message without its place in a session. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from craftlog.contracts.messages import Asset, Part, Role
from craftlog.gateway.fields import Json


@dataclass(frozen=True, slots=True)
class Canonical:
    """A message without its place in a session: what an append stores. Its conventions are those of ``Part``."""

    role: Role
    parts: tuple[Part, ...]
    meta: Json


@dataclass(frozen=True, slots=True)
class Attached:
    """An uploaded file of a multipart request, in the bucket; ``filename`` is the one that its sender gave."""

    asset: Asset
    filename: str


class Said(Protocol):
    """What a dialect is written from: a ``Canonical``, or a ``contracts.messages.Message`` as it was read."""

    @property
    def role(self) -> Role:
        """Return who says it."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return what is said and done."""

    @property
    def meta(self) -> Json:
        """Return what is known of the whole."""


class Dialect(Protocol):
    """A provider's message format: a pair of pure functions, mostly a module."""

    def to_canonical(self, blob: Any, files: Mapping[str, Attached], /) -> Canonical:
        """Return the canonical message of one in this format.

        Args:
            blob: JSON that ``limits.parse`` let through.
            files: uploaded files by multipart field; see ``files_named``.

        Raises:
            InvalidError: it is none, or holds something that could not be given back; names its path from ``blob`` on.
        """

    def from_canonical(self, message: Said, urls: Mapping[str, str], /) -> list[Json]:
        """Return a canonical message in this format: one item, or more where the format has one a tool result.

        Args:
            message: one that this or any other format was made of.
            urls: where an asset can be fetched, by its sha256 and its type (``media.place_of``).
        """
