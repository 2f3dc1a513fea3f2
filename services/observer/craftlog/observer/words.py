"""Pure: text cut to a size that can be read and stored in bounded time, and taken apart into sentences."""

import re
from typing import Final

MOST_READ: Final = 4000
_HEAD: Final = 3000
_MOST_SENTENCES: Final = 120
_LONGEST_SENTENCE: Final = 400
_WORD = re.compile(r"[a-z]+")
_LEADING = re.compile(
    r"^\W*(?:(?:first|then|next|now|finally|lastly|and|also|so|great|ok|okay|perfect|please|i'll|i will|we'll|we will"
    r"|let me|let's)\b\W*){0,4}",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")

_ACTIONS: Final = frozenset(
    "add adjust analyse analyze apply arrange ask assemble assess backup benchmark bootstrap build bump buy"  # noqa: SIM905 - so many quoted words read worse
    " calculate call capture change check choose clean clone close collect combine compare compile complete"
    " compose compute configure confirm connect contact convert copy create debug decide define delete deliver"
    " deploy describe design determine develop diagnose document download draft edit email enable ensure establish"
    " estimate evaluate examine execute expand explain explore export extract fetch file fill filter finalise"
    " finalize find fix format gather generate get give group identify implement import improve include inform"
    " init initialise initialize inspect install integrate investigate iterate launch learn link list load locate"
    " log look make map measure merge migrate mock model modify monitor move name notify obtain open optimise"
    " optimize order organise organize outline parse patch perform pick plan plot polish post prepare present"
    " price process produce profile propose provide provision publish pull push query rank read rebuild recommend"
    " record redesign reduce refactor refine release remove rename render reorder replace report request research"
    " reserve resolve restart retrieve return review revise rewrite run save scaffold scan schedule scrape search"
    " secure select send set setup share show simulate sketch solve sort split stage start store style submit"
    " suggest summarise summarize switch sync test tidy track train transfer transform translate try tune update"
    " upgrade upload use validate verify visit wait watch wire wrap write".split()
)


def any_of(*patterns: str) -> re.Pattern[str]:
    """Return one pattern for all of these, whatever the case."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def clip(text: str, most: int) -> str:
    """Return the text on one line, at most ``most`` characters long, and fit to be stored as UTF-8."""
    line = " ".join(text[: most * 2].split())
    line = line if len(line) <= most and len(text) <= most * 2 else line[: most - 1].rstrip() + "…"
    return line.encode("utf-8", "replace").decode()


def readable(text: str) -> str:
    """Return what is read of a text: all of a short one, beginning and end of a long one, with plain apostrophes."""
    if len(text) > MOST_READ:
        text = f"{text[:_HEAD]}\n{text[_HEAD - MOST_READ :]}"
    return text.replace("\u2019", "'")


def sentences(text: str) -> list[str]:
    """Return the sentences and lines of a text, the last ones where there are too many."""
    found = [sentence.strip()[:_LONGEST_SENTENCE] for sentence in _SENTENCE_END.split(text)]
    return [sentence for sentence in found if sentence][-_MOST_SENTENCES:]


def begins_with_action(sentence: str) -> bool:
    """Tell whether a sentence begins as an order or a step does (``Search …``, ``Then deploy …``)."""
    word = _WORD.match(_LEADING.sub("", sentence).lower())
    return word is not None and word[0] in _ACTIONS
