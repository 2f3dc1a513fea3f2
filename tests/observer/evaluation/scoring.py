"""How well a board says what somebody labelled by hand. Pure.

A task on the board can be a labelled one where its description has all of its key words: of each, one of the
alternatives parted by ``|``, at the beginning of a word, whatever the case. Tasks are paired one to one so that as many
as possible have a pair; among such pairings the one counts whose descriptions share the most words.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any

Keywords = Sequence[str]


@dataclass(frozen=True)
class Labelled:
    """A task as it should be: preferences are key words each, that one preference of the task must have."""

    description: str
    keywords: Keywords
    status: str
    preferences: Sequence[Keywords] = ()


@dataclass(frozen=True)
class Found:
    """A task as it is on the board."""

    description: str
    status: str
    preferences: Sequence[str] = ()


@dataclass(frozen=True)
class Score:
    """Counts of one conversation or of many, which add up; figures are shares of them."""

    labelled: int = 0
    found: int = 0
    right: int = 0
    statuses_right: int = 0
    preferences: int = 0
    preferences_found: int = 0
    preferences_in_place: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def counts(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self)

    @property
    def figures(self) -> dict[str, float]:
        """The shares by name, 1 where there was nothing to be wrong about."""
        return {
            "precision of tasks": _share(self.right, self.found),
            "recall of tasks": _share(self.right, self.labelled),
            "status accuracy, of the tasks found": _share(self.statuses_right, self.right),
            "preference recall": _share(self.preferences_found, self.preferences),
            "preference recall, with the right task or the session": _share(
                self.preferences_in_place, self.preferences
            ),
        }


def score(
    labelled: Sequence[Labelled], wishes: Sequence[Keywords], found: Sequence[Found], noted: Sequence[str]
) -> Score:
    """Return how a board compares; ``wishes`` are labelled for the whole session, ``noted`` is what it has for that."""
    pairs = pair(labelled, found)
    everywhere = [*noted, *(preference for task in found for preference in task.preferences)]
    wanted = [(wish, noted) for wish in wishes]
    for number, label in enumerate(labelled):
        own = found[pairs[number]].preferences if number in pairs else ()
        wanted += [(wish, own) for wish in label.preferences]
    return Score(
        labelled=len(labelled),
        found=len(found),
        right=len(pairs),
        statuses_right=sum(labelled[one].status == found[other].status for one, other in pairs.items()),
        preferences=len(wanted),
        preferences_found=sum(any(says(text, wish) for text in everywhere) for wish, _ in wanted),
        preferences_in_place=sum(any(says(text, wish) for text in own) for wish, own in wanted),
    )


def pair(labelled: Sequence[Labelled], found: Sequence[Found]) -> dict[int, int]:
    """Return which found task each labelled one is, by their places."""

    @cache
    def best(place: int, taken: int) -> tuple[int, float, tuple[tuple[int, int], ...]]:
        """Return how many of the found tasks from ``place`` on can have a pair, the words they share, and the pairs."""
        if place == len(found):
            return 0, 0.0, ()
        choices = [best(place + 1, taken)]
        for number, label in enumerate(labelled):
            if not taken & 1 << number and says(found[place].description, label.keywords):
                count, shared, pairs = best(place + 1, taken | 1 << number)
                alike = _alike(label.description, found[place].description)
                choices.append((count + 1, shared + alike, ((number, place), *pairs)))
        return max(choices, key=lambda choice: choice[:2])

    return dict(best(0, 0)[2])


def says(text: str, keywords: Keywords) -> bool:
    """Tell whether a text has all of the key words."""
    return all(
        any(re.search(rf"(?<!\w){re.escape(word)}", text, re.IGNORECASE) for word in one.split("|")) for one in keywords
    )


def _alike(one: str, other: str) -> float:
    ours, theirs = (set(re.findall(r"\w+", text.casefold())) for text in (one, other))
    return len(ours & theirs) / len(ours | theirs)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def labels(document: dict[str, Any]) -> list[Labelled]:
    """Return the labelled tasks of a conversation's file."""
    return [Labelled(**task) for task in document["tasks"]]
