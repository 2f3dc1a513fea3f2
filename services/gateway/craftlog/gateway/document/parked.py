"""What is parked, as the document describes it."""

from typing import Final

from craftlog.gateway.document.messages import Message
from craftlog.gateway.document.said import Id, Page, Said, Shape, Time


class Parked(Shape):
    """A message that could not be observed, or without a position a session.

    ``original`` is the message, or as text the beginning of what the log has in its place; ``tries`` are a session's.
    """

    id: str
    session_id: Id
    position: int | None
    reason: str
    original: Message | str | None
    parked_at: Time
    tries: int | None


class Retried(Shape):
    """Whether it is still parked, and why."""

    parked: bool
    reason: str | None


ROUTES: Final[dict[str, Said]] = {
    "GET /parked": Said(Page[Parked]),
    "POST /parked/{parked_id}/retry": Said(Retried),
    "POST /parked/{parked_id}/drop": Said(),
}
