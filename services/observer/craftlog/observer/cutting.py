"""Pure: where a batch of messages may end: not between a tool's call and its result, as far as that can be."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from craftlog.contracts.messages import Message, Part

T = TypeVar("T")

LONGEST: Final = 64  # messages of a batch, and as many are looked at to find where it may end
_WORK: Final = ("tool-call", "tool-result")


@dataclass(slots=True)
class _Call:
    at: int
    id: str
    name: str
    result_at: int | None = None


class Run:
    """The next messages of a session, as a batch is cut from them. What cannot be read has no calls."""

    def __init__(self, messages: Sequence[Message | None]) -> None:
        self._messages = messages
        self._calls = list(_calls(messages))

    def is_whole(self, count: int) -> bool:
        """Tell whether every call among the first so many has its result among them."""
        return all(call.result_at is not None and call.result_at < count for call in self._calls if call.at < count)

    def open(self) -> list[int]:
        """Return where the calls are whose results may still come: nothing but calls and results follows them."""
        last = max((at for at, message in enumerate(self._messages) if message and not _works(message)), default=-1)
        return sorted({call.at for call in self._calls if call.result_at is None and call.at > last})

    def end(self, most: int, kept: Sequence[int]) -> int:
        """Return how many messages the next batch has, at best no more than ``most``; 0 where it must not begin.

        ``kept`` are calls that are not to be read without their results, which are not here.
        """
        first_kept = min(kept, default=len(self._messages))
        fine = [count for count in range(1, first_kept + 1) if not self._splits(count)]
        if fitting := [count for count in fine if count <= most]:
            return fitting[-1]
        return min(fine, default=0)

    def _splits(self, count: int) -> bool:
        return any(call.at < count <= (call.result_at or -1) for call in self._calls)


def fewer(messages: Sequence[Message]) -> Sequence[Message]:
    """Return about the first half of messages, none where there is but one."""
    half = len(messages) // 2
    end = Run(messages).end(half, ())
    return messages[: end if end < len(messages) else half]


def _calls(messages: Sequence[Message | None]) -> Iterator[_Call]:
    """Yield the calls, each with where its result is: by id, else by name and order."""
    waiting: list[_Call] = []
    for at, message in enumerate(messages):
        for part in message.parts if message else ():
            if part.type == "tool-call":
                call = _Call(at, _said(part, "id"), _said(part, "name"))
                waiting.append(call)
                yield call
            elif part.type == "tool-result" and (found := _answered(waiting, part)):
                found.result_at = at
                waiting.remove(found)


def _answered(waiting: Sequence[_Call], result: Part) -> _Call | None:
    call_id, name = _said(result, "tool_call_id"), _said(result, "name")
    by_id: Callable[[_Call], bool] = lambda call: bool(call_id) and call.id == call_id  # noqa: E731 - one of two alike
    by_name: Callable[[_Call], bool] = lambda call: not (call.id and call_id) and name in ("", call.name)  # noqa: E731
    return next(filter(by_id, waiting), None) or next(filter(by_name, waiting), None)


def _said(part: Part, name: str) -> str:
    value = (part.meta or {}).get(name)
    return value if isinstance(value, str) else ""


def _works(message: Message) -> bool:
    return any(part.type in _WORK for part in message.parts)
