"""Whose turn it is: what is due in the order of its time, and never more than a few of one project at once."""

import heapq
from collections import Counter, defaultdict, deque
from datetime import datetime

from craftlog.runtime.due import Item


class Turns:
    """Items in memory, and which of them have their turn.

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
        self._held_back: defaultdict[str, deque[tuple[datetime, str]]] = defaultdict(deque)

    def put(self, item: Item) -> None:
        """Have an item wait for its time; another one with its key is replaced."""
        self.items[item.key] = item
        heapq.heappush(self._heap, (item.due_at, item.key))

    def take(self, now: datetime) -> Item | None:
        """Return the next item that is due, or None where there is none or no place for it."""
        while self._heap and self._heap[0][0] <= now and len(self._taken) < self._at_once:
            entry = heapq.heappop(self._heap)
            if not self._holds(entry):
                continue
            item = self.items[entry[1]]
            if self._busy[item.project] < self._per_project:
                self._busy[item.project] += 1
                self._taken.add(item.key)
                return item
            # Out of the heap, or it would be found due again and again until one of its project is done.
            self._held_back[item.project].append(entry)
        return None

    def give_back(self, item: Item) -> None:
        """End an item's turn, and let in the next one of its project that was held back."""
        self._taken.discard(item.key)
        self._busy[item.project] -= 1
        held_back = self._held_back[item.project]
        while held_back:
            entry = held_back.popleft()
            if self._holds(entry):
                heapq.heappush(self._heap, entry)
                return

    def next_at(self) -> datetime | None:
        """Return when something may be due next; None where only the end of a turn can change anything."""
        return self._heap[0][0] if self._heap and len(self._taken) < self._at_once else None

    def _holds(self, entry: tuple[datetime, str]) -> bool:
        """Tell whether an entry still says when its item is due: a later one replaces it."""
        due_at, key = entry
        item = self.items.get(key)
        return item is not None and item.due_at == due_at and key not in self._taken
