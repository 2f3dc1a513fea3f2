"""How a file on a disk is addressed: a directory that begins and ends with a slash, and a file name. Pure."""

from typing import Final

from craftlog.gateway.errors import InvalidError
from craftlog.gateway.limits import has_lone_surrogate

MOST_CHARACTERS: Final = 1024


def split(file_path: str, field: str = "file_path") -> tuple[str, str]:
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
    """Return a file's name as it is, or raise InvalidError."""
    return _piece(name, field)


def _directory(path: str, field: str) -> str:
    if ".." in path:
        raise InvalidError(field, "must not hold two dots in a row before the file's name")
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
