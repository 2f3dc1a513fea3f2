"""What the stores can hold: JSON from outside is checked here once, so that everything accepted can be stored. Pure."""

import json
import re
from collections.abc import Iterator
from math import isfinite
from typing import Any, Final

from pydantic_core import from_json

from craftlog.gateway.errors import InvalidError

MOST_BYTES: Final = 16 * 1024 * 1024
MOST_BYTES_OF_FILES: Final = 64 * 1024 * 1024
MOST_IN_BATCH: Final = 500
# Up to here bytes are sooner worked on than handed to a thread.
MOST_AT_ONCE: Final = 256 * 1024
DEEPEST: Final = 64
# Each value costs every later reader some microseconds: bytes alone do not bound how long one body holds up others.
MOST_VALUES: Final = 200_000
_SMALLEST_INTEGER: Final = -(2**63)
_LARGEST_INTEGER: Final = 2**63 - 1
_ESCAPES_TO_LOOK_AT: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_TOKENS: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]')


def parse(body: bytes, root: str = "") -> Any:
    """Return the JSON value of a body.

    Args:
        body: UTF-8.
        root: the path of the whole value, where it is not the request's body.

    Raises:
        InvalidError: it is no JSON, or holds an integer over 64 bit, a number that is not finite, a NUL in a key, a
            lone surrogate, or nests deeper than 64 levels. The error names the path.
    """
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError:
        return _parse_slowly(body, root)
    if _ESCAPES_TO_LOOK_AT.search(body) or not _is_storable(value, root):
        _refuse_faults(value, root)
    return value


def _parse_slowly(body: bytes, root: str) -> Any:
    """Find out what is wrong with a body that the fast parser refuses."""
    field = root or "body"
    try:
        text = body.decode()
    except UnicodeDecodeError as wrong:
        raise InvalidError(field, f"is not UTF-8 at byte {wrong.start}") from wrong
    if not text.strip():
        raise InvalidError(field, "is empty; JSON is needed")
    try:
        value = json.loads(text)
    except RecursionError:
        raise InvalidError(_path_to_depth(text, root) or field, f"nests deeper than {DEEPEST} levels") from None
    except json.JSONDecodeError as wrong:
        raise InvalidError(field, f"is not JSON: {wrong}") from None
    except ValueError:
        # The interpreter reads no integers of more than 4,300 digits.
        raise InvalidError(field, "holds an integer over 64 bit") from None
    _refuse_faults(value, root)
    return value


def _refuse_faults(value: Any, root: str) -> None:
    for path, reason in _faults(value, root):
        raise InvalidError(path or "body", reason)


def _is_storable(value: Any, root: str) -> bool:
    """Walk through a value level by level: nothing but this is done for a body that is fine.

    Raises:
        InvalidError: there are more values in it than a body may have.
    """
    level, values = [value], 1
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is dict:
                below.extend(item.values())
            elif kind is list:
                below.extend(item)
            elif (kind is int and not _SMALLEST_INTEGER <= item <= _LARGEST_INTEGER) or (
                kind is float and not isfinite(item)
            ):
                return False
        if not below:
            return True
        values += len(below)
        if values > MOST_VALUES:
            raise InvalidError(
                root or "body", f"holds more than {MOST_VALUES} values; send it in several, or as a file"
            )
        level = below
    return False


def _faults(value: Any, root: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the reason of what cannot be stored, without recursion."""
    waiting: list[tuple[str, Any, int]] = [(root, value, 1)]
    while waiting:
        path, item, depth = waiting.pop()
        if isinstance(item, (dict, list)) and depth > DEEPEST:
            yield path, f"nests deeper than {DEEPEST} levels"
        elif isinstance(item, dict):
            for key in item:
                if fault := _fault_of_key(key):
                    yield f"{path}.{printable(key)}".lstrip("."), fault
            waiting += [(f"{path}.{printable(key)}".lstrip("."), inner, depth + 1) for key, inner in item.items()]
        elif isinstance(item, list):
            waiting += [(f"{path}[{index}]", inner, depth + 1) for index, inner in enumerate(item)]
        elif fault := _fault_of_scalar(item):
            yield path, fault


def _fault_of_key(key: str) -> str | None:
    if "\0" in key:
        return "a key must not hold NUL"
    return "a key must not hold a lone surrogate" if has_lone_surrogate(key) else None


def _fault_of_scalar(value: Any) -> str | None:
    if isinstance(value, str) and has_lone_surrogate(value):
        return "holds a lone surrogate, which is no character"
    if type(value) is int and not _SMALLEST_INTEGER <= value <= _LARGEST_INTEGER:
        return "is an integer over 64 bit"
    if isinstance(value, float) and not isfinite(value):
        return "is not a finite 64 bit number"
    return None


def has_lone_surrogate(text: str) -> bool:
    """Tell whether a text cannot be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def printable(text: str) -> str:
    """Return a text as it can stand in an answer, at most 64 characters of it."""
    return text[:64].replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def _path_to_depth(text: str, root: str) -> str:
    """Return the path of the first value that nests too deep; the text was too deep to be parsed at all."""
    path: list[str] = [root]
    last = ""
    for token in _TOKENS.finditer(text):
        match token.group():
            case "{" | "[":
                path.append(last)
                if len(path) > DEEPEST + 1:
                    return ".".join(key for key in path if key)
                last = ""
            case "}" | "]":
                path = path[:-1]
            case ",":
                last = ""
            case string:
                last = last or printable(string[1:-1])
    return root
