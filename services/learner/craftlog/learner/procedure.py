"""Pure: the shortest way that worked, told as steps that say where each argument comes from instead of its value."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from craftlog.contracts.events import ToolStep
from craftlog.learner.calls import Call, Conversation, Turn, keys, leaves, parsed, words
from craftlog.learner.case_values import normal

MOST_STEPS: Final = 20
_LONGEST_CYCLE: Final = 4
_LONGEST_TITLE: Final = 3
_MOST_ARGUMENTS: Final = 12
_MOST_LEAVES: Final = 50
_MOST_SOURCES: Final = 3
_MOST_TEXT: Final = 100_000
_SHORTEST_TRACE: Final = 3
_LOOKING: Final = frozenset(
    re.findall(
        r"\w+",
        "browse calculate check compute count describe fetch find get inspect list load lookup look open preview query "
        "read retrieve search select show view",
    )
)
_SMALL_WORDS: Final = frozenset(
    re.findall(r"\w+", "a all an by for from in into of on sop sops skill skills the to with")
)
_YES: Final = re.compile(
    r"\W*(?:yes|yeah|yep|ok|okay|sure|correct|agreed|confirmed|go ahead|please (?:go|do|proceed)|proceed|i confirm)\b",
    re.IGNORECASE,
)
_ASKS: Final = re.compile(r"\?|\b(?:confirm|let me know|shall i|proceed)\b", re.IGNORECASE)
_MONTHS: Final = re.findall(
    r"\w+", "january february march april may june july august september october november december"
)


@dataclass(frozen=True, slots=True)
class Step:
    """Calls of one tool that do the same: the ones that worked, and those that were refused before."""

    calls: tuple[Call, ...]
    refused: tuple[Call, ...] = ()

    @property
    def tool(self) -> str:
        """Return the tool's name."""
        return self.calls[0].tool


@dataclass(frozen=True, slots=True)
class Procedure:
    """The way that worked, and how many calls on the way to it led nowhere."""

    steps: tuple[Step, ...]
    detours: int

    @property
    def tools(self) -> tuple[str, ...]:
        """Return the different tools, in the order of their first use."""
        return tuple(dict.fromkeys(step.tool for step in self.steps))


def shortest(calls: Sequence[Call]) -> Procedure:
    """Return the way that worked: without thoughts, refusals, repeats and searches that found nothing."""
    acting = [call for call in calls if call.tool and not call.is_thinking]
    useful, refused, detours = list[Step](), list[Call](), 0
    seen = list[tuple[str, Mapping[str, Any]]]()
    for call in acting:
        key = (call.tool, call.arguments)
        if call.failed:
            refused.append(call)
        elif key in seen or call.found_nothing:
            detours += 1
        else:
            seen.append(key)
            own = tuple(other for other in refused if other.tool == call.tool)
            refused = [other for other in refused if other.tool != call.tool]
            useful.append(Step((call,), own))
    return Procedure(tuple(_once_each(useful)), detours + len(refused))


def changes_something(tool: str) -> bool:
    """Tell whether a tool does more than look, as far as its name tells."""
    name = words(tool)
    return not any(word in _LOOKING for word in name[:2])


def told(procedure: Procedure, conversation: Conversation) -> tuple[ToolStep, ...]:
    """Return the steps in words."""
    sources = Sources(conversation)
    return tuple(ToolStep(tool_name=step.tool, action=_action(step, sources)) for step in procedure.steps[:MOST_STEPS])


def page_title(procedure: Procedure) -> str:
    """Return what the procedure is about, as a short name in snake_case."""
    changing = [tool for tool in procedure.tools if changes_something(tool)]
    topics = [_topic(tool) for tool in changing or procedure.tools]
    return next((topic for topic in reversed(topics) if topic), "general")


def _topic(tool: str) -> str:
    """Return what a tool is about: the words of its name after the verb."""
    about = [word for word in words(tool)[1:] if word not in _SMALL_WORDS and not word.isdigit()]
    return "_".join(about[:_LONGEST_TITLE])


class Sources:
    """Where the values in a conversation come from: the user's words before a call, or an earlier call's result."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._given = [frozenset(normal(leaf) for leaf in leaves(call.arguments)) for call in conversation.calls]
        # NOTE: many tools repeat in their result what they were given; that is no finding.
        self._found = [_contents(call) - given for call, given in zip(conversation.calls, self._given, strict=True)]
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
        same = self._tools(left, self._given[:earlier])
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
        return _listed(list(names)[:_MOST_SOURCES])


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


def _once_each(steps: Sequence[Step]) -> list[Step]:
    """Fold what is done several times in a row, one step or a few, into doing it once."""
    folded: list[Step] = []
    for step in steps:
        folded.append(step)
        for length in range(1, _LONGEST_CYCLE + 1):
            last, before = folded[-length:], folded[-2 * length : -length]
            if [one.tool for one in last] == [one.tool for one in before]:
                del folded[-length:]
                folded[-length:] = [_both(*pair) for pair in zip(before, last, strict=True)]
                break
    return folded


def _both(one: Step, other: Step) -> Step:
    return Step((*one.calls, *other.calls), (*one.refused, *other.refused))


def _action(step: Step, sources: Sources) -> str:
    asked = changes_something(step.tool) and all(sources.agreed(call) for call in step.calls)
    what = " ".join(words(step.tool)) or step.tool
    sentence = f"{'once the user agrees, ' if asked else ''}{what}{_with(step.calls[0], sources)}{_each(step)}."
    return sentence[0].upper() + sentence[1:] + _beware(step)


def _with(call: Call, sources: Sources) -> str:
    by_source: dict[str, list[str]] = {}
    for name, value in islice(call.arguments.items(), _MOST_ARGUMENTS):
        by_source.setdefault(sources.of(value, call), []).append(" ".join(words(name)))
    clauses = [f"the {_listed(names)} {source or 'the case needs'}" for source, names in by_source.items()]
    return f" with {'; '.join(clauses)}" if clauses else ""


def _each(step: Step) -> str:
    varying = _differing(step.calls)
    return f", once for each {_listed(varying)}" if len(step.calls) > 1 and varying else ""


def _beware(step: Step) -> str:
    wrong = list(dict.fromkeys(name for refused in step.refused for name in _differing((refused, step.calls[0]))))
    return f" Check the {_listed(wrong)} first: what is wrong is refused." if wrong else ""


def _differing(calls: Iterable[Call]) -> list[str]:
    """Return the arguments, in words, that are not the same in all these calls."""
    first, *others = (call.arguments for call in calls)
    names = dict.fromkeys(name for arguments in (first, *others) for name in arguments)
    return [" ".join(words(name)) for name in names if any(other.get(name) != first.get(name) for other in others)]


def _listed(items: Sequence[str]) -> str:
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)
