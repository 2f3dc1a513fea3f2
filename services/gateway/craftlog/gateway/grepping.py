"""Regular expressions over the text of files, in a time that no expression can make long."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import re2

from craftlog.contracts.readmodels import Document
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.paths import Place
from craftlog.runtime.errors import ObjectMissingError
from craftlog.runtime.objects import Objects

MOST_CHARACTERS: Final = 1000
# RE2 at its slowest does some 150 million steps a second, a step being a byte times an instruction of the expression.
MOST_STEPS: Final = 600_000_000
MOST_BYTES: Final = 64 * 1024 * 1024
MOST_FILES: Final = 2000
MOST_NAMES: Final = 100_000
_AT_ONCE: Final = 16
_BYTES_AT_ONCE: Final = 4 * 1024 * 1024
_NO_TEXT: Final = ("image/", "audio/", "video/", "font/", "application/pdf", "application/zip", "application/gzip")


class Expression:
    """A regular expression in RE2's syntax, which is blind to case; ``^`` and ``$`` are the ends of lines."""

    def __init__(self, query: str, field: str = "query") -> None:
        """Compile it, or raise InvalidError."""
        if len(query) > MOST_CHARACTERS:
            raise InvalidError(field, f"is longer than {MOST_CHARACTERS} characters")
        options = re2.Options()
        options.case_sensitive = options.log_errors = False
        options.never_capture = True
        try:
            self._compiled = re2.compile(f"(?m){query}", options)
        except re2.error as wrong:
            reason = wrong.args[0].decode("utf-8", "replace")
            raise InvalidError(field, f"is no regular expression of RE2: {reason}") from wrong
        # The library would keep it, with up to 8 MiB of its states.
        re2.purge()

    def steps(self, size: int) -> int:
        """Return the most steps that this many bytes can take."""
        return size * int(self._compiled.programsize)

    def is_in(self, data: bytes) -> bool:
        """Tell whether these bytes are text and the expression matches somewhere."""
        return b"\0" not in data and self._compiled.search(data) is not None and _is_utf8(data)


@dataclass(slots=True)
class Found:
    """What a search found: the ids of files, in order, and where to go on ``after`` (None: all was searched).

    ``unsearched`` are the paths of files too large for so large an expression.
    """

    ids: list[str] = field(default_factory=list)
    after: Place | None = None
    unsearched: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Spent:
    names: int = 0
    files: int = 0
    size: int = 0
    steps: int = 0

    def is_enough(self) -> bool:
        return (
            self.names >= MOST_NAMES or self.files >= MOST_FILES or self.size >= MOST_BYTES or self.steps >= MOST_STEPS
        )


async def grep(objects: Objects, files: AsyncIterator[Sequence[Document]], expression: Expression, limit: int) -> Found:
    """Search files in order until ``limit`` match, or one request has done enough. The same bytes are read once."""
    found, spent = Found(), _Spent()
    verdicts: dict[str, bool] = {}
    async for some in files:
        for group in _groups(some, expression):
            if spent.is_enough():
                return found
            await _judge(objects, group, expression, verdicts, spent)
            for file in group:
                _note(found, file, expression, verdicts)
                if len(found.ids) == limit:
                    return found
    found.after = None
    return found


def _note(found: Found, file: Document, expression: Expression, verdicts: dict[str, bool]) -> None:
    found.after = (file["path"], file["filename"])
    if verdicts.get(file["asset"]["sha256"]):
        found.ids.append(file["_id"])
    elif _is_searchable(file) and not _is_affordable(file, expression):
        found.unsearched.append("".join(found.after))


async def _judge(
    objects: Objects, group: Sequence[Document], expression: Expression, verdicts: dict[str, bool], spent: _Spent
) -> None:
    spent.names += len(group)
    new = {
        file["asset"]["sha256"]: file["asset"]
        for file in group
        if file["asset"]["sha256"] not in verdicts and _is_searchable(file) and _is_affordable(file, expression)
    }
    texts = await asyncio.gather(*(_text(objects, asset["s3_key"]) for asset in new.values()))
    spent.files += len(texts)
    spent.size += sum(map(len, texts))
    spent.steps += expression.steps(sum(map(len, texts)))
    verdicts.update(zip(new, await asyncio.to_thread(lambda: list(map(expression.is_in, texts))), strict=True))


async def _text(objects: Objects, key: str) -> bytes:
    try:
        return await objects.get(key)
    except ObjectMissingError:
        return b""  # the disk was deleted meanwhile


def _groups(files: Sequence[Document], expression: Expression) -> Iterator[Sequence[Document]]:
    """Yield the files again, as many at a time as may be in memory together."""
    group: list[Document] = []
    size = 0
    for file in files:
        size += file["asset"]["size_b"]
        too_large = size > _BYTES_AT_ONCE or expression.steps(size) > MOST_STEPS
        if group and (len(group) == _AT_ONCE or too_large):
            yield group
            group, size = [], file["asset"]["size_b"]
        group.append(file)
    if group:
        yield group


def _is_searchable(file: Document) -> bool:
    mime: str = file["asset"]["mime"].lower()
    return not mime.startswith(_NO_TEXT) or mime.startswith("image/svg")


def _is_affordable(file: Document, expression: Expression) -> bool:
    return expression.steps(file["asset"]["size_b"]) <= MOST_STEPS


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
