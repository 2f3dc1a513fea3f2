"""Which files an agent can read in the answer itself, and as what. Pure."""

import csv
import io
import json
from dataclasses import dataclass
from itertools import islice
from typing import Final

from craftlog.gateway.fields import Json

# The parser's own limit is 128 KiB a field, of a format that has none.
csv.field_size_limit(2**31 - 1)

_CODE_ENDINGS: Final = frozenset((
    "go", "py", "js", "ts", "tsx", "jsx", "java", "cpp", "c", "h", "hpp", "cs", "php", "rb", "rs", "swift", "kt",
    "scala", "sh", "bash", "zsh", "sql", "r", "m", "pl", "lua", "vim", "dockerfile", "makefile", "cmake", "proto",
    "thrift", "graphql", "gql", "vue", "svelte", "astro",
))  # fmt: skip
_CODE_TYPES: Final = (
    "text/x-",
    "text/javascript",
    "text/typescript",
    "application/javascript",
    "application/typescript",
    "application/sql",
    "application/graphql",
)
_TEXT_ENDINGS: Final = frozenset(("txt", "md", "markdown", "log", "yml", "yaml", "xml", "html", "htm"))
_TEXT_TYPES: Final = ("text/", "application/xml", "application/x-yaml")


def kind_of(filename: str, mime: str) -> str | None:
    """Return json, csv, code or text by the file's ending or type, or None for other files."""
    ending, mime = filename.lower().rpartition(".")[2] if "." in filename else "", mime.lower()
    if ending == "json" or mime.startswith("application/json"):
        return "json"
    if ending == "csv" or mime.startswith("text/csv") or mime == "application/csv":
        return "csv"
    if ending in _CODE_ENDINGS or mime.startswith(_CODE_TYPES):
        return "code"
    return "text" if ending in _TEXT_ENDINGS or mime.startswith(_TEXT_TYPES) else None


@dataclass(frozen=True, slots=True)
class Lines:
    """Which lines of a text are wanted: up to ``limit`` (None: all) from number ``offset`` on, which counts from 0."""

    offset: int
    limit: int | None


# A parser of JSON lets nobody else run, and makes up to thirty times as much of it: what is larger is text.
MOST_JSON: Final = 1024 * 1024


def parsed(kind: str, data: bytes, wanted: Lines | None = None) -> Json | None:
    """Return ``{type, raw}``, or None where the bytes are not what the kind says they are.

    JSON of more than 1 MiB is not looked at, and given as text.

    Where lines are wanted ``raw`` is these, and there are ``line_offset``, and ``total_lines`` of the whole.
    """
    try:
        raw = data.decode()
        if kind == "json" and len(data) > MOST_JSON:
            kind = "text"
        elif kind == "json":
            json.loads(raw, parse_constant=_no_number, parse_int=str)
        elif kind == "csv" and len({len(row) for row in csv.reader(io.StringIO(raw), strict=True) if row}) > 1:
            return None
    except (ValueError, RecursionError, csv.Error):
        return None
    return {"type": kind, **(_cut(raw, wanted) if wanted else {"raw": raw})}


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _cut(raw: str, wanted: Lines) -> Json:
    """Cut as splitting at each newline and joining again would, which takes gigabytes for millions of empty lines."""
    total = raw.count("\n") + 1
    end = None if wanted.limit is None else wanted.offset + wanted.limit
    lines = "".join(islice(io.StringIO(raw, newline="\n"), wanted.offset, end))
    if end is not None and end < total:
        lines = lines.removesuffix("\n")
    return {"raw": lines, "line_offset": wanted.offset, "total_lines": total}
