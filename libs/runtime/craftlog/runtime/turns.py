"""Whose turn it is: what is due in the order of its time, and never more than a few of one project at once."""

import heapq
from collections import Counter, defaultdict, deque
from datetime import datetime

from craftlog.runtime.due import Item


class Turns:
    """Items in memory, and which of them have their turn: the next is one of the project that has the fewest.

    Args:
        at_once: how many may have it.
        per_project: how many of one project may.
    """

    def __init__(self, at_once: int, per_project: int) -> None:
        self.items: dict[str, Item] = {}
        self._at_once = at_once
        self._per_project = per_project
        self._heap: list[tuple[datetime, str]] = []
        self._taken: set[str] = set()
        self._busy: Counter[str] = Counter()
        # Out of the heap, by project: it would be looked through again and again while there is no place.
        self._due: defaultdict[str, deque[tuple[datetime, str]]] = defaultdict(deque)

    def put(self, item: Item) -> None:
        """Have an item wait for its time; another one with its key is replaced."""
        self.items[item.key] = item
        heapq.heappush(self._heap, (item.due_at, item.key))

    def take(self, now: datetime) -> Item | None:
        """Return the next item that is due, or None where there is none or no place for it."""
        if len(self._taken) >= self._at_once:
            return None
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)
            if self._holds(entry):
                self._due[self.items[entry[1]].project].append(entry)
        while free := [project for project in self._due if self._busy[project] < self._per_project]:
            project = min(free, key=lambda one: (self._busy[one], self._due[one][0]))
            entry = self._due[project].popleft()
            if not self._due[project]:
                del self._due[project]
            if self._holds(entry):
                self._busy[project] += 1
                self._taken.add(entry[1])
                return self.items[entry[1]]
        return None

    def give_back(self, item: Item) -> None:
        """End an item's turn."""
        self._taken.discard(item.key)
        self._busy[item.project] -= 1
        if not self._busy[item.project]:
            del self._busy[item.project]

    def next_at(self) -> datetime | None:
        """Return when something may be due next; None where only the end of a turn can change anything."""
        return self._heap[0][0] if self._heap and len(self._taken) < self._at_once else None

    def _holds(self, entry: tuple[datetime, str]) -> bool:
        """Tell whether an entry still says when its item is due: a later one replaces it."""
        due_at, key = entry
        item = self.items.get(key)
        return item is not None and item.due_at == due_at and key not in self._taken
