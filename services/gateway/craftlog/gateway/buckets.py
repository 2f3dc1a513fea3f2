"""How many requests a key may send: a token bucket. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """Lets ``burst`` requests through at once, and ``per_second`` in the long run.

    It is kept as the time at which it is full again: every request moves that on by what it takes to refill one.
    """

    per_second: float
    burst: int
    full_at: float = float("-inf")

    def take(self, now: float) -> float:
        """Let a request through and return 0, or return in how many seconds one can be, where none is asked before.

        ``now`` is in seconds of any clock that never goes back.
        """
        full_at = max(self.full_at, now) + 1 / self.per_second
        wait = full_at - now - self.burst / self.per_second
        # What is below a microsecond is the rounding of a clock that has run for years.
        if wait > 1e-6:  # noqa: PLR2004 - see above
            return wait
        self.full_at = full_at
        return 0.0
