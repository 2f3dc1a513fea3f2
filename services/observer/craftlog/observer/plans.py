"""Pure: numbered plans in a text, and which of their steps a later text or tool call is about."""

import re
from collections.abc import Sequence
from typing import Final

from craftlog.observer.words import begins_with_action

MOST_STEPS: Final = 20
_LONGEST_STEP: Final = 300
_FEWEST_STEPS: Final = 2
_SHARE_OF_ACTIONS: Final = 0.6
_SHORTEST_WORD: Final = 3
_SHORTEST_STEM: Final = 4
_ENOUGH_WORDS: Final = 2

_NUMBER = re.compile(
    r"(?:^|(?<=\s))[*#\s]{0,6}(?:step\s)?(\d{1,2})\*{0,2}\s?[.):]\*{0,2}\s", re.IGNORECASE | re.MULTILINE
)
_WORD = re.compile(r"[a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MENTION = re.compile(r"\bstep\s#?(\d{1,2})\b", re.IGNORECASE)
_PLANS = re.compile(
    r"\bplan\b|\bapproach\b|\bto-?do\b|\bsteps\b"
    r"|\b(?:i|we)(?:'ll| will|'d| would| am going to|'m going to| can| propose)\b"
    r"|\blet me\b|\b(?:shall|should) (?:i|we)\b|\bproposal\b",
    re.IGNORECASE,
)
_PLAN = re.compile(
    r"\b(?:plan|approach|to-?do list|steps)\b|\bwhat (?:i|we)(?:'ll| will|'m going to| am going to) do\b", re.IGNORECASE
)
_ALL_DONE = re.compile(
    r"\b(?:all|both|each|every) (?:of )?(?:the |my |these )?(?:\w+ )?(?:steps|tasks|items)\b.{0,40}"
    r"\b(?:done|complete|completed|finished)\b"
    r"|\beverything (?:is|has been|was) (?:now )?(?:done|complete|completed|finished)\b",
    re.IGNORECASE,
)
_STOPWORDS: Final = frozenset(
    "the and for with that this from into are was has have will then you your our its their all any about first next"  # noqa: SIM905 - so many quoted words read worse
    " step".split()
)


def steps(text: str) -> tuple[str, ...]:
    """Return the steps of the numbered list of actions in a text (1, 2, 3 … on lines or in a row), or none.

    A list that mostly does not begin with actions is a list of something else.
    """
    marks: list[re.Match[str]] = []
    for mark in _NUMBER.finditer(text):
        if int(mark[1]) == len(marks) + 1 and len(marks) < MOST_STEPS:
            marks.append(mark)
    if len(marks) < _FEWEST_STEPS:
        return ()
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    found = [_step(text[mark.end() : end]) for mark, end in zip(marks, ends, strict=True)]
    acting = sum(begins_with_action(step) for step in found)
    if acting < _SHARE_OF_ACTIONS * len(found) or not all(found):
        return ()
    return tuple(found)


def announces(text: str) -> bool:
    """Tell whether a text speaks of what its writer is going to do."""
    return bool(_PLANS.search(text))


def calls_itself_plan(text: str) -> bool:
    """Tell whether a text says in so many words that it is a plan."""
    return bool(_PLAN.search(text))


def all_done(text: str) -> bool:
    """Tell whether a text says that every step is done."""
    return bool(_ALL_DONE.search(text))


def mentioned(text: str) -> int | None:
    """Return the number of the last step that a text names (``step 2``), if any."""
    numbers = _MENTION.findall(text)
    return int(numbers[-1]) if numbers else None


def words(text: str) -> frozenset[str]:
    """Return the words that can tell one step from another, names in camelCase or snake_case taken apart."""
    found = _WORD.findall(_CAMEL.sub(" ", text).lower())
    return frozenset(word for word in found if len(word) >= _SHORTEST_WORD and word not in _STOPWORDS)


def closest(text: str, candidates: Sequence[str]) -> int | None:
    """Return which of these steps a text is about: the one that shares most of its own words with it, if clearly one.

    Words that several steps share tell nothing, and one word is enough only where it is what the step does.
    """
    said = words(text)
    own = [words(candidate) for candidate in candidates]
    scores = []
    for index, mine in enumerate(own):
        others = frozenset[str]().union(*own[:index], *own[index + 1 :])
        shared = [word for word in mine - others if any(_alike(word, other) for other in said)]
        enough = len(shared) >= _ENOUGH_WORDS or _first(candidates[index]) in shared
        scores.append(len(shared) if enough else 0)
    best = max(scores, default=0)
    return scores.index(best) if best and scores.count(best) == 1 else None


def _first(step: str) -> str:
    match = _WORD.search(step.lower())
    return match[0] if match else ""


def _alike(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return short == long or (len(short) >= _SHORTEST_STEM and long.startswith(short))


def _step(text: str) -> str:
    line = text.strip().split("\n", 1)[0].strip()
    return line.replace("**", "").replace("`", "")[:_LONGEST_STEP].strip(" \t*_-:;,.")
