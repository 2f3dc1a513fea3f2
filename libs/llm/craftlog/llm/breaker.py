"""Pure: when to leave an endpoint alone that does not answer, and when to try it again."""

from dataclasses import dataclass
from typing import Final

_FAILURES_TO_OPEN: Final = 3
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0


@dataclass(slots=True)
class Breaker:
    """A circuit breaker. All times are seconds on one clock that the caller reads.

    Closed, everybody may ask. After three failures in a row it opens: nobody asks before ``open_until``, then one asks
    for all. Each time that one fails too the pause doubles, up to a minute; its success closes the circuit.
    """

    failures: int = 0
    open_until: float | None = None
    probe_ends: float = 0.0

    def admits(self, now: float, probe_budget: float) -> bool:
        """Tell whether to ask now; who is admitted through an open circuit has ``probe_budget`` to come back."""
        if self.open_until is None:
            return True
        if now < self.open_until or now < self.probe_ends:
            return False
        self.probe_ends = now + probe_budget
        return True

    def succeeded(self) -> None:
        """Note an answer, of whatever kind: the endpoint is there."""
        self.failures, self.open_until, self.probe_ends = 0, None, 0.0

    def failed(self, now: float, retry_after: float | None = None) -> None:
        """Note that no answer came. ``retry_after`` is how long the endpoint asks to be left alone."""
        self.failures += 1
        self.probe_ends = 0.0
        if self.failures >= _FAILURES_TO_OPEN or retry_after:
            pause = min(_FIRST_PAUSE * 2.0 ** max(self.failures - _FAILURES_TO_OPEN, 0), _LONGEST_PAUSE)
            self.open_until = now + max(pause, min(retry_after or 0.0, _LONGEST_PAUSE))
