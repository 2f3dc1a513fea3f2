"""The engine that asks a model: one question an observation, a second one where commands were refused."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

import toktok

from craftlog.contracts.events import Spent
from craftlog.contracts.messages import Message
from craftlog.contracts.subjects import Address
from craftlog.llm.models import AnswerError, Model, ModelAwayError, QuestionError, Turn, Usage
from craftlog.observer.commands import BeginObserving, Command, FinishObserving
from craftlog.observer.cutting import fewer
from craftlog.observer.decider import State
from craftlog.observer.prompting import Budget, remembered, render
from craftlog.observer.proposals import Proposals, rule
from craftlog.observer.settings import Criteria
from craftlog.observer.tab import Tab

_PROMPTS: Final = files("craftlog.observer").joinpath("prompts")
INSTRUCTIONS: Final = _PROMPTS.joinpath("observe.md").read_text("utf-8")
_CRITERIA: Final = _PROMPTS.joinpath("criteria.md").read_text("utf-8")
PROMPT: Final = sha256(f"{INSTRUCTIONS}{_CRITERIA}".encode()).hexdigest()[:8]

# What an answer needs: a few commands for any batch, and some more for each message of it.
_TOKENS: Final = 600
_TOKENS_A_MESSAGE: Final = 200
_MOST_REASONS: Final = 20
_A_LINE: Final = 512  # characters

CriteriaOf = Callable[[str], Awaitable[Criteria]]


@dataclass(frozen=True, slots=True)
class Prices:
    """What a million tokens cost: of a prompt, of its part that was cached, and of an answer."""

    prompt: float = 0.0
    cached: float = 0.0
    completion: float = 0.0

    def cost(self, usage: Usage) -> float:
        """Return what an answer cost."""
        fresh = usage.prompt - usage.cached
        return (fresh * self.prompt + usage.cached * self.cached + usage.completion * self.completion) / 1e6


async def no_criteria(_project: str) -> Criteria:
    """Return those of a project that has none."""
    return Criteria()


class ModelAgent:
    """Proposes what a model says, after the board has refused what it must.

    Args:
        model: whom to ask.
        budget: the most tokens of a prompt besides its fixed part.
        prices: what tokens cost.
        tab: takes what each answer cost.
        criteria: gives those of a project, by its id.
    """

    def __init__(
        self,
        model: Model,
        budget: Budget,
        prices: Prices,
        tab: Tab,
        criteria: CriteriaOf = no_criteria,
    ) -> None:
        self.engine = f"model:{model.name}"
        self._model = model
        self._budget = budget
        self._prices = prices
        self._tab = tab
        self._criteria = criteria
        # The first count makes the vocabulary, most of a second in which nothing else runs: not in the first answer's.
        count("")

    async def observe(self, board: State, session: Address, messages: Sequence[Message]) -> list[Command]:
        """Return what to do to the board, ending with ``FinishObserving`` through the last message that was shown.

        Raises:
            ModelAwayError: the model gives no answer now.
            AnswerError: its answer cannot be used.
            QuestionError: its endpoint refuses this question.
            UnavailableError: the criteria of the project cannot be looked up.
        """
        # Aside: a megabyte a message takes longer to count than others can wait.
        while (said := await asyncio.to_thread(render, board, messages, self._budget, count)) is None:
            # The board says how far it was read: what did not fit comes next.
            messages = fewer(messages)
        turns = [Turn("system", instructions(await self._criteria(session.project))), Turn("user", said)]
        positions = [message.position for message in messages]
        most_tokens = _TOKENS + _TOKENS_A_MESSAGE * len(messages)
        proposals = await self._ask(session, turns, most_tokens)
        ruling = rule(board, proposals, session.id, positions, self.engine)
        if ruling.refusals:
            turns += [Turn("assistant", proposals.model_dump_json()), _refused(ruling.refusals)]
            try:
                proposals = await self._ask(session, turns, most_tokens)
            except (AnswerError, QuestionError, ModelAwayError):
                # An outage, too: what is lost is what the board refused, as where the model insists on it. To wait
                # would cost the first answer again, and each time where it is this second question that an endpoint
                # limits or has no time for. Only where nothing else was said is there nothing to lose by waiting.
                if not ruling.commands:
                    raise
            else:
                ruling = rule(board, proposals, session.id, positions, self.engine)
        finish = FinishObserving(positions[-1], self.engine, remembered(board, messages))
        return [BeginObserving(board.through_position), *ruling.commands, finish]

    async def _ask(self, session: Address, turns: Sequence[Turn], most_tokens: int) -> Proposals:
        """Return an answer; what it took is on the tab, also where it cannot be used."""
        try:
            answer = await self._model.ask(turns, Proposals, most_tokens)
        except AnswerError as error:
            self._tab.put(session.id, self._spent(self._model.name, error.usage))
            raise
        self._tab.put(session.id, self._spent(answer.model, answer.usage))
        return answer.value

    def _spent(self, model: str, usage: Usage) -> Spent:
        return Spent(
            model=model,
            prompt=PROMPT,
            calls=1,
            prompt_tokens=usage.prompt,
            cached_tokens=usage.cached,
            completion_tokens=usage.completion,
            cost=self._prices.cost(usage),
        )


def instructions(criteria: Criteria) -> str:
    """Return what a prompt begins with: the same for all, then the project's own words, quoted so that they stay that.

    The rules engine, which knows no words, does without them.
    """
    said = {"success": criteria.success, "failed": criteria.failure}
    own = {status: words for status, words in said.items() if words}
    return f"{INSTRUCTIONS}{_CRITERIA}{json.dumps(own, ensure_ascii=False)}\n" if own else INSTRUCTIONS


def count(text: str) -> int:
    """Return how many tokens a text has (o200k_base); what looks like a special token is text like any other."""
    # A finished task is the same line in every prompt of its session.
    return _count_again(text) if len(text) <= _A_LINE else _count(text)


def _count(text: str) -> int:
    counts: list[int] = toktok.batch_count([text], "o200k_base", threads=1)
    return counts[0]


_count_again: Final = lru_cache(maxsize=16_384)(_count)


def _refused(refusals: Sequence[str]) -> Turn:
    reasons = "\n".join(f"- {refusal}" for refusal in refusals[:_MOST_REASONS])
    return Turn("user", f"The board refuses some of it:\n{reasons}\nAnswer again with all commands, these put right.")
