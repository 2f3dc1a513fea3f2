"""Which files an agent can read in the answer itself, and as what. Pure."""

import csv
import io
import json
from pathlib import PurePosixPath
from typing import Final

_CODE_ENDINGS: Final = frozenset(
    (
        "go",
        "py",
        "js",
        "ts",
        "tsx",
        "jsx",
        "java",
        "cpp",
        "c",
        "h",
        "hpp",
        "cs",
        "php",
        "rb",
        "rs",
        "swift",
        "kt",
        "scala",
        "sh",
        "bash",
        "zsh",
        "sql",
        "r",
        "m",
        "pl",
        "lua",
        "vim",
        "dockerfile",
        "makefile",
        "cmake",
        "proto",
        "thrift",
        "graphql",
        "gql",
        "vue",
        "svelte",
        "astro",
    )
)
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
    ending, mime = PurePosixPath(filename).suffix.lower().lstrip("."), mime.lower()
    if ending == "json" or mime.startswith("application/json"):
        return "json"
    if ending == "csv" or mime.startswith("text/csv") or mime == "application/csv":
        return "csv"
    if ending in _CODE_ENDINGS or mime.startswith(_CODE_TYPES):
        return "code"
    return "text" if ending in _TEXT_ENDINGS or mime.startswith(_TEXT_TYPES) else None


def parsed(kind: str, data: bytes) -> dict[str, str] | None:
    """Return ``{type, raw}``, or None where the bytes are not what the kind says they are."""
    try:
        raw = data.decode()
        if kind == "json":
            json.loads(raw)
        elif kind == "csv" and len({len(row) for row in csv.reader(io.StringIO(raw), strict=True) if row}) > 1:
            return None
    except (ValueError, RecursionError, csv.Error):
        return None
    return {"type": kind, "raw": raw}
