"""Messages dropped until what is left has no more tokens than wanted, as far as that is possible. Pure.

What always stays: instructions (system, developer), and of the newest turn the question with the last step to it. The
limit is reached wherever these alone do not exceed it.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate

from craftlog.contracts.messages import Message
from craftlog.gateway import tokens
from craftlog.gateway.editing.pieces import Piece, pieces


def from_the_oldest(messages: Sequence[Message], limit: int, before: Sequence[Message] = ()) -> Sequence[Message]:
    """Return the messages without the oldest ones: turn by turn, and of a turn the oldest steps first."""
    sizes = tokens.each(messages)
    if sum(sizes) <= limit:
        return messages
    return _without(messages, sizes, pieces(messages, before)[:-1], limit)


def from_the_middle(messages: Sequence[Message], limit: int, before: Sequence[Message] = ()) -> Sequence[Message]:
    """Return the messages without those in the middle, so that about as many tokens stay at either end."""
    sizes = tokens.each(messages)
    if (total := sum(sizes)) <= limit:
        return messages
    ends = list(accumulate(sizes, initial=0))

    def distance(piece: Piece) -> int:
        first, last = piece[0], piece[-1]
        start, end = ends[first], ends[last + 1]
        if last - first == len(piece) - 1:
            return abs(start + end - total)
        # It encloses others that go before it: none of them is farther away than the farther one of its ends.
        return max(abs(2 * start - total), abs(2 * end - total))

    return _without(messages, sizes, sorted(pieces(messages, before)[:-1], key=distance), limit)


def _without(
    messages: Sequence[Message], sizes: Sequence[int], order: Iterable[Piece], limit: int
) -> Sequence[Message]:
    """Return the messages without the first of the pieces, as many as have to go."""
    left, gone = sum(sizes), set[int]()
    for piece in order:
        if left <= limit:
            break
        gone.update(piece)
        left -= sum(sizes[index] for index in piece)
    return [message for index, message in enumerate(messages) if index not in gone]
