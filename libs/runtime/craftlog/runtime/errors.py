"""What can go wrong between a service and what it stands on; the delivery policy knows each by name."""


class UnavailableError(Exception):
    """A store or the log cannot be reached, timed out or is full: nothing is known to be wrong with the data."""


class RefusedError(Exception):
    """The store will never take this document: retrying is useless."""


class ConflictError(Exception):
    """Somebody else was faster: what was decided or folded no longer starts from the newest state."""
