"""Pure: order keys, so that something can be put between two things without numbering the others again."""

from itertools import zip_longest
from typing import Final

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def rank_of(order: int) -> str:
    """Return the key of the thing that is found as number ``order`` and goes to the end."""
    return f"{order:06d}"


def between(lower: str, upper: str) -> str:
    """Return a key that sorts, as text, after ``lower`` and before ``upper``; keys do not end with a zero digit.

    Raises:
        ValueError: there is nothing between the two.
    """
    if lower >= upper:
        raise ValueError(f"{lower!r} does not come before {upper!r}")
    shared = ""
    for low, high in zip_longest(lower, upper, fillvalue=_DIGITS[0]):
        first, last = _DIGITS.index(low), _DIGITS.index(high)
        if last - first > 1:
            return shared + _DIGITS[(first + last) // 2]
        if last > first:
            # Nothing fits between these digits: go on after the lower key, where there is no upper end any more.
            return shared + low + _after(lower[len(shared) + 1 :])
        shared += low
    raise ValueError(f"nothing sorts between {lower!r} and {upper!r}")


def _after(tail: str) -> str:
    """Return a key that sorts after a tail of a key, in the middle of what is left."""
    for place, digit in enumerate(tail):
        room = len(_DIGITS) - _DIGITS.index(digit)
        if room > 1:
            return tail[:place] + _DIGITS[_DIGITS.index(digit) + room // 2]
    return tail + _DIGITS[len(_DIGITS) // 2]
