"""`make eval-observe`: the configured engine's boards beside twenty labelled conversations: ``[--json]``.

The engine is the one that an observer with this environment would have: the rules, or a model (``CRAFTLOG_LLM_*``).
Whatever the score, the exit code is 0. How boards and labels are compared: ``scoring.py``.

Labels say what is right, not what some engine finds; they were written before any had read the conversations, and no
engine is to be fitted to them. Where a plan was agreed its steps are the tasks, in place of the request; a task that
was done and that nobody has reacted to is running.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from tests.observer.evaluation.observing import observe
from tests.observer.evaluation.scoring import Found, Score, labels, pair, score

from craftlog.observer.agent import Agent
from craftlog.observer.app import ObserverSettings, agent_of, model_of
from craftlog.observer.decider import State
from craftlog.observer.tab import Tab

CONVERSATIONS: Final = Path(__file__).parent / "conversations"


@dataclass(frozen=True)
class Judged:
    """One conversation beside its board."""

    name: str
    document: dict[str, Any]
    board: State
    trouble: str

    @property
    def found(self) -> list[Found]:
        """The tasks of the board."""
        return [Found(task.description, task.status, task.preferences) for task in self.board.tasks.values()]

    @property
    def score(self) -> Score:
        """How they compare to the labels."""
        return score(labels(self.document), self.document["preferences"], self.found, self.board.preferences)

    @property
    def read(self) -> str:
        """How far it was read."""
        return f"{self.board.through_position} of {len(self.document['messages'])}"

    def told(self) -> dict[str, Any]:
        """Return it as JSON, with what was missed and what was invented."""
        labelled, pairs = labels(self.document), pair(labels(self.document), self.found)
        return {
            "conversation": self.name,
            "shows": self.document["shows"],
            **self.score.counts,
            "read": self.read,
            "trouble": self.trouble,
            "missed": [one.description for at, one in enumerate(labelled) if at not in pairs],
            "invented": [one.description for at, one in enumerate(self.found) if at not in pairs.values()],
        }


def conversations() -> dict[str, dict[str, Any]]:
    """Return the labelled conversations by name."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(CONVERSATIONS.glob("*.json"))}


async def judge(agent: Agent, name: str, document: dict[str, Any]) -> Judged:
    """Have one conversation observed."""
    return Judged(name, document, *await observe(agent, name, document["messages"]))


def total(judged: list[Judged]) -> Score:
    """Return the score of all."""
    return sum((one.score for one in judged), Score())


async def _judge_all(agent: Agent) -> list[Judged]:
    with Progress(console=Console(stderr=True)) as progress:
        tracked = progress.track(conversations().items(), description=f"observing with {agent.engine}")
        return [await judge(agent, name, document) for name, document in tracked]


def _table(judged: list[Judged]) -> Table:
    table = Table("conversation", "tasks", "found", "right", "status right", "preferences", "read")
    for one in judged:
        table.add_row(one.name, *_row(one.score), one.read)
    table.add_section()
    table.add_row("all", *_row(total(judged)), "")
    return table


def _row(of: Score) -> Iterator[str]:
    yield from map(str, (of.labelled, of.found, of.right))
    yield f"{of.statuses_right} of {of.right}"
    yield f"{of.preferences_found} of {of.preferences}"


async def _main() -> None:
    settings = ObserverSettings()
    model = model_of(settings)
    agent = agent_of(settings, model, Tab())
    judged = await _judge_all(agent)
    if model:
        await model.close()
    figures = total(judged).figures
    if "--json" in sys.argv:
        answer = {"engine": agent.engine, "figures": figures, "conversations": [one.told() for one in judged]}
        sys.stdout.write(json.dumps(answer, indent=1, ensure_ascii=False) + "\n")
        return
    console = Console()
    console.print(_table(judged))
    for one in judged:
        if one.trouble:
            console.print(f"{one.name} was not read to its end: {one.trouble}", markup=False)
    shares = Table(f"of {agent.engine}", "")
    for name, figure in figures.items():
        shares.add_row(name, f"{figure:.2f}")
    console.print(shares)


if __name__ == "__main__":
    asyncio.run(_main())
