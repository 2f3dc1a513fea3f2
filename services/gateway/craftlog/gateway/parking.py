"""What waits for a person: messages that boards go on without, and sessions that cannot be observed at all."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pydantic import ValidationError

from craftlog.contracts.messages import Part
from craftlog.contracts.questions import ParkedAnswered, ParkedAsked
from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import wire
from craftlog.gateway.asking import answer_of
from craftlog.gateway.errors import InvalidError, MissingError
from craftlog.gateway.fields import Json
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.reading import MOST_BYTES_IN_PAGE, size_of
from craftlog.runtime.errors import ObjectMissingError, UnavailableError

_ID: Final = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?::([1-9][0-9]{0,15}))?")
_WHOLE: Final = 0  # where the place of a session as a whole is: before all its messages
_MOST_RAW: Final = 4096  # bytes of an event that is none
_BUDGET: Final = 25.0  # a message that is read anew is shown to a model


@dataclass(frozen=True, slots=True)
class Parked:
    """A message of a session, or with position 0 the session as a whole. ``seq`` is where its event is, if known."""

    session_id: str
    position: int
    reason: str
    parked_at: datetime
    tries: int | None = None
    seq: int | None = None

    @property
    def place(self) -> tuple[str, int]:
        """Return where it stands in the list."""
        return self.session_id, self.position

    @property
    def id(self) -> str:
        """Return what clients call it."""
        return f"{self.session_id}:{self.position}" if self.position else self.session_id


def of_board(board: Document) -> list[Parked]:
    """Return the messages that a board goes on without, but for those that were given up."""
    return [
        Parked(board["_id"], one["position"], one["reason"], one["parked_at"], seq=one.get("seq"))
        for one in board.get("skipped", ())
        if not one.get("dropped")
    ]


async def after(gateway: Gateway, project: str, place: tuple[str, int] | None, limit: int) -> list[Parked]:
    """Return what is parked after a place, by session and position: one more than the limit where there is one more."""
    # Of the first session all may stand before the place.
    boards, items = await gateway.reads.parked(project, place[0] if place else "", limit + 2)
    found = [one for board in boards for one in of_board(board)]
    found += [Parked(item["_id"], _WHOLE, item["error"], item["parked_at"], item["tries"]) for item in items]
    found.sort(key=lambda one: one.place)
    return [one for one in found if place is None or one.place > place][: limit + 1]


async def shown(gateway: Gateway, project: str, parked: Sequence[Parked]) -> list[Json]:
    """Return what is parked with its originals; raises InvalidError where they are too much to be read at once."""
    wanted: defaultdict[str, list[int]] = defaultdict(list)
    for one in parked:
        if one.position:
            wanted[one.session_id].append(one.position)
    found = await asyncio.gather(*(gateway.reads.messages(*these) for these in wanted.items()))
    stored = {(message["session_id"], message["position"]): message for some in found for message in some}
    if len(stored) > 1 and sum(map(size_of, stored.values())) > MOST_BYTES_IN_PAGE:
        raise InvalidError("limit", f"there are more than {MOST_BYTES_IN_PAGE} bytes to return; ask for fewer")
    return [
        {
            "id": one.id,
            "session_id": one.session_id,
            "position": one.position or None,
            "reason": one.reason,
            "original": await _original(gateway, project, one, stored.get(one.place)),
            "parked_at": wire.at(one.parked_at),
            "tries": one.tries,
        }
        for one in parked
    ]


async def ask(
    gateway: Gateway, project: str, parked_id: str, wanted: Literal["retry", "drop"]
) -> tuple[bool, str | None]:
    """Have the observer try again or drop what is parked; return whether it is still parked, and why.

    Raises:
        MissingError: there is no such thing.
        UnavailableError: the observer does not answer, or cannot do it now.
    """
    missing = MissingError(f"parked_id: there is nothing parked by the id {parked_id}")
    named = _ID.fullmatch(parked_id)
    if named is None:
        raise missing
    session, at = Address(Kind.SESSION, project, named[1]), int(named[2] or _WHOLE)
    if not await _is_parked(gateway, session, at):
        raise missing
    asked = ParkedAsked(project=project, session_id=session.id, position=at or None, wanted=wanted)
    answered = await answer_of(gateway, "observer", "parked", asked, ParkedAnswered, budget=_BUDGET)
    if answered.unavailable:
        raise UnavailableError(answered.unavailable)
    if not answered.found:
        raise missing
    await gateway.heads.await_version(Address(Kind.BOARD, project, session.id), answered.version)
    return answered.reason is not None, answered.reason


async def _is_parked(gateway: Gateway, session: Address, position: int) -> bool:
    if position == _WHOLE:
        item = await gateway.reads.observing_due(session.id)
        return bool(item.get("parked")) and item["project"] == session.project
    board = await gateway.heads.head(Address(Kind.BOARD, session.project, session.id))
    return board is not None and any(one.position == position for one in of_board(board))


async def _original(gateway: Gateway, project: str, parked: Parked, stored: Document | None) -> Json | str | None:
    """Return a message as it is stored; else what the log has in its place, the beginning of it, as text."""
    if stored:
        return wire.message(stored, await _parts(gateway, stored), status="failed")
    if parked.seq is None:
        return None
    body = await gateway.log.raw(Address(Kind.SESSION, project, parked.session_id), parked.seq)
    return None if body is None else body[:_MOST_RAW].decode(errors="replace")


async def _parts(gateway: Gateway, stored: Document) -> tuple[Part, ...]:
    try:
        [parts] = await gateway.reads.parts([stored])
    except (ObjectMissingError, ValidationError):
        return ()  # that is why it is parked
    return parts
