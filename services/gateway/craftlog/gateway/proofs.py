"""Which aggregates were there a moment ago, so that objects may be put for them without asking again."""

from collections import OrderedDict
from typing import Final

from craftlog.contracts.subjects import Address

# With the longest put this is less than ingest waits before it sweeps what is deleted for the last time.
_LAST: Final = 60.0
_MOST: Final = 10_000


class Proofs:
    """When the log last proved that an aggregate is there, in seconds of any clock that only goes forward."""

    def __init__(self) -> None:
        self._noted: OrderedDict[Address, float] = OrderedDict()

    def note(self, address: Address, now: float) -> None:
        """Remember that it was there at this time, or later."""
        self._noted[address] = now
        self._noted.move_to_end(address)
        if len(self._noted) > _MOST:
            self._noted.popitem(last=False)

    def hold(self, address: Address, now: float) -> bool:
        """Tell whether that is less than a minute ago."""
        return now - self._noted.get(address, now - _LAST) < _LAST

    def forget(self, address: Address) -> None:
        """It is there no more."""
        self._noted.pop(address, None)
