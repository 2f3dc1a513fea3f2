"""The shapes that all areas share, and what is said of a route."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from craftlog.gateway.fields import Json

T = TypeVar("T")

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Id = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
Absent = SkipJsonSchema[None]
Status = Literal["pending", "running", "success", "failed"]
JSON: Final = "application/json"


def _without_defaults(schema: Json) -> None:
    for described in schema.get("properties", {}).values():
        described.pop("default", None)


class Shape(BaseModel):
    """A JSON object with exactly these keys: ``| None`` is a key that may be null, ``| Absent`` one that may lack."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_defaults)


class Sent(BaseModel):
    """A JSON object with at least these keys; others are ignored, and null is the same as absent."""

    model_config = ConfigDict(extra="allow")


@dataclass(frozen=True, slots=True)
class Said:
    """A route's part of the document.

    Args:
        data: the model of ``data`` in its answer; None where the answer has none.
        body: the model of the JSON object that it reads.
        form: the model of the multipart form that it reads.
        needed: whether there must be a body.
        keyed: whether it takes an ``Idempotency-Key``.
        media: what its answer is; without ``data`` and other than JSON it is bytes.
        headers: those of its answer beside the usual ones.
        refusals: statuses that do not follow from the rest.
    """

    data: Any = None
    body: type[BaseModel] | None = None
    form: type[BaseModel] | None = None
    needed: bool = True
    keyed: bool = False
    media: str = JSON
    headers: tuple[str, ...] = ()
    refusals: tuple[int, ...] = ()


class Refusal(Shape):
    """Why a request was not carried out: ``msg`` for people, ``error`` the name of the status; health has data."""

    code: int
    msg: str
    error: str
    data: Any | Absent = None


class Page(Shape, Generic[T]):
    """A part of a list; ``next_cursor`` is there where ``has_more`` is."""

    items: list[T]
    has_more: bool
    next_cursor: str | Absent = None


class Items(Shape, Generic[T]):
    """A whole list."""

    items: list[T]


class Times(Shape):
    """When something began, and when it last changed."""

    created_at: Time
    updated_at: Time


class Flag(Shape):
    """Whether it worked: 200, or a status with a reason."""

    status: int
    errmsg: str


class Made(Shape):
    """The id of what was made."""

    id: Id
