"""Pure: the shortest way that worked, told as steps that say where each argument comes from instead of its value."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from craftlog.contracts.events import ToolStep
from craftlog.learner.calls import Call, Conversation, words
from craftlog.learner.sources import Sources, listed

MOST_STEPS: Final = 20
_LONGEST_CYCLE: Final = 4
_LONGEST_TITLE: Final = 3
_MOST_ARGUMENTS: Final = 12
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
    clauses = [f"the {listed(names)} {source or 'the case needs'}" for source, names in by_source.items()]
    return f" with {'; '.join(clauses)}" if clauses else ""


def _each(step: Step) -> str:
    varying = _differing(step.calls)
    return f", once for each {listed(varying)}" if len(step.calls) > 1 and varying else ""


def _beware(step: Step) -> str:
    wrong = list(dict.fromkeys(name for refused in step.refused for name in _differing((refused, step.calls[0]))))
    return f" Check the {listed(wrong)} first: what is wrong is refused." if wrong else ""


def _differing(calls: Iterable[Call]) -> list[str]:
    """Return the arguments, in words, that are not the same in all these calls."""
    first, *others = (call.arguments for call in calls)
    names = dict.fromkeys(name for arguments in (first, *others) for name in arguments)
    return [" ".join(words(name)) for name in names if any(other.get(name) != first.get(name) for other in others)]
