"""What canonical parts hold as one text, while a provider's format has a JSON value or a list of texts there. Pure."""

import json
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

from craftlog.gateway.errors import InvalidError
from craftlog.gateway.fields import Json, a_text
from craftlog.gateway.limits import parse

_INPUT: Final = "input"


def json_text(value: Any) -> str:
    """Return a JSON value as text, keys in their order and numbers as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_value(text: str | None) -> Any:
    """Return the JSON value in a text; None where there is none, or one that no answer of ours could hold."""
    try:
        return parse((text or "").encode())
    except InvalidError:
        return None


def arguments_text(arguments: Any) -> str:
    """Return a call's arguments as the JSON string that canonical calls hold."""
    return arguments if isinstance(arguments, str) else json_text(arguments)


def arguments_object(arguments: Any) -> Json:
    """Return a call's arguments as an object; what is none stands in one under ``input``."""
    if isinstance(arguments, str):
        if not arguments.strip():
            return {}
        value = json_value(arguments)
        arguments = arguments if value is None else value
    return arguments if isinstance(arguments, dict) else {_INPUT: arguments}


def fold(pieces: Sequence[Json], at: str) -> tuple[str, list[Json]]:
    """Return the joined text of a list of texts and other pieces, and the list with each text's length in its place.

    Raises:
        InvalidError: the text of a text piece is none.
    """
    texts = [
        a_text(piece.get("text"), f"{at}[{index}].text") if piece.get("type") == "text" else ""
        for index, piece in enumerate(pieces)
    ]
    layout = [
        {**piece, "text": len(text)} if piece.get("type") == "text" else piece
        for piece, text in zip(pieces, texts, strict=True)
    ]
    return "".join(texts), layout


def unfold(text: str, layout: Any) -> list[Json] | None:
    """Return the list that ``fold`` made a text and a layout of; None where the text was changed since."""
    if not isinstance(layout, list) or not all(isinstance(piece, dict) for piece in layout):
        return None
    lengths = [piece.get("text") if piece.get("type") == "text" else 0 for piece in layout]
    if not all(type(length) is int and length >= 0 for length in lengths) or sum(lengths) != len(text):
        return None
    ends = accumulate(lengths)
    return [
        {**piece, "text": text[end - length : end]} if piece.get("type") == "text" else piece
        for piece, length, end in zip(layout, lengths, ends, strict=True)
    ]
