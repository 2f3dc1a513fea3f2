"""What a tree refuses, by name; the text is for whoever asked for it."""


class RejectedError(Exception):
    """The lesson cannot be filed as it was proposed; the text says why, in words for whoever proposed it."""


class EditRefusedError(Exception):
    """An edit by a person is not made. ``field`` is what is wrong with it, as a path in the request."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


class WrongEditError(EditRefusedError):
    """A field holds what it must not."""


class AbsentError(EditRefusedError):
    """What the field names is not in this tree, or the tree was deleted."""


class ReusedKeyError(EditRefusedError):
    """The key of the request has added another block before."""
