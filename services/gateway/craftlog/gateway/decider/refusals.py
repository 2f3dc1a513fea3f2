"""What the gateway's deciders refuse, by name. Pure."""


class AbsentError(Exception):
    """There is no such thing, or there is none any more."""


class ReusedKeyError(Exception):
    """The Idempotency-Key was used for another request."""


class UnansweredKeyError(Exception):
    """The key was looked up in the read model only through a position before ``through``: look again, then decide."""

    def __init__(self, through: int) -> None:
        super().__init__(f"the key must be looked up through position {through}")
        self.through = through


class TooManyKeysError(Exception):
    """The project has as many keys in force as it may."""
