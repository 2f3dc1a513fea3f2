"""What a store makes of a projection's changes, in memory, so that a fold can be tested without a server."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.readmodels import Changes, Document, Project, patch

_ADDED_BY_THE_STORE: Final = {"_id", "project", "version", "seq"}


@dataclass(slots=True)
class ReadModel:
    """The head of one aggregate and its children by ``(collection, _id)``."""

    head: Document | None = None
    children: dict[tuple[str, str], Document] = field(default_factory=dict)

    @property
    def said(self) -> Document:
        """Return of the head what the projection said, without what every head has."""
        return {name: value for name, value in (self.head or {}).items() if name not in _ADDED_BY_THE_STORE}

    def apply(self, changes: Changes, last: Recorded) -> None:
        """Store what the events up to and including ``last`` changed."""
        for key, document in changes.children.items():
            self.children.pop(key, None)
            if document is not None:
                self.children[key] = document
        for key, values in changes.patches.items():
            if key in self.children:
                patch(self.children[key], values)
        for collection, doomed in changes.drop:
            self.children = {
                key: document
                for key, document in self.children.items()
                if key[0] != collection or not _matches(document, doomed)
            }
        where = {"_id": last.address.id, "project": last.address.project, "version": last.version, "seq": last.seq}
        self.head = changes.head | where


def _matches(document: Document, wanted: Document) -> bool:
    def value(path: str) -> Any:
        place: Any = document
        for name in path.split("."):
            place = place.get(name) if isinstance(place, dict) else None
        return place

    return all(value(path) == expected for path, expected in wanted.items())


def fold(project: Project, events: Sequence[Recorded], cuts: Iterable[int] = ()) -> ReadModel:
    """Return the read model of a history that arrived in the batches that these cuts make; [2]: two, then the rest."""
    model = ReadModel()
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(events)}), len(events)]
    for start, end in pairwise(edges):
        model.apply(project(model.head, events[start:end]), events[end - 1])
    return model
