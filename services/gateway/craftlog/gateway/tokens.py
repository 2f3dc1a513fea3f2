"""How many tokens messages have: o200k_base, over their texts, calls and results. Pure.

The vocabulary is compiled into the package ``toktok-rs`` (docs/decisions/0007). It counts 100 MB/s and lets others
threads run: a page takes less than a millisecond, a session of thousands of messages belongs in a thread.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import toktok

from craftlog.contracts.messages import Message, Part

_VOCABULARY: Final = "o200k_base"


def count(messages: Sequence[Message]) -> int:
    """Return the tokens of messages. What is no text, as an image, counts nothing."""
    return sum(each(messages))


def each(messages: Sequence[Message]) -> list[int]:
    """Return the tokens of each message."""
    return _sums([[text for part in message.parts for text in _texts(part)] for message in messages])


def of_parts(parts: Iterable[Part]) -> list[int]:
    """Return the tokens of each part."""
    return _sums([list(_texts(part)) for part in parts])


def of_texts(texts: Sequence[str]) -> list[int]:
    """Return the tokens of each text; what looks like a special token is a text like any other."""
    counts: list[int] = toktok.batch_count(texts, _VOCABULARY, threads=1)
    return counts


def _sums(texts: Sequence[Sequence[str]]) -> list[int]:
    counts = iter(of_texts([text for own in texts for text in own]))
    return [sum(islice(counts, len(own))) for own in texts]


def _texts(part: Part) -> Iterator[str]:
    if part.text:
        yield part.text
    if part.type == "tool-call":
        meta = part.meta or {}
        yield _as_text(meta.get("name"))
        yield _as_text(meta.get("arguments"))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# Unpacking the vocabulary takes half a second in which nothing else runs: before anybody waits for an answer.
of_texts([""])
