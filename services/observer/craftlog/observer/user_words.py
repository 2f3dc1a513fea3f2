"""Pure: what a user's English text does (ask, agree, thank, correct …), told from its wording alone.

Every pattern is linear in its text. Another language is read as none of these: its tasks stay open rather than judged.
"""

import re
from typing import Final

from craftlog.observer.words import any_of, begins_with_action, sentences

_LONGEST_PRAISE: Final = 2  # words
_MARKER = re.compile(r"(?:#{2,9}|\[|<\|?)\s?(?:STOP|END|DONE|EXIT|TERMINATE)\s?(?:#{2,}|\]|\|?>)")
_GREETING = any_of(
    r"^\W*(?:hi|hello|hey|greetings|good (?:morning|afternoon|evening))\b"
    r"(?: (?:there|all|everyone|team|again))?[\s,.!:-]*"
    r"(?:(?:how are you(?: doing| today)*|nice to meet you)[\s?.!,]*)?"
)
_THANKS = any_of(
    r"\bthank(?:s| you)\b", r"\bthx\b", r"\bcheers\b", r"\bi (?:really )?appreciate (?:it|that|your|the)\b"
)
_FAREWELL = any_of(
    r"\bthat(?:'s| is| was|'ll be| will be| would be| should be) (?:all|it|everything)\b(?! (?:wrong|about))",
    r"\b(?:i'm|i am|we're|we are) (?:all )?(?:set|done|good)\b",
    r"\b(?:good)?bye\b",
    r"\bhave a (?:good|great|nice|lovely|wonderful) \w+",
    r"\bnothing (?:else|more)\b",
    r"\bno (?:further|more|other) (?:questions|help)\b",
    r"\btake care\b",
    r"^\W*(?:thanks, |thank you, )?you too\b",
    r"\b(?:see|talk to) you (?:later|soon)\b",
)
_AGREES = any_of(
    r"^\W*(?:yes|yeah|yep|yup|sure|ok|okay|alright|all right|correct|right|exactly|great|perfect|excellent|nice|good"
    r"|fine|cool|wonderful|awesome|absolutely|definitely|of course|agreed|lgtm|please do|go ahead|go on|continue"
    r"|proceed|do it)\b",
    r"\b(?:sounds|looks|seems|is|works) (?:very |all |perfectly )?(?:good|great|fine|perfect|right|correct)\b",
    r"\b(?:go ahead|please proceed|let's (?:do|go|start|proceed|begin|first)|i (?:agree|confirm)|works for me"
    r"|well done)\b",
)
_DECLINES = any_of(
    r"^\W*(?:no|nope|nah|not (?:yet|now|really|quite|that)|stop|wait|hold on|i(?:'d| would) rather)\b",
    r"\b(?:instead|different(?:ly)? (?:plan|approach|order)|skip (?:step|the))\b",
    r"\b(?:don't|do not) (?:do|like|agree|think so)\b",
)
_CORRECTS = any_of(
    r"\b(?:that|this|it|which)(?:'s| is| was|'s still| looks| seems) (?:all |just |still |completely )?"
    r"(?:wrong|incorrect|broken|not (?:right|correct|what|working|it)|missing)\b",
    r"\b(?:did|does|do|is|has)(?:n't| not) (?:\w+ )?(?:work|working|worked|compile|help)\b",
    r"\bstill (?:fail|fails|failing|broken|wrong|not|doesn't|does not|the same|get|getting|see|seeing)\b",
    r"\byou (?:\w+ )?(?:forgot|missed|misunderstood|broke|misread|skipped|ignored)\b",
    r"\bthere (?:is|was|seems|must|might|may)\b.{0,30}\b(?:misunderstanding|confusion|mistake|mix-up)\b",
    r"\bnot what i (?:asked|wanted|meant|need)",
    r"\b(?:undo|revert|roll back) (?:that|this|it|the|your)\b",
    r"\b(?:try|do it|do that) again\b",
)
_NO = re.compile(r"^\W*(?:no|nope)\b(?!\s+(?:problem|worries|thank|need))", re.IGNORECASE)
_ABANDONS = any_of(
    r"\bnever ?mind\b", r"\bforget (?:it|about it|that)\b", r"\bchanged my mind\b", r"\bcancel (?:that|this) request\b"
)
_POSTPONES = any_of(
    r"\b(?:i'll|i will|let me|i'd better|i need to) (?:\w+ ){0,2}(?:get back|come back|be back|be in touch|reach out"
    r"|look for|gather|find|locate|think about|consider|handle|do (?:it|that|this) (?:myself|later)|wait"
    r"|ensure|return)\b",
    r"\b(?:maybe|some) (?:later|other time)\b|\banother time\b|\bnot (?:right )?now\b|\bhold off\b",
    r"\b(?:won't|will not|not going to|can't) (?:be able to )?(?:proceed|continue|go on|go ahead)\b",
)
_ACCEPTS = any_of(
    r"^\W*(?:hmm,? )?(?:ok|okay|alright|all right|i understand|understood|i see|fine|got it|never mind|moving on"
    r"|no (?:worries|problem)|that's (?:ok|okay|fine|alright|all right))\b"
)
_ANSWERS = any_of(r"^\W*(?:yes|yeah|yep|yup|sure|of course|certainly|absolutely)\b")
_INSISTS = any_of(
    r"\b(?:but|still|again|anyway|instead|surely|exception|really need|double.check|at least|any way|how about"
    r"|what about|isn't there|if that|even|though|possib\w+|allows?)\b",
    r"\b(?:transfer|connect|speak|talk) (?:me )?(?:to|with)\b|\b(?:human|supervisor|representative|manager)\b",
)
_PICKS = any_of(
    r"\b(?:option|choice|number|variant) ?#?\w+\b",
    r"\b(?:the|that|this) (?:first|second|third|fourth|last|latter|former|other|cheap\w*|fast\w*|\w+est|one)\b",
    r"\b(?:go|going|proceed|continue) (?:with|ahead)\b|\b(?:choose|pick|select|take)\b",
)
_WANTS = any_of(
    r"\?\W{0,9}$",
    r"\b(?:i|we)(?: also| really| just| now)? (?:need|want|wish|have to|would (?:also )?like)\b",
    r"\b(?:i|we)(?:'d| would)(?: also| really)? (?:like|love|prefer)\b",
    r"\b(?:i'm|i am|we're|we are) (?:looking|trying|hoping|interested)\b",
    r"\b(?:can|could|would|will) (?:you|we|i)\b",
    r"\bplease\b|\bhelp (?:me|us)\b|\blet's\b|\bhow (?:do|can|to|about)\b|\bis it possible\b",
)
# Orders with these tell how to go on with what is being done, rather than what to do next.
_GUIDES = any_of(r"^\W*(?:\w+\W+){0,2}(?:use|try|confirm|choose|pick|select|wait)\b")
_QUESTION = any_of(r"^\W*(?:how|what|why|when|where|who|which|is|are|does|do|can|could|should)\b.*\?\W{0,9}$")
_PREFERS = any_of(
    r"\b(?:i|we)(?:'d| would)?(?: really| strongly)? (?:prefer|rather)\b|\bmy preference\b",
    r"\b(?:i|we) (?:don't|do not) (?:want|like)\b",
    r"\b(?:i|we) (?:only|always|never) (?:want|use|like|need|accept)\b",
    r"\b(?:i|we)(?:'d| would)? (?:like|want) to (?:use|keep|stay|avoid)\b",
    r"^\W*(?:and |also,? |but |so |then )?(?:please )?(?:do not|don't|never)\b"
    r"(?! (?:worry|mind|know|think|have|remember))",
    r"^\W*(?:and |also,? |but |so |then )?(?:please )?(?:always|only|avoid|make sure|ensure|be sure|keep|use"
    r"|stick to)\b",
    r"\b(?:report|ask|tell|show|check with|confirm|wait|let me know|get back)\b.{0,120}\bbefore\b",
    r"\bbefore (?:you|any|doing|starting|coding|writing|making|building|touching)\b",
    r"^\W*(?:it|they|this|everything|the \w+|the \w+ \w+) (?:must|has to|have to|needs? to)\b(?! have\b)",
    r"^\W*(?:our|my|all|every) \w+(?: \w+)? (?:(?:must|should) (?:always|never)|must|always|never)\b(?! have\b)",
)
# An order to mend what was just done says nothing about the next time.
_MENDS = any_of(
    r"^\W*(?:and |but |so |then |now )?(?:please )?(?:fix|correct|change|repair|redo|undo|revert)"
    r" (?:it|that|this|them|these|those)\b"
)


def request(text: str) -> str:
    """Return a text without greeting, thanks and stop marker: what is left is what somebody wants, if anything."""
    bare = _MARKER.sub(" ", _GREETING.sub("", text, count=1))
    return " ".join(sentence for sentence in sentences(bare) if not _only_polite(sentence))


def stops(text: str) -> bool:
    """Tell whether a user's text carries a marker that the conversation is over."""
    return bool(_MARKER.search(text))


def says_goodbye(text: str) -> bool:
    """Tell whether a user says that this was all."""
    return bool(_FAREWELL.search(text))


def thanks(text: str) -> bool:
    """Tell whether a user thanks."""
    return bool(_THANKS.search(text))


def agrees(text: str) -> bool:
    """Tell whether a user says yes, or praises what was done."""
    return bool(_AGREES.search(text))


def declines(text: str) -> bool:
    """Tell whether a user says no to what was proposed, or wants it otherwise."""
    return bool(_DECLINES.search(text))


def corrects(text: str, *, answering: bool) -> bool:
    """Tell whether a user says that what was done is wrong. A bare no is no correction when ``answering``."""
    return bool(_CORRECTS.search(text) or (not answering and _NO.search(text) and not says_goodbye(text)))


def abandons(text: str) -> bool:
    """Tell whether a user takes a request back."""
    return bool(_ABANDONS.search(text))


def postpones(text: str) -> bool:
    """Tell whether a user puts a request off, or goes to look for something first."""
    return bool(_POSTPONES.search(text))


def wants(text: str) -> bool:
    """Tell whether a user asks for something."""
    return any(
        _WANTS.search(sentence) or (begins_with_action(sentence) and not _GUIDES.search(sentence))
        for sentence in sentences(request(text))
    )


def is_question(text: str) -> bool:
    """Tell whether a user only asks a question."""
    return any(_QUESTION.search(sentence) for sentence in sentences(request(text)))


def picks(text: str) -> bool:
    """Tell whether a user chooses among what was offered."""
    return bool(_PICKS.search(text))


def answers(text: str) -> bool:
    """Tell whether a user's text begins as an answer does."""
    return bool(_ANSWERS.search(text))


def turns_away(text: str) -> bool:
    """Tell whether a user who was refused accepts it and wants something else, rather than arguing on."""
    return bool(_ACCEPTS.search(text)) and wants(text) and not (_INSISTS.search(text) or picks(text))


def preferences(text: str) -> list[str]:
    """Return the sentences in which a user says how something is to be done."""
    return [
        sentence
        for sentence in sentences(_MARKER.sub(" ", text))
        if _PREFERS.search(sentence) and not (sentence.endswith("?") or _MENDS.search(sentence))
    ]


def _only_polite(sentence: str) -> bool:
    praise = len(sentence.split()) <= _LONGEST_PRAISE and _AGREES.search(sentence)
    return bool(_THANKS.search(sentence) or praise) and not _WANTS.search(sentence)
