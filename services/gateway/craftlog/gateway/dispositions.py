"""What a part of a form says that it is called: its field, and its file's name in either spelling. Pure."""

import re
from typing import Final
from urllib.parse import unquote

from python_multipart.multipart import parse_options_header

from craftlog.gateway.errors import InvalidError

_EXTENDED: Final = re.compile(rb"filename\*(?=[ \t]*=)", re.IGNORECASE)
_VALUE: Final = re.compile(rb"(utf-8|iso-8859-1)'[a-z0-9-]*'((?:%[0-9a-f]{2}|[a-z0-9!#$&+.^_`|~-])*)", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def names(disposition: bytes) -> tuple[str, str | None]:
    """Return the field and the file's name, without directories, of a Content-Disposition; None for no file.

    Raises:
        InvalidError: there is no field, or the file's name is in ``filename*`` and not well-formed.
    """
    _, options = parse_options_header(disposition)
    if b"name" not in options:
        raise InvalidError("body", "has a part without a name")
    field = _text(options[b"name"])
    # Who sends both says the true one in `filename*` (RFC 6266), the other is for those who cannot read that.
    name = _extended(disposition, field)
    if name is None and b"filename" in options:
        name = _text(options[b"filename"])
    return field, None if name is None else name.rsplit("/", 1)[-1]


def _extended(disposition: bytes, field: str) -> str | None:
    """Return the name in ``filename*`` (RFC 8187): no form may have that (RFC 7578), but some clients send it."""
    # The parser leaves names with a star out: nobody else knows as well where a parameter begins.
    readable, found = _EXTENDED.subn(b"filename~", disposition)
    sent = parse_options_header(readable)[1].get(b"filename~") if found else None
    if sent is None:
        return None
    value = _VALUE.fullmatch(sent)
    if value is None:
        raise InvalidError(field, "has a filename* that is not UTF-8'' and a name, percent-encoded as in RFC 8187")
    charset = value[1].decode().upper()
    try:
        name = unquote(value[2].decode(), charset, errors="strict")
    except UnicodeDecodeError as wrong:
        raise InvalidError(field, f"has a filename* that is not {charset}") from wrong
    if _CONTROL.search(name):
        raise InvalidError(field, "has a filename* that holds control characters")
    return name


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
