"""How a file on a disk is addressed: a directory that begins and ends with a slash, and a file name. Pure."""

import re
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from craftlog.gateway.errors import InvalidError
from craftlog.gateway.limits import has_lone_surrogate

MOST_CHARACTERS: Final = 1024
DEEPEST: Final = 64
Place = tuple[str, str]

_SUGGESTED: Final = 120
# What programs that unpack archives take for more than a part of a name.
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f\\]|^[A-Za-z]:")
_MOST_BYTES_UNPACKED: Final = 200


def split(file_path: str, field: str = "file_path") -> Place:
    """Return the directory and the file name of a path, for example ``/notes/`` and ``x`` of ``notes/x``.

    Raises:
        InvalidError: the path cannot be one on a disk.
    """
    path = file_path.strip()
    if not path.startswith("/"):
        path = f"/{path}"
    at = path.rindex("/") + 1
    return _directory(path[:at], field), filename(path[at:], field)


def directory(path: str, field: str = "path") -> str:
    """Return a directory's path, which must begin and end with a slash, or raise InvalidError."""
    if not (path.startswith("/") and path.endswith("/")):
        raise InvalidError(field, "must begin and end with a slash")
    return _directory(path, field)


def filename(name: str, field: str = "file") -> str:
    """Return a file's name, which keeps no white space at its end since no path does, or raise InvalidError."""
    name = name.rstrip()
    if name in (".", ".."):
        raise InvalidError(field, "must not have the name of a directory, . or ..")
    return _piece(name, field)


def _directory(path: str, field: str) -> str:
    if ".." in path:
        raise InvalidError(field, "must not hold two dots in a row before the file's name")
    if path.count("/") > DEEPEST + 1:
        raise InvalidError(field, f"is more than {DEEPEST} directories deep")
    return _piece(path, field)


def _piece(piece: str, field: str) -> str:
    if "\0" in piece:
        raise InvalidError(field, "must not hold NUL")
    if has_lone_surrogate(piece):
        raise InvalidError(field, "holds a lone surrogate, which is no character")
    if len(piece) > MOST_CHARACTERS:
        raise InvalidError(field, f"is longer than {MOST_CHARACTERS} characters")
    return piece


def subdirectories(below: str, paths: list[str]) -> list[str]:
    """Return the names of the directories directly in ``below``, sorted, each once."""
    inner = [path.removeprefix(below) for path in paths if path.startswith(below)]
    return sorted({path.split("/", 1)[0] for path in inner if "/" in path} - {""})


def attachment(name: str) -> str:
    """Return a Content-Disposition that makes a browser save the file under its name, and never show it (RFC 6266).

    The name is a suggestion: of one that is too long for a header the end is kept.
    """
    end = name[-_SUGGESTED:]
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", end)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(end, safe='')}"


def in_archive(place: Place, root: str, *, is_directory: bool) -> str:
    """Return a name for a file in an archive of ``root`` that can be unpacked anywhere, and only below one directory.

    Where a piece of the path would be unsafe or too long for a file system, or there is a directory of the file's name,
    the name is changed and bears a mark of the true one, so that no two files become one.
    """
    whole = "".join(place)
    pieces = whole.removeprefix(root).split("/")
    way = [_unpackable(piece) for piece in pieces[:-1] if piece not in ("", ".", "..")]
    name = "_" if pieces[-1] in (".", "..") else _unpackable(pieces[-1])
    if [*way, name] != pieces or is_directory:
        stem, dot, ending = name.rpartition(".") if "." in name[1:] else (name, "", "")
        name = f"{stem}~{sha256(whole.encode()).hexdigest()[:8]}{dot}{ending}"
    return "/".join([*way, name])


def _unpackable(piece: str) -> str:
    return _UNSAFE.sub("_", piece.encode()[-_MOST_BYTES_UNPACKED:].decode(errors="ignore"))
