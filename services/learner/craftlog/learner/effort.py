"""Pure: how hard a task was, in points that a person can check."""

import re
from collections.abc import Sequence
from typing import Final

from craftlog.learner.calls import Conversation
from craftlog.learner.procedure import Procedure

WORTH_A_SKILL: Final = 2
_SEVERAL: Final = 3
_CORRECTION: Final = re.compile(
    r"\b(?:no,? (?:that|this|it|you|i (?:said|meant|asked|want))|not what i|that'?s (?:not|wrong|incorrect)|wrong|"
    r"i (?:said|meant|asked for)|you (?:forgot|missed|misunderstood|should have|shouldn'?t have)|"
    r"misunderstanding|confusion|instead of|undo|revert)\b",
    re.IGNORECASE,
)
_STRESS: Final = re.compile(
    r"\b(?:remember (?:that|to|this)|don'?t forget|important|make sure|from now on|in (?:the )?future|"
    r"every time|always|never)\b",
    re.IGNORECASE,
)

Points = list[tuple[int, str]]


def points(conversation: Conversation, procedure: Procedure, preferences: Sequence[str]) -> Points:
    """Return what made the task hard: points and their reason, each reason once."""
    found: Points = []
    corrected = any(step.refused for step in procedure.steps)
    if corrected:
        found.append((1, "a tool refused wrong arguments at first"))
    if procedure.detours:
        found.append((1, "some calls led nowhere"))
    later = conversation.user_texts[1:]
    if any(_CORRECTION.search(text) for text in later):
        found.append((2, "the user corrected the agent"))
    if preferences or any(_STRESS.search(text) for text in conversation.user_texts):
        found.append((2, "the user said how it is to be done"))
    tools = len(procedure.tools)
    if tools >= _SEVERAL:
        found.append((2, f"{tools} different tools follow each other"))
    elif tools > 1:
        found.append((1, "two different tools follow each other"))
    return found


def told(found: Points) -> str:
    """Return the score in words."""
    reasons = "; ".join(f"{reason} +{score}" for score, reason in found) or "one plain step at most"
    return f"score {sum(score for score, _ in found)} of {WORTH_A_SKILL} ({reasons})"
