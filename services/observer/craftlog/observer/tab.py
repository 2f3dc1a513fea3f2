"""What was paid for answers and no fact says yet, by session."""

from collections.abc import Iterator
from contextlib import contextmanager

from craftlog.contracts.events import Spent
from craftlog.observer.decider import GoneError, Rejected
from craftlog.observer.usage import plus


class Tab:
    """Every answer is put on it, usable or not; the next fact of its session that counts takes what is there.

    It goes with the process. Better that what nobody has said by then is never counted than that it counts twice.
    """

    def __init__(self) -> None:
        self._open: dict[str, Spent] = {}

    def put(self, session_id: str, spent: Spent) -> None:
        """Add what an answer took."""
        self._open[session_id] = plus(self._open.get(session_id), spent)

    @contextmanager
    def taken(self, session_id: str) -> Iterator[Spent | None]:
        """Give a decision what is there to say; it is put back where that is refused, for then nobody has said it."""
        spent = self._open.pop(session_id, None)
        try:
            yield spent
        except GoneError:
            raise  # nobody ever will
        except Rejected:
            if spent:
                self.put(session_id, spent)
            raise
