"""Pure: tells what belongs to one case only (names, ids, numbers, dates, places) and takes it out of a sentence."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from craftlog.learner.calls import Call, Conversation, keys, leaves, parsed, words

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")  # noqa: RUF001 - people type this apostrophe
_PATTERNS: Final = re.compile(
    r"""
    (?<![^\s@])[^\s@]+@[^\s@]+\.\w+ | \b(?:https?://|www\.)\S*[\w/] | (?<!\w)[~.]?(?:/[\w.-]*[\w-])+
    | [$€£¥]\s?\d(?:[\d.,]*\d)?
    | \b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.?\s+\d{1,2}(?:st|nd|rd|th)?\b(?:,?\s+\d{4})?
    | \b\d{1,2}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b
    | \b\d{1,2}(?::\d{2})?\s?[ap]\.?m\b(?-i:\s+[A-Z]{2,4}\b)?
    | (?<![\w#$€£-])[\w#$€£-]*?\d[\w.,:/%+-]*(?<![.,:])
    | \b(?:(?:next|this|last|on)\s+)?(?:mon|tues|wednes|thurs|fri|satur|sun)day\b
    | \b(?:january|february|april|june|july|august|september|october|november|december)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LEAD: Final = re.compile(
    r"(?:(?:^|(?<=\s))(?:from|to|on|in|at|for|of|under|with|by|via|named|called|number|no|i'm|the|a|an|and|or|but|"
    r"between|until|before|after|since|around|about|as|into|per)[\s:#]+)+$",
    re.IGNORECASE,
)
_COPULA: Final = re.compile(r"\b(?:is|are|was|it's)[\s:]+$", re.IGNORECASE)
_NEAR: Final = 8
_ARTICLE: Final = re.compile(r"\b(?:a|an|the|my|our|your|this|that|these|those)\s+$", re.IGNORECASE)
_ACRONYMS: Final = frozenset(re.findall(r"\w+", "API CSV FAQ HTML HTTP ID IDS JSON OK PDF SQL TODO UI URL XML"))
_FUNCTION_WORDS: Final = frozenset(
    re.findall(
        r"\w+",
        "a all an and any are as at be but by can do first for from get has have he help how i if in into is it its "
        "last list me more most my name new next no none not now of off ok old on one open or other our out same set "
        "she so some test text that the their them then there they this to true false two type up use user was we what "
        "when which who will with yes you your",
    )
)


@dataclass(frozen=True, slots=True)
class CaseValues:
    """The values of one case.

    ``phrases`` are their words, by the first one and the longest first; ``names`` are words that are written with a
    capital for no other reason.
    """

    phrases: Mapping[str, Sequence[tuple[str, ...]]]
    names: frozenset[str]
    vocabulary: frozenset[str]

    def without(self, sentence: str) -> tuple[str, int]:
        """Return the sentence without the values of the case, and how many were taken out."""
        spans = _merged([*_pattern_spans(sentence), *self._literal_spans(sentence), *self._name_spans(sentence)])
        text, removed = sentence, 0
        for start, end in reversed(spans):
            text, removed = _joined(text[:start], text[end:]), removed + 1
        return _tidy(text), removed

    def _literal_spans(self, sentence: str) -> list[tuple[int, int]]:
        tokens = list(re.finditer(r"[^\W_]+", sentence))
        spoken = [token.group().casefold() for token in tokens]
        spans = []
        for first, word in enumerate(spoken):
            for phrase in self.phrases.get(word, ()):
                if tuple(spoken[first : first + len(phrase)]) == phrase:
                    spans.append((tokens[first].start(), tokens[first + len(phrase) - 1].end()))
                    break
        return spans

    def _name_spans(self, sentence: str) -> list[tuple[int, int]]:
        spans = []
        for match in _WORD.finditer(sentence):
            word = re.sub(r"['’]s$", "", match.group())  # noqa: RUF001 - people type this apostrophe
            starts = _starts_sentence(sentence, match.start())
            if word.lower() in self.names or (not starts and self._is_name(word)) or (starts and self._is_code(word)):
                spans.append((match.start(), match.end()))
        return spans

    def _is_name(self, word: str) -> bool:
        is_i = word == "I" or word.startswith(("I'", "I’"))  # noqa: RUF001 - see above
        return (
            any(sign.isupper() for sign in word)
            and not is_i
            and word.upper() not in _ACRONYMS
            and word.lower() not in self.vocabulary
        )

    def _is_code(self, word: str) -> bool:
        return len(word) > 1 and word.isupper() and self._is_name(word)


def of(conversation: Conversation) -> CaseValues:
    """Return the case values of a conversation, as far as its structure tells.

    Values are what tools were given and, unless it is an ordinary word, what they gave back. The words in the names of
    tools, arguments and the keys of results are the vocabulary of the tools and belong to every case.
    """
    vocabulary = _vocabulary(conversation.calls)
    given = {normal(leaf) for call in conversation.calls for leaf in leaves(call.arguments)}
    found = {normal(leaf) for call in conversation.calls for leaf in _results(call) if _is_identity(leaf)}
    values = {value for value in given | found if _is_telling(value) and value not in vocabulary}
    ordinary = {word for turn in conversation.turns for word in re.findall(r"\b[^\W\d_A-Z]+\b", turn.text)}
    names = {word for text in conversation.user_texts for word in _names(text)} - vocabulary - ordinary
    return CaseValues(_by_first_word(values), frozenset(names), frozenset(vocabulary))


def normal(value: Any) -> str:
    """Return a value as it is compared: lower case, one space between words, no other signs."""
    return " ".join(re.findall(r"[^\W_]+", str(value).casefold()))


def _by_first_word(values: Iterable[str]) -> Mapping[str, Sequence[tuple[str, ...]]]:
    phrases: dict[str, list[tuple[str, ...]]] = {}
    for phrase in sorted((tuple(value.split()) for value in values), key=len, reverse=True):
        phrases.setdefault(phrase[0], []).append(phrase)
    return phrases


def _vocabulary(calls: Iterable[Call]) -> set[str]:
    spoken: set[str] = set()
    for call in calls:
        names = [call.tool, *keys(dict(call.arguments)), *keys(parsed(call.result))]
        for name in names:
            if name.islower() and not any(sign.isdigit() for sign in name):
                spoken |= {normal(name), *words(name)}
        spoken |= set(call.words)
    return spoken


def _results(call: Call) -> Iterable[Any]:
    result = parsed(call.result)
    return [*leaves(result), *keys(result)] if not isinstance(result, str) else []


def _is_identity(leaf: Any) -> bool:
    return isinstance(leaf, str) and any(sign.isdigit() or sign.isupper() for sign in leaf)


def _is_telling(value: str) -> bool:
    return len(value) > 1 and value not in _FUNCTION_WORDS


def _names(text: str) -> Iterable[str]:
    for match in _WORD.finditer(text):
        word = re.sub(r"['’]s$", "", match.group())  # noqa: RUF001 - see above
        inside = not _starts_sentence(text, match.start())
        if inside and word[0].isupper() and not word.isupper() and not word.startswith(("I'", "I’")):  # noqa: RUF001
            yield word.lower()


def _starts_sentence(text: str, at: int) -> bool:
    before = text[max(0, at - _NEAR) : at].rstrip(" \t\"'“‘([*_>#-")  # noqa: RUF001 - people type these quotes
    return not before or before[-1] in ".!?:…\n"


def _pattern_spans(sentence: str) -> list[tuple[int, int]]:
    return [match.span() for match in _PATTERNS.finditer(sentence)]


def _joined(head: str, tail: str) -> str:
    """Join what is left around a value, without what would be left hanging before it."""
    if _COPULA.search(head):
        return f"{head}…{tail}"
    describes = re.match(r"\s+([a-z]+)", tail)
    if describes and describes[1] not in _FUNCTION_WORDS and _ARTICLE.search(head):
        return head + tail  # "a [red] car": the noun is still there
    return _LEAD.sub("", head) + tail


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _tidy(text: str) -> str:
    text = re.sub(r"\(\s*\)|\[\s*\]|\"\s*\"|'\s+'|“\s*”", "", text)
    text = re.sub(r"\s+([,.;:!?])", r"\1", re.sub(r"\s+", " ", text))
    return re.sub(r"[,;:](?=[,.;:!?])|(?<=…)\.", "", text).strip(" ,;:-–")  # noqa: RUF001 - people type this dash
