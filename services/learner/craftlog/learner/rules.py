"""The engine that needs no model. It reads structure, and the same task always teaches it the same."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import Final

from craftlog.learner import calls, case_values, effort, procedure
from craftlog.learner.agent import Lesson, Skip, Sop, TaskToLearn
from craftlog.learner.case_values import CaseValues

_OPENING: Final = 2
_CONTENT_WORD: Final = 4
_LONGEST_USE: Final = 300
_LONGEST_SENTENCE: Final = 500
_MOST_SENTENCES: Final = 20
_LONGEST_PREFERENCES: Final = 500
_FEWEST_WORDS: Final = 3
_SENTENCE: Final = re.compile(r"(?<=[.!?。!?])\s+|\n+\s*(?:[-*•]|\d+[.)])?\s*")
_COURTESY: Final = re.compile(
    r"^(?:(?:hi|hello|hey|dear|good (?:morning|day|evening)|thanks|thank you|sure|ok|okay|yes|no|alright|great|please)"
    r"\b[^.?!,]{0,12}[,!.]|(?:(?:and|also|but|so|then)\b,? ?)?(?:please\b)?)\s*",
    re.IGNORECASE,
)
_ASKS_FOR_HELP: Final = re.compile(
    r"(?:(?:can|could|would|will) you (?:please )?(?:help|assist)(?: me)?(?: (?:with )?(?:that|this|it))?|"
    r"(?:thanks|thank you)[^.?!]*)\W*(?:please\W*)?",
    re.IGNORECASE,
)
_LASTING: Final = re.compile(
    r"\b(?:always|never|every time|whenever|from now on|in (?:the )?future|by default|usually|in general|generally)\b",
    re.IGNORECASE,
)


class RulesEngine:
    """Distils by rules: what the user asked for, which tools led there and where their arguments came from."""

    engine: Final = "rules"

    async def distil(self, task: TaskToLearn) -> Lesson:
        """Return the lesson of a task, read in a thread: a large one takes a while."""
        return await asyncio.to_thread(distil, task)


def distil(task: TaskToLearn) -> Lesson:
    """Return what a finished task teaches."""
    if task.status != "success":
        return Skip("The task did not succeed, so there is nothing to repeat.")
    conversation = calls.read(task.messages)
    values = case_values.of(conversation)
    way = procedure.shortest(conversation.calls)
    preferences = _preferences(task.preferences, values)
    if not way.steps and not preferences:
        return Skip("No tool led to the result and no preference was stated: there is no procedure to keep.")
    found = effort.points(conversation, way, task.preferences)
    if sum(score for score, _ in found) < effort.WORTH_A_SKILL:
        return Skip(f"Too simple to be worth a skill: {effort.told(found)}.")
    use_when = _use_when(task.description, conversation.user_texts, values)
    if not use_when:
        return Skip("Nothing general is left of the request without the values of this case.")
    return Sop(procedure.page_title(way), use_when, preferences, procedure.told(way, conversation))


def _use_when(description: str, user_texts: Sequence[str], values: CaseValues) -> str:
    """Return what the user wanted: the words a task begins with, since a search is made at the same point.

    A task that the agent planned has a description of its own, which comes first: the user may only have said yes.
    """
    opening = _general(" \n".join(user_texts[:_OPENING]), values)
    described = _general(description, values)
    said, wanted = _content(opening), _content(described)
    planned = len(wanted & said) * 2 < len(wanted)
    return _until(_LONGEST_USE, [*described, *opening] if planned or not opening else opening)


def _preferences(stated: Iterable[str], values: CaseValues) -> str:
    """Return the preferences that outlast the case: those without a value of it, or said to hold for good."""
    lasting = []
    for preference in stated:
        text, removed = values.without(_stripped(preference))
        if _says_something(text) and (not removed or _LASTING.search(text)):
            lasting.append(_sentence(text))
    return _until(_LONGEST_PREFERENCES, lasting)


def _general(text: str, values: CaseValues) -> list[str]:
    """Return the sentences of a text without courtesies and without the values of the case."""
    general = (values.without(_stripped(sentence))[0] for sentence in _SENTENCE.split(text, _MOST_SENTENCES))
    kept = [_sentence(one) for one in general if _says_something(one)]
    return list(dict.fromkeys(kept))


def _stripped(sentence: str) -> str:
    """Return a sentence without the courtesy or the link to another that it begins with."""
    return _COURTESY.sub("", sentence[:_LONGEST_SENTENCE].replace("’", "'").strip(), count=1) if sentence else ""  # noqa: RUF001 - people type this apostrophe


def _content(sentences: Sequence[str]) -> set[str]:
    return set(re.findall(rf"\w{{{_CONTENT_WORD},}}", " ".join(sentences).lower()))


def _says_something(sentence: str) -> bool:
    return len(sentence.split()) >= _FEWEST_WORDS and not _ASKS_FOR_HELP.fullmatch(sentence)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")


def _until(most: int, sentences: Sequence[str]) -> str:
    """Return as many whole sentences as there is room for, but at least a part of the first."""
    kept = ""
    for sentence in sentences:
        if kept and len(kept) + len(sentence) + 1 > most:
            break
        kept = f"{kept} {sentence}".strip()
    return kept[:most].rstrip()
