"""Configs are the client's own, but for what means something to a service: that is checked here, by its path. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, to_json

from craftlog.gateway.bodies import MOST_SMALL_BYTES
from craftlog.gateway.errors import InvalidError, TooLargeError
from craftlog.gateway.fields import Json

_SUBJECT: Final = re.compile(r"^\w+ should ")


def checked(shape: type[BaseModel], configs: Json, root: str = "") -> Json:
    """Return configs as they are, once what they say to a service was found to have this shape.

    Args:
        shape: one of craftlog.contracts.configs.
        configs: what a client sent.
        root: the path of the configs in the request.

    Raises:
        InvalidError: a field is not what it must be.
    """
    try:
        shape.model_validate(configs)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        raise InvalidError(".".join(filter(None, (root, *map(str, wrong["loc"])))), _in_words(wrong)) from None
    return configs


def not_too_large(configs: Mapping[str, Any]) -> None:
    """Raise TooLargeError where configs have more than 64 KiB."""
    if (size := len(to_json(configs))) > MOST_SMALL_BYTES:
        raise TooLargeError(f"configs: {size} bytes are more than {MOST_SMALL_BYTES}")


def _in_words(wrong: ErrorDetails) -> str:
    match wrong["type"]:
        case "extra_forbidden":
            return "is not known here"
        case "model_type":
            return "must be an object"
        case _:
            return _SUBJECT.sub("must ", wrong["msg"])
