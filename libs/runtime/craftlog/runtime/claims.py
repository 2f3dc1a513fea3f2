"""The claim check: what is too large for an event lies in the bucket, and is fetched when it is read."""

from typing import Final

import structlog
from pydantic import TypeAdapter, ValidationError

from craftlog.contracts.events import MessageAppended
from craftlog.contracts.messages import Message, Part
from craftlog.runtime.errors import ObjectMissingError
from craftlog.runtime.objects import Objects

PARTS: Final = TypeAdapter(tuple[Part, ...])

logger = structlog.get_logger()


class UnreadableError(Exception):
    """The bucket answers, and does not have the parts of a message; the text says why, and may be told to anybody."""


class PartsMissingError(UnreadableError):
    """There is no object with the parts."""


async def whole_message_of(event: MessageAppended, objects: Objects) -> Message:
    """Return the message that an event appended.

    Raises:
        UnreadableError: its parts are gone, or are none.
        UnavailableError: the bucket cannot be reached.
    """
    return Message(
        message_id=event.message_id,
        position=event.position,
        role=event.role,
        parts=await _parts(event, objects),
        meta=event.meta,
    )


async def message_of(event: MessageAppended, objects: Objects) -> Message:
    """Return the message that an event appended, without parts where they are gone: its session is being deleted."""
    try:
        return await whole_message_of(event, objects)
    except PartsMissingError:
        logger.warning("parts_missing", position=event.position, message_id=event.message_id)
        return await whole_message_of(event.model_copy(update={"parts_ref": None}), objects)


async def _parts(event: MessageAppended, objects: Objects) -> tuple[Part, ...]:
    if event.parts_ref is None:
        return event.parts
    try:
        return PARTS.validate_json(await objects.get(event.parts_ref.key))
    except ObjectMissingError as missing:
        raise PartsMissingError("its parts are not in the bucket") from missing
    except ValidationError as wrong:
        raise UnreadableError("what the bucket has in the place of its parts cannot be read") from wrong
