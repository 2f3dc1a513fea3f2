"""What every fact is made of."""

from typing import ClassVar

from craftlog.contracts.messages import Shape
from craftlog.contracts.subjects import Kind


class Event(Shape):
    """One past-tense fact about one aggregate. Its wire name is its class name and VERSION."""

    VERSION: ClassVar[int] = 1
    KIND: ClassVar[Kind]


def wire_name(kind_of_event: type[Event]) -> str:
    """Return the ``ce-type`` of an event class, for example ``MessageAppended.v1``."""
    return f"{kind_of_event.__name__}.v{kind_of_event.VERSION}"
