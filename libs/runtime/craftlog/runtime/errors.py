"""What can go wrong between a service and what it stands on; the delivery policy knows each by name."""


class StoreError(Exception):
    """Something that a service stands on says no.

    ``public`` names it, and may be told to anybody. What it said itself (addresses, pieces of documents) is in the
    error's text alone, which is for our log and for operators.
    """

    def __init__(self, public: str, said: object = None) -> None:
        """Args: said: the words of the store, or the error that stands for them."""
        super().__init__(f"{public}: {str(said) or repr(said)}" if said else public)
        self.public = public


class UnavailableError(StoreError):
    """A store or the log cannot be reached, timed out or is full: nothing is known to be wrong with the data."""


class RefusedError(StoreError):
    """The store will never take this document: retrying is useless."""


class ConflictError(Exception):
    """Somebody else was faster: what was decided or folded no longer starts from the newest state."""


class ObjectMissingError(Exception):
    """There is no object with this key."""
