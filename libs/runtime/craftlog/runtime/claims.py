"""The claim check: what is too large for an event lies in the bucket, and is fetched when it is read."""

from typing import Final

import structlog
from pydantic import TypeAdapter

from craftlog.contracts.events import MessageAppended
from craftlog.contracts.messages import Message, Part
from craftlog.runtime.errors import ObjectMissingError
from craftlog.runtime.objects import Objects

PARTS: Final = TypeAdapter(tuple[Part, ...])

logger = structlog.get_logger()


async def message_of(event: MessageAppended, objects: Objects) -> Message:
    """Return the message that an event appended, without parts where they are gone: its session is being deleted.

    Raises:
        UnavailableError: the bucket cannot be reached.
    """
    return Message(
        message_id=event.message_id,
        position=event.position,
        role=event.role,
        parts=await _parts(event, objects),
        meta=event.meta,
    )


async def _parts(event: MessageAppended, objects: Objects) -> tuple[Part, ...]:
    if event.parts_ref is None:
        return event.parts
    try:
        return PARTS.validate_json(await objects.get(event.parts_ref.key))
    except ObjectMissingError:
        logger.warning("parts_missing", key=event.parts_ref.key)
        return ()
