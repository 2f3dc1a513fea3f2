"""Pure: what an agent's English text does (ask, promise, refuse …), told from its wording alone."""

from typing import Literal

from craftlog.observer.words import any_of, sentences

_OFFERS = any_of(
    r"\banything else\b",
    r"\b(?:any|more|further|other|additional) (?:\w+ )?(?:questions?|help|assistance|concerns|changes)\b",
    r"\bfeel free\b|\bdon't hesitate\b|\bhere to (?:help|assist)\b|\breach out\b",
    r"\blet me know if (?:there|you (?:need|have|want (?:any|more)))",
)
_OFFERS_DETAIL = any_of(
    r"\bwould you like (?:me to |to )?(?:\w+ )?(?:more|further|additional|another)\b",
    r"\bwould you like me to (?:explain|elaborate|expand|go into)\b",
)
_ASKS_ALL_THE_SAME = any_of(
    r"\bwould you (?:like|prefer|want) (?:to|me|us)\b|\b(?:shall|should) (?:i|we)\b|\bplease confirm\b|\bproceed\b"
)
_ASKS = any_of(
    r"\?\W{0,9}$",
    r"\b(?:please|kindly) (?:\w+ )?(?:provide|confirm|specify|share|let me know|tell|choose|select|clarify|give|send"
    r"|advise|verify|reply|respond|answer|try|locate|check|contact|enter|indicate)\b",
    r"\blet me know (?:which|what|how|when|whether|where|your|the|once|if (?:you(?:'d| would) like|this|that|it))",
    r"\bi(?:'ll| will|'d| would)? (?:first |still |also )?(?:need|require) (?:your|to know|some|more|a few|further"
    r"|either|both|the|you)\b",
    r"\bi(?:'ll| will)(?: also)? need to (?:gather|collect|know|have|get)\b",
    r"\b(?:once|as soon as|when) you (?:have|provide|confirm|are ready|'re ready|tell|decide)\b",
    r"\bwaiting for (?:your|you)\b",
)
_GOES_ON = any_of(r"\bnext\b", r"\b(?:continue|proceed|move on|go on|go ahead|carry on|start|begin)\b", r"\bstep \d")
_PLEASANT = any_of(
    r"^\W*(?:you(?:'re| are) (?:very |most )?welcome|no problem|no worries|my pleasure|anytime|thank(?:s| you)"
    r"|take care|(?:i'm )?(?:glad|happy|here) |looking forward|have a |talk to you|safe |good luck|all the best"
    r"|enjoy|best)"
)
_PROMISES = any_of(
    r"\b(?:i'll|i will|i'm going to|i am going to|let me|we'll|we will)\b",
    r"\b(?:hold on|one moment|a moment|please wait|just a)\b",
    r"^\W*(?:sure|certainly|of course|okay|ok|alright|got it|understood|absolutely|great|no problem)\W*$",
)
_REFUSES = any_of(
    r"\b(?:i'm|i am|we're|we are) (?:\w+ )?(?:unable|not able|not allowed|not permitted|not authori[sz]ed|bound by)\b",
    r"\bi (?:can't|cannot|can not|won't|will not|couldn't|could not)\b(?! (?:find|see|wait))",
    r"\bunfortunately\b.{0,200}\b(?:not|cannot|can't|unable|no|doesn't|don't|isn't|aren't|only|need|requires?)\b",
    r"\b(?:can't|cannot|can not) be (?:\w+ )?(?:\w+ed|done|made)\b",
    r"\b(?:is|are|it's)(?:n't| not) (?:\w+ )?(?:allowed|possible|permitted|supported|eligible)\b",
    r"\b(?:does|do)(?:n't| not) (?:\w+ )?(?:allow|permit|support|cover|offer)\b",
    r"\bcan only \w+, not\b",
)
_HANDS_OVER = any_of(
    r"\b(?:i'll|i will|i'm|i am|i have|let me) (?:now )?(?:be )?(?:transfer|escalat|hand|connect|pass)\w*\b.{0,60}"
    r"\b(?:human|agent|person|representative|specialist|supervisor|colleague|support|team)\b"
)


def asks(text: str) -> Literal["", "answer", "next"]:
    """Return what an agent's text waits for: ``next`` (to go on), ``answer``, or nothing."""
    said = [sentence for sentence in sentences(text) if not _is_offer(sentence)]
    asked = [sentence for sentence in said if _ASKS.search(sentence)]
    if not asked:
        return ""
    return "next" if any(_GOES_ON.search(sentence) for sentence in asked) else "answer"


def is_pleasantry(text: str) -> bool:
    """Tell whether an agent's text is only polite."""
    said = [sentence for sentence in sentences(text) if not _is_offer(sentence)]
    return not said or (bool(_PLEASANT.search(said[0])) and not any(_ASKS.search(sentence) for sentence in said))


def only_promises(text: str) -> bool:
    """Tell whether an agent's text says what will be done and nothing else."""
    return all(_PROMISES.search(sentence) or _is_offer(sentence) for sentence in sentences(text))


def promises(text: str) -> str:
    """Return the sentences in which an agent says what it will do."""
    return " ".join(sentence for sentence in sentences(text) if _PROMISES.search(sentence))


def refusal(text: str) -> str:
    """Return the sentence in which an agent refuses or hands over, or nothing."""
    for sentence in sentences(text):
        if (_REFUSES.search(sentence) or _HANDS_OVER.search(sentence)) and not sentence.endswith("?"):
            return sentence
    return ""


def _is_offer(sentence: str) -> bool:
    """Tell whether a sentence only offers more help, which waits for nothing."""
    if _OFFERS_DETAIL.search(sentence):
        return True
    return bool(_OFFERS.search(sentence)) and not _ASKS_ALL_THE_SAME.search(sentence)
