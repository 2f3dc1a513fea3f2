"""`python -m tests.faults.faulty_observer`: the observer as it is, but that it dies, hurries or hears twice where told.

Production code has no hooks for this: what it consists of is wrapped from outside before it is put together.
"""

import argparse
import functools
import itertools
import json
import os
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from types import ModuleType
from typing import Any, Final, Literal

from nats.js.api import ConsumerConfig
from pydantic import BaseModel

from craftlog.contracts.subjects import Address
from craftlog.llm import breaker
from craftlog.llm.models import Model, Turn
from craftlog.observer import app
from craftlog.observer.rules import RulesAgent
from craftlog.runtime import due, lane, work
from craftlog.runtime.lane import Lane
from craftlog.runtime.log import Log
from craftlog.runtime.mongo import MongoStore
from craftlog.runtime.work import Work

MODEL_ONLY: Final = "model"
RULES_BEHIND_MODEL: Final = "rules"

# Where it may die or be frozen, and whose doing that is.
FAIL_POINTS: Final[dict[str, tuple[type, str]]] = {
    "claim": (Work, "_claim"),
    "model call": (Model, "ask"),
    "append": (Log, "append"),
    "head write": (MongoStore, "_write_heads"),
    "ack": (Lane, "_acknowledge"),
}
LISTENING: Final = "observer-session"  # the lane whose acknowledgements are meant
_MOST_DELIVERIES: Final = 3


class Leave(BaseModel):
    """What the endpoint says to the rules."""

    granted: Literal[True]


class RulesBehindModel:
    """The rules engine, which must ask a model's endpoint each time before it decides."""

    engine = RulesAgent.engine

    def __init__(self, model: Model) -> None:
        self._model = model
        self._rules = RulesAgent()

    async def observe(self, board: Any, session: Address, messages: Any) -> Any:
        """Propose what the rules do, once the endpoint has answered."""
        asked = {"session": session.id, "positions": [message.position for message in messages]}
        await self._model.ask([Turn("user", json.dumps(asked))], Leave, 64)
        return await self._rules.observe(board, session, messages)


def put(owner: ModuleType | type, name: str, value: Any) -> None:
    """Replace what must be there: a test of something that was renamed would test nothing."""
    assert hasattr(owner, name), f"{owner.__name__} has no {name}"
    setattr(owner, name, value)


def hurry(times: float) -> None:
    """Make what an hour does to the real one happen in an hour / ``times``."""
    put(due, "_DELAYS", tuple(delay / times for delay in due._DELAYS))
    put(breaker, "_FIRST_PAUSE", breaker._FIRST_PAUSE / times)
    put(breaker, "_LONGEST_PAUSE", breaker._LONGEST_PAUSE / times)


def lease_for(seconds: float) -> None:
    """Make leases this short, and when an event must be acknowledged or is looked for that somebody left lying."""
    put(due, "_LEASE", timedelta(seconds=seconds))
    put(due, "_NEGLECTED", timedelta(seconds=seconds))
    put(work, "HEARTBEAT", seconds / 3)
    put(work, "LOOK", seconds)

    def config(**given: Any) -> ConsumerConfig:
        return ConsumerConfig(**{**given, "ack_wait": seconds})

    put(lane, "ConsumerConfig", config)


def interrupt(number: signal.Signals, at: str, nth: int) -> None:
    """Have the process killed or frozen right before or after the nth time that it comes to a point."""
    moment, _, point = at.partition(" ")
    owner, name = FAIL_POINTS[point]
    inner: Callable[..., Awaitable[Any]] = getattr(owner, name)
    times = itertools.count(1)

    @functools.wraps(inner)
    async def until_then(self: Any, *args: Any, **named: Any) -> Any:
        is_it = getattr(self, "durable", LISTENING) == LISTENING and next(times) == nth
        if is_it and moment == "before":
            os.kill(os.getpid(), number)
        result = await inner(self, *args, **named)
        if is_it and moment == "after":
            if isinstance(self, Lane):
                await self._client.flush()  # what was acknowledged has left the house
            os.kill(os.getpid(), number)
        return result

    put(owner, name, until_then)


def scramble(seed: int) -> None:
    """Have every event come one to three times and in any order, within what arrives together and in what follows."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    inner = Lane.__init__

    def scrambled(self: Lane, *args: Any, **named: Any) -> None:
        *others, handle, undecodable = args
        seen: list[Any] = []

        async def in_any_order(events: Sequence[Any]) -> None:
            arriving = [event for event in events for _ in range(chance.randint(1, _MOST_DELIVERIES))]
            arriving += chance.sample(seen, min(len(seen), len(events)))
            seen.extend(events)
            chance.shuffle(arriving)
            while arriving:
                part = arriving[: chance.randint(1, len(arriving))]
                del arriving[: len(part)]
                await handle(part)

        inner(self, *others, in_any_order, undecodable, **named)

    put(Lane, "__init__", scrambled)


def main() -> None:
    """Run the observer as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--die", help="'before' or 'after', and a fail-point")
    parser.add_argument("--freeze", help="the same")
    parser.add_argument("--nth", type=int, default=1)
    parser.add_argument("--hurry", type=float)
    parser.add_argument("--lease", type=float)
    parser.add_argument("--scramble", type=int)
    parser.add_argument("--engine", choices=[MODEL_ONLY, RULES_BEHIND_MODEL], default=RULES_BEHIND_MODEL)
    chosen = parser.parse_args()
    if chosen.hurry is not None:
        hurry(chosen.hurry)
    if chosen.lease is not None:
        lease_for(chosen.lease)
    if chosen.scramble is not None:
        scramble(chosen.scramble)
    if chosen.die is not None:
        interrupt(signal.SIGKILL, chosen.die, chosen.nth)
    if chosen.freeze is not None:
        interrupt(signal.SIGSTOP, chosen.freeze, chosen.nth)
    if chosen.engine == RULES_BEHIND_MODEL:
        put(app, "agent_of", lambda _settings, model, *_: RulesBehindModel(model))
    app.main()


if __name__ == "__main__":
    main()
