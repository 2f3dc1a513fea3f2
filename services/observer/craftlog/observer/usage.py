"""Pure: what observing a session took, by day; folded from facts, so that nothing counts twice."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from craftlog.contracts.events import Spent, Used
from craftlog.observer.commands import Command, FinishObserving, TakeUpMessage

Usage = Mapping[str, Used]


def dated(command: Command, day: str) -> Command:
    """Return a command that says on which day (in UTC, YYYY-MM-DD) it counts, if it counts."""
    if not isinstance(command, FinishObserving | TakeUpMessage):
        return command
    spent = command.spent or Spent(model="", prompt="", calls=0, prompt_tokens=0, cached_tokens=0, completion_tokens=0)
    return replace(command, spent=spent.model_copy(update={"day": day}))


def counted(usage: Usage, spent: Spent | None, messages: int) -> Usage:
    """Return the usage after an observation of so many messages; what says no day counts to none."""
    if spent is None or spent.day is None:
        return usage
    known = usage.get(spent.day, Used())
    return {
        **usage,
        spent.day: Used(
            observations=known.observations + 1,
            messages=known.messages + messages,
            calls=known.calls + spent.calls,
            prompt_tokens=known.prompt_tokens + spent.prompt_tokens,
            cached_tokens=known.cached_tokens + spent.cached_tokens,
            completion_tokens=known.completion_tokens + spent.completion_tokens,
            cost=known.cost + spent.cost,
        ),
    }


def read_between(before: int, through: int, skipped: Collection[int]) -> int:
    """Return how many messages were read from one position to another, of which some were skipped."""
    return through - before - sum(before < position <= through for position in skipped)
