"""What observing a project's sessions took of models, in answers that were of use: tokens and money, day by day."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import AfterValidator
from starlette.responses import Response

from craftlog.gateway.answers import answer
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.parameters import Project, Text, Wired

router = APIRouter(prefix="/usage", tags=["usage"])

_DAYS: Final = 30
_MOST_DAYS: Final = 366


def _day(value: str | None) -> str | None:
    with suppress(ValueError):
        # The standard library also knows days by their week, and without dashes.
        if not value or date.fromisoformat(value).isoformat() == value:
            return value
    raise ValueError("must be a day, YYYY-MM-DD")


_FORMAT: Final = {"format": "date"}
First = Annotated[Text, AfterValidator(_day), Query(alias="from", json_schema_extra=_FORMAT)]
Last = Annotated[Text, AfterValidator(_day), Query(alias="to", json_schema_extra=_FORMAT)]


@router.get("")
async def usage(*, gateway: Wired, project: Project, first: First = None, last: Last = None) -> Response:
    """List the days in UTC, ``from`` and ``to`` included, on which something was observed: the last 30 unless given."""
    until = date.fromisoformat(last) if last else datetime.now(UTC).date()
    since = date.fromisoformat(first) if first else _before(until, _DAYS - 1)
    if not 0 <= (until - since).days < _MOST_DAYS:
        raise InvalidError("from", f"must be a day of the {_MOST_DAYS} that end with `to`, {until}")
    return answer({"items": await gateway.reads.usage(project, since.isoformat(), until.isoformat())})


def _before(day: date, days: int) -> date:
    return date.min if day - date.min < timedelta(days) else day - timedelta(days)
