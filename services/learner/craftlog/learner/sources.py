"""Pure: tells where the value of an argument came from: the user's words, an earlier result, or nobody's."""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

from craftlog.learner.calls import Call, Conversation, Turn, keys, leaves, parsed
from craftlog.learner.case_values import normal

_MOST_LEAVES: Final = 50
_MOST_SOURCES: Final = 3
_MOST_TEXT: Final = 100_000
_SHORTEST_TRACE: Final = 3
_YES: Final = re.compile(
    r"\W*(?:yes|yeah|yep|ok|okay|sure|correct|agreed|confirmed|go ahead|please (?:go|do|proceed)|proceed|i confirm)\b",
    re.IGNORECASE,
)
_ASKS: Final = re.compile(r"\?|\b(?:confirm|let me know|shall i|proceed)\b", re.IGNORECASE)
_MONTHS: Final = re.findall(
    r"\w+", "january february march april may june july august september october november december"
)


class Sources:
    """Where the values in a conversation come from: the user's words before a call, or an earlier call's result."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._given = [frozenset(normal(leaf) for leaf in leaves(call.arguments)) for call in conversation.calls]
        # NOTE: many tools repeat in their result what they were given; that is no finding.
        self._found = [_contents(call) - given for call, given in zip(conversation.calls, self._given, strict=True)]
        # What only a refused call was given is no step's that a reader could look up, and may be what was wrong.
        self._used = [
            frozenset[str]() if call.failed else given
            for call, given in zip(conversation.calls, self._given, strict=True)
        ]
        self._said = [f" {normal(turn.text)} " if turn.by_user else "" for turn in conversation.turns]

    def of(self, value: Any, call: Call) -> str:
        """Return where a value comes from, in words to put after it; nothing where the agent made it up."""
        wanted = [leaf for leaf in islice(leaves(value), _MOST_LEAVES) if not isinstance(leaf, bool) and normal(leaf)]
        said = [self._is_said(leaf, call.turn) for leaf in wanted]
        left = [normal(leaf) for leaf, by_user in zip(wanted, said, strict=True) if not by_user]
        earlier = self._conversation.calls.index(call)
        if found := self._tools(left, self._found[:earlier]):
            return f"found by {found}"
        if any(said):
            return "the user gave"
        same = self._tools(left, self._used[:earlier])
        return f"given to {same}" if same else ""

    def agreed(self, call: Call) -> bool:
        """Tell whether the user said yes to a question right before the call."""
        nothing = Turn(by_user=True, text="")
        question, answer = [nothing, nothing, *self._conversation.turns[: call.turn]][-2:]
        return (
            not question.by_user
            and bool(_ASKS.search(question.text))
            and answer.by_user
            and bool(_YES.match(answer.text))
        )

    def _is_said(self, leaf: Any, turn: int) -> bool:
        forms = (normal(leaf), *_as_dates(leaf))
        return any(f" {form} " in said for said in self._said[:turn] for form in forms)

    def _tools(self, values: Sequence[str], places: Sequence[frozenset[str]]) -> str:
        """Return the tools in whose places the values are first seen."""
        names = dict[str, None]()
        for value in values:
            if len(value) >= _SHORTEST_TRACE:
                first = next((at for at, place in enumerate(places) if value in place), None)
                names |= {} if first is None else {self._conversation.calls[first].tool: None}
        return listed(list(names)[:_MOST_SOURCES])


def _contents(call: Call) -> frozenset[str]:
    result = parsed(call.result)
    if isinstance(result, str):
        return frozenset(normal(token) for token in result[:_MOST_TEXT].split())
    return frozenset(normal(item) for item in [*leaves(result), *keys(result)])


def _as_dates(leaf: Any) -> Sequence[str]:
    """Return how people say an ISO date."""
    date = re.fullmatch(r"\d{4}-(\d\d)-(\d\d)", leaf) if isinstance(leaf, str) else None
    if not date or not 1 <= int(date[1]) <= len(_MONTHS):
        return ()
    month, day = _MONTHS[int(date[1]) - 1], int(date[2])
    return [f"{name} {day}{suffix}" for name in (month, month[:3]) for suffix in ("", "st", "nd", "rd", "th")]


def listed(items: Sequence[str]) -> str:
    """Return items as a list in words."""
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)
