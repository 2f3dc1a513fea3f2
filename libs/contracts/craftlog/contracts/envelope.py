"""How an event travels: CloudEvents 1.0 in binary mode, one event a NATS message.

The attributes are headers (``ce-id``, ``ce-type``, ``ce-source``, ``ce-time``, ``ce-sequence``), the body is the JSON
of the event. ``ce-sequence`` is the aggregate's version. Source: CloudEvents NATS protocol binding 1.0.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from pydantic import ValidationError

from craftlog.contracts.events import REGISTRY, TOMBSTONE_TYPES, Event, wire_name
from craftlog.contracts.subjects import Address, parse

MAX_BODY: Final = 256 * 1024
_NAMESPACE: Final = UUID("6f7a3c52-9d0e-5b61-8f43-2d1c0f5a7e10")


class UndecodableError(ValueError):
    """A stored message is no event of ours, or its body does not have the shape of its type."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as the log holds it. ``event`` is None where the type is not known to this reader.

    ``version`` counts 1, 2, 3 … in the aggregate; ``seq`` is the stream sequence.
    """

    address: Address
    version: int
    seq: int
    id: str
    type: str
    time: datetime
    event: Event | None
    traceparent: str | None = None

    @property
    def is_tombstone(self) -> bool:
        """Tell whether the aggregate ends here."""
        return self.type in TOMBSTONE_TYPES


def event_id(*cause: str) -> str:
    """Return the id that the same cause always has (UUID version 5), so that a repeat can be recognised."""
    return str(uuid5(_NAMESPACE, "\x1f".join(cause)))


def encode(
    address: Address, version: int, event: Event, *, event_id: str, time: datetime, traceparent: str | None = None
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of an event.

    Args:
        address: the aggregate that the event is about.
        version: its version after this event, from 1.
        event: the fact.
        event_id: unique in the log, the same for a repeat of the same request.
        time: when it happened, with a time zone.
        traceparent: the W3C trace context of the cause.
    """
    headers = {
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-type": wire_name(type(event)),
        "ce-source": f"/projects/{address.project}/{address.kind}/{address.id}",
        "ce-time": time.isoformat(),
        "ce-sequence": str(version),
        "content-type": "application/json",
    }
    if traceparent:
        headers["traceparent"] = traceparent
    return headers, event.model_dump_json(exclude_none=True).encode()


def decode(subject: str, headers: Mapping[str, str], body: bytes, seq: int) -> Recorded:
    """Return the event in a stored message.

    Raises:
        UndecodableError: an attribute is missing or the body does not have the shape of its type.
    """
    try:
        type_name = headers["ce-type"]
        known = REGISTRY.get(type_name)
        return Recorded(
            address=parse(subject),
            version=int(headers["ce-sequence"]),
            seq=seq,
            id=headers["ce-id"],
            type=type_name,
            time=datetime.fromisoformat(headers["ce-time"]),
            event=known.model_validate_json(body) if known else None,
            traceparent=headers.get("traceparent"),
        )
    except KeyError as missing:
        raise UndecodableError(f"stream sequence {seq}: header {missing} is missing") from missing
    except (ValidationError, ValueError) as wrong:
        raise UndecodableError(f"stream sequence {seq}: {wrong}") from wrong
