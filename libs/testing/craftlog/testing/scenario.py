"""Given, when, then: a decider's rule as one sentence."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Generic, TypeVar

import pytest

from craftlog.contracts.events import Event

S = TypeVar("S")
C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command comes to. Nothing is decided before one of the ``then`` methods asks."""

    decided: Callable[[], Sequence[Event]]

    def then(self, *events: Event) -> None:
        """Assert that exactly these events were decided, in this order."""
        assert list(self.decided()) == list(events)

    def then_nothing_happened(self) -> None:
        """Assert that the command was accepted and had nothing new to say."""
        self.then()

    def then_rejected(self, error: type[Exception], words: str) -> None:
        """Assert that the command was refused with this error and these words somewhere in its text."""
        with pytest.raises(error, match=re.escape(words)):
            self.decided()


@dataclass(frozen=True, slots=True)
class Scenario(Generic[S, C]):
    """A decider and the events that it starts from. It can be shared: ``given`` returns another one."""

    decide: Callable[[S, C], Sequence[Event]]
    evolve: Callable[[S, Event], S]
    initial: S
    history: tuple[Event, ...] = ()

    def given(self, *events: Event) -> "Scenario[S, C]":
        """Return the scenario in which these events happened as well."""
        return replace(self, history=(*self.history, *events))

    def when(self, command: C) -> Outcome:
        """Return what the command comes to after the history."""
        return Outcome(lambda: self.decide(reduce(self.evolve, self.history, self.initial), command))
