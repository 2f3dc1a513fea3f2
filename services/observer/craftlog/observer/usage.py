"""Pure: what observing a session took, by day; folded from facts, so that nothing counts twice."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from craftlog.contracts.events import Spent, Used
from craftlog.observer.commands import Command, FinishObserving, TakeUpMessage

Usage = Mapping[str, Used]

_NOTHING: Final = Spent(model="", prompt="", calls=0, prompt_tokens=0, cached_tokens=0, completion_tokens=0)


def dated(command: Command, spent: Spent | None, day: str) -> Command:
    """Return a command that says what was spent and on which day (in UTC, YYYY-MM-DD) it counts, if it counts."""
    if not isinstance(command, FinishObserving | TakeUpMessage):
        return command
    return replace(command, spent=on(day, spent or _NOTHING))


def on(day: str, spent: Spent) -> Spent:
    """Return what was spent as it counts to a day."""
    return spent.model_copy(update={"day": day})


def plus(before: Spent | None, spent: Spent) -> Spent:
    """Return what was spent in all; the model and the prompt are the latest."""
    if before is None:
        return spent
    return spent.model_copy(
        update={
            "calls": before.calls + spent.calls,
            "prompt_tokens": before.prompt_tokens + spent.prompt_tokens,
            "cached_tokens": before.cached_tokens + spent.cached_tokens,
            "completion_tokens": before.completion_tokens + spent.completion_tokens,
            "cost": before.cost + spent.cost,
        }
    )


def counted(usage: Usage, spent: Spent | None, messages: int | None = None) -> Usage:
    """Return the usage after an observation of so many messages, or after none; what says no day counts to none."""
    if spent is None or spent.day is None:
        return usage
    known = usage.get(spent.day, Used())
    return {
        **usage,
        spent.day: Used(
            observations=known.observations + (messages is not None),
            messages=known.messages + (messages or 0),
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
