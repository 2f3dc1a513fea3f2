"""The parameters that several routes take. An empty query parameter counts as absent."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query, Request, Security
from pydantic import AfterValidator, BeforeValidator

from craftlog.gateway.cursors import Page
from craftlog.gateway.door import HOLDER
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.fields import an_id
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.limits import has_lone_surrogate


def or_default(default: Any) -> BeforeValidator:
    """Return what makes an empty parameter the default."""
    return BeforeValidator(lambda value: default if value == "" else value)


def _storable(value: str | None) -> str | None:
    if value and ("\0" in value or has_lone_surrogate(value)):
        raise ValueError("must not hold NUL or a lone surrogate")
    return value


def _uuid(value: str) -> str:
    try:
        return an_id(value, "id")
    except InvalidError as wrong:
        raise ValueError("must be a UUID") from wrong


async def _gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


Wired = Annotated[Gateway, Depends(_gateway)]
Project = Annotated[str, Security(HOLDER)]
Id = Annotated[str, AfterValidator(_uuid), Path(json_schema_extra={"format": "uuid"})]
OtherId = Annotated[
    str | None,
    or_default(None),
    AfterValidator(lambda value: value and _uuid(value)),
    Query(json_schema_extra={"format": "uuid"}),
]
Text = Annotated[str | None, or_default(None), AfterValidator(_storable), Query()]
Needed = Annotated[str, Query(min_length=1), AfterValidator(_storable)]
Limit = Annotated[int, or_default(20), Query(ge=1, le=200)]
Count = Annotated[int, or_default(0), Query(ge=0, le=200)]
Format = Annotated[Literal["openai", "anthropic", "gemini", "acontext"], or_default("openai"), Query()]
Off = Annotated[bool, or_default(default=False), Query()]
On = Annotated[bool, or_default(default=True), Query()]


async def _page(*, limit: Limit = 20, cursor: Text = None, time_desc: Off = False) -> Page:
    return Page(limit, cursor, time_desc)


Wanted = Annotated[Page, Depends(_page)]
