"""Prompt tokens for each observed message of 100 real runs, beside a loop of tools that sends all of it each time.

Both see the same messages and the boards that the rules engine keeps of them, and are counted by the same tokenizer
(o200k_base), schemas of answers and tools included. All messages of a run are due at once.

- Ours: the real observer with its batches, ``ModelAgent``, instructions and schema. The model counts and proposes
  nothing, so nothing is refused. What refusals would cost is measured besides, as if every batch met with one: then all
  is asked again, with the first answer and the reason.
- The loop: batches of 16 messages, cut by their number; some calls a batch, each with the whole conversation so far:
  the instructions, all tasks (number, status, description), the last 6 notes, the new messages with 1,024 characters of
  each part, the tools, and what it called in earlier replies with a short answer to each. It calls what leads to the
  same board, one call for a task's messages and progress, spread over all replies but the last, which ends it. How long
  its instructions are is not known: ours stand in. Its tools are counted by name and parameters, without a description.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import openai
from tests.benchmarks.skills import RUNS
from tests.observer.evaluation.observing import appended, observe

from craftlog.contracts.messages import Message, Part
from craftlog.contracts.subjects import Address
from craftlog.llm.models import Answer, Turn, Usage
from craftlog.observer.commands import Command, FinishObserving
from craftlog.observer.decider import INITIAL, State, Task, decide, evolve
from craftlog.observer.modelled import INSTRUCTIONS, ModelAgent, Prices, count
from craftlog.observer.prompting import Budget
from craftlog.observer.proposals import Proposals
from craftlog.observer.rules import read
from craftlog.observer.tab import Tab

ITERATIONS: Final = 6
FEWER: Final = 3
BATCH: Final = 16
LONGEST_PART: Final = 1024
NOTES: Final = 6
SCHEMA: Final = count(json.dumps(openai.pydantic_function_tool(Proposals, name="answer")))
TOOLS: Final = {
    "insert_task": ("after_task_order", "task_description"),
    "update_task": ("task_order", "task_status", "task_description"),
    "append_messages_to_planning_section": ("message_ids",),
    "append_messages_to_task": ("task_order", "progress", "message_ids", "user_preference_and_infos"),
    "report_thinking": ("thinking",),
    "finish": (),
}
LOOP_FIXED: Final = count(INSTRUCTIONS) + count(
    json.dumps([{"name": name, "parameters": parameters} for name, parameters in TOOLS.items()])
)
_REFUSED: Final = {"do": "set_status", "task": "T0", "status": "running", "reason": None}


@dataclass
class Counting:
    """A model that counts what it is asked; ``first`` is its next answer, after which it proposes nothing."""

    name: str = "counting"
    tokens: int = 0
    calls: int = 0
    first: list[dict[str, Any]] = field(default_factory=list)

    async def ask(self, turns: Sequence[Turn], wanted: type[Proposals], _: int) -> Answer[Proposals]:
        self.tokens += SCHEMA + sum(count(turn.content) for turn in turns)
        self.calls += 1
        said, self.first = self.first, []
        return Answer(wanted.model_validate({"commands": said}), Usage(), self.name)


class Shown:
    """The rules keep the board; a model is asked besides, and remembers what it was shown."""

    engine = "rules"

    def __init__(self, *, refused: bool) -> None:
        self.model = Counting()
        self.batches = 0
        self._refused = refused
        self._asking = ModelAgent(self.model, Budget(), Prices(), Tab())

    async def observe(self, board: State, session: Address, messages: Sequence[Message]) -> list[Command]:
        if self._refused:
            after = applied(board, read(board, session.id, messages))
            self.model.first = [*proposed(board, after), _REFUSED]
        self.batches += 1
        finish = (await self._asking.observe(board, session, messages))[-1]
        assert isinstance(finish, FinishObserving)
        *commands, last = read(board, session.id, [one for one in messages if one.position <= finish.through])
        assert isinstance(last, FinishObserving)
        return [*commands, replace(last, memory={**last.memory, **finish.memory})]


def applied(board: State, commands: Sequence[Command]) -> State:
    """Return the board after commands."""
    return reduce(lambda state, command: reduce(evolve, decide(state, command), state), commands, board)


@dataclass(frozen=True)
class Change:
    """What a batch made of one task."""

    task: Task
    opened: bool
    moved: bool
    notes: Sequence[str]
    preferences: Sequence[str]
    positions: Sequence[int]


def changes(before: State, after: State) -> Iterator[Change]:
    """Yield the tasks that are new or different."""
    for task in after.tasks.values():
        old = before.tasks.get(task.id) or replace(task, status="pending", notes=(), preferences=(), positions=())
        new = [one for one in task.positions if one not in old.positions]
        notes, wishes = task.notes[len(old.notes) :], task.preferences[len(old.preferences) :]
        if task != old or task.id not in before.tasks:
            yield Change(task, task.id not in before.tasks, task.status != old.status, notes, wishes, new)


def proposed(before: State, after: State) -> Iterator[dict[str, Any]]:
    """Yield what our model would answer, a sentence of progress for each task."""
    for change in changes(before, after):
        name = f"T{change.task.order}"
        if change.opened:
            yield {"do": "open_task", "ref": name, "description": change.task.description, "before": None}
        for note in change.notes[-1:]:
            yield {"do": "add_progress", "task": name, "note": note}
        for preference in change.preferences:
            yield {"do": "add_preference", "task": name, "preference": preference}
        if change.positions:
            yield {"do": "link_messages", "task": name, "messages": list(change.positions)}
        if change.moved and change.task.status != "running":
            yield {"do": "set_status", "task": name, "status": change.task.status, "reason": "It did not work."}


def called(before: State, after: State) -> Iterator[str]:
    """Yield the calls of the loop, and what each is answered."""
    for change in changes(before, after):
        order = change.task.order
        if change.opened:
            yield _call("insert_task", after_task_order=order - 1, task_description=change.task.description)
        if change.positions or change.notes:
            wishes = {"user_preference_and_infos": " ".join(change.preferences)} if change.preferences else {}
            said = {"progress": change.notes[-1] if change.notes else "", "message_ids": list(change.positions)}
            yield _call("append_messages_to_task", task_order=order, **said, **wishes)
        if change.moved and change.task.status != "running":
            yield _call("update_task", task_order=order, task_status=change.task.status)
    if planning := sorted(after.planning - before.planning):
        yield _call("append_messages_to_planning_section", message_ids=planning)


def _call(tool: str, **arguments: Any) -> str:
    return json.dumps({"name": tool, "arguments": arguments}, ensure_ascii=False) + " Done."


def loop(before: State, after: State, messages: Sequence[Message], iterations: int) -> int:
    """Return the prompt tokens of all calls that the loop makes for a batch."""
    calls, replies = list(called(before, after)), iterations - 1
    cuts = [round(len(calls) * at / replies) for at in range(replies + 1)]
    asked = LOOP_FIXED + count(_as_loop_sees(before, messages))
    tokens = asked
    for start, end in pairwise(cuts):
        asked += count("".join(calls[start:end]))
        tokens += asked
    return tokens


def _as_loop_sees(board: State, messages: Sequence[Message]) -> str:
    tasks = [f"{task.order}. [{task.status}] {task.description}" for task in board.tasks.values()]
    notes = [f"Task {task.order}: {note}" for task in board.tasks.values() for note in task.notes][-NOTES:]
    said = [
        f"<message id={index}>\n" + "\n".join(_line(message, part) for part in message.parts) + "\n</message>"
        for index, message in enumerate(messages)
    ]
    return "\n".join(["# Tasks", *tasks, "# Progress", *notes, "# Messages", *said])


def _line(message: Message, part: Part) -> str:
    meta = part.meta or {}
    said = json.dumps({key: meta.get(key) for key in ("name", "arguments")}) if part.type == "tool-call" else part.text
    text = said or part.filename or ""
    return f"{message.role} {part.type}: {text[:LONGEST_PART]}{'...' if len(text) > LONGEST_PART else ''}"


def looped(name: str, messages: Sequence[Message], iterations: int) -> int:
    """Return the prompt tokens of the loop for a whole run."""
    board, tokens = INITIAL, 0
    for at in range(0, len(messages), BATCH):
        batch = messages[at : at + BATCH]
        after = applied(board, read(board, name, batch))
        tokens += loop(board, after, batch, iterations)
        board = after
    return tokens


async def _measure(runs: Sequence[dict[str, Any]]) -> dict[str, float]:
    ours, refused = Shown(refused=False), Shown(refused=True)
    messages = fewer = all_six = 0
    for run in runs:
        blobs, name = run["messages"], run["run_id"]
        for agent in (ours, refused):
            board, trouble = await observe(agent, name, blobs)
            assert board.through_position == len(blobs), trouble
        said = [Message.model_validate(appended(at, blob).model_dump()) for at, blob in enumerate(blobs, start=1)]
        messages += len(said)
        fewer += looped(name, said, FEWER)
        all_six += looped(name, said, ITERATIONS)
    assert (ours.model.calls, refused.model.calls) == (ours.batches, 2 * refused.batches)
    return {
        "observed messages": messages,
        "prompt tokens for each, ours": ours.model.tokens / messages,
        "prompt tokens for each, ours, every batch refused once": refused.model.tokens / messages,
        f"prompt tokens for each, a loop of {ITERATIONS} calls": all_six / messages,
        f"RATIO ours / a loop of {ITERATIONS} (target <= 0.5)": ours.model.tokens / all_six,
        f"RATIO ours, every batch refused once / a loop of {ITERATIONS}": refused.model.tokens / all_six,
        f"RATIO ours / a loop of {FEWER}": ours.model.tokens / fewer,
    }


def measure(_: Path) -> dict[str, float]:
    """Return tokens a message of both and their ratio; nothing where the runs are not there."""
    if not RUNS.exists():
        sys.stderr.write(f"prompts: skipped, the sample runs are not there: {RUNS} is missing\n")
        return {}
    return asyncio.run(_measure([json.loads(line) for line in RUNS.read_text("utf-8").splitlines()]))
