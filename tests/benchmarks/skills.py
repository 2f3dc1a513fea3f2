"""How good the offline engine's tasks and skills are, over 100 real runs: `python -m tests.benchmarks.skills [--json]`.

Everything runs in this process: the observer's rules, the learner's rules, the embedder. The runs are 25 tasks of a
customer-service agent, four trials each, with a reward for the right end state.
"""

import asyncio
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import Any, Final

import bm25s
import numpy as np

from craftlog.contracts.envelope import event_id
from craftlog.contracts.events import Event
from craftlog.contracts.messages import Message
from craftlog.gateway.dialects.openai import to_canonical
from craftlog.learner import board as boards
from craftlog.learner.agent import Skip, Sop, TaskToLearn
from craftlog.learner.rules import distil
from craftlog.llm.embeddings import OfflineEmbedder
from craftlog.observer import decider as observer
from craftlog.observer.rules import read as observe

RUNS: Final = Path(__file__).parents[3] / "shared" / "data" / "airline_runs.jsonl"
TRIALS: Final = 4
AT: Final = 5
CHANGING: Final = ("book_", "update_", "cancel_", "send_")
MONTHS: Final = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
DATE: Final = rf"\b(?:{MONTHS})[a-z]*\.? \d{{1,2}}(?:st|nd|rd|th)?\b|\d{{4}}-\d\d-\d\d"
ID: Final = r"\S*[\d_@]\S*"
NAME: Final = r"(?<=[\w,;] )(?!I['’]|IDs?\b)[A-Z][\w'-]+(?: (?!I['’]|IDs?\b)[A-Z][\w'-]+)*"  # noqa: RUF001


@dataclass(frozen=True)
class Run:
    """One run, what the engine made of it, and what was right."""

    task_id: int
    trial: int
    reward: bool
    gold: frozenset[str]
    messages: list[dict[str, Any]]
    instruction: str
    statuses: list[str] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    sops: list[Sop] = field(default_factory=list)

    @property
    def judged(self) -> bool:
        """Whether the engine takes the run for a success: all its tasks are."""
        return bool(self.statuses) and set(self.statuses) == {"success"}

    @property
    def query(self) -> str:
        """The first two things that the user said, without what is in this run only."""
        said = " ".join([message["content"] for message in self.messages if message["role"] == "user"][:2])
        for pattern in (f"(?i:{DATE})", ID, NAME):
            said = re.sub(pattern, " ", said)
        return " ".join(said.split())

    @property
    def transcript(self) -> str:
        """All that was said and done."""
        return " ".join(
            f"{message.get('content') or ''} {json.dumps(message.get('tool_calls') or '')}" for message in self.messages
        )

    @property
    def case_values(self) -> set[str]:
        """Ids, names and dates of this run: from what its tools were given and from what its user was told."""
        given = {
            leaf
            for message in self.messages
            for call in message.get("tool_calls") or []
            for leaf in _leaves(json.loads(call["function"]["arguments"]))
            if re.fullmatch(r"(?:[\w@.-]+ ?){1,3}", leaf) and re.search(r"[A-Z\d]", leaf)
        }
        told = re.findall(rf"(?i:{DATE})|\b[a-z]+_[a-z]+_\d+\b|\b(?=\w*\d)[A-Z\d]{{6}}\b|{NAME}", self.instruction)
        return {value for value in (*given, *told) if len(value) > 2 and not value.isdigit()}

    @property
    def tools(self) -> frozenset[str]:
        """The state-changing tools of its skills."""
        return _changing(step.tool_name for sop in self.sops for step in sop.tool_sops)


def learned(runs: Path = RUNS) -> list[Run]:
    """The runs, observed and learned from."""
    return [_learned(json.loads(line)) for line in runs.read_text().splitlines()]


def measured(runs: Sequence[Run]) -> dict[str, float]:
    """The figures by name; shares from 0 to 1."""
    return {**_success(runs), **_recall(runs), **_leaks(runs), **_tools(runs)}


def _learned(line: dict[str, Any]) -> Run:
    run = Run(
        line["task_id"],
        line["trial"],
        line["reward"] == 1.0,
        _changing(action["name"] for action in line["gold_actions"]),
        line["messages"],
        line["user_instruction"],
    )
    session_id = event_id(line["run_id"])
    messages = [_message(position, blob) for position, blob in enumerate(line["messages"], start=1)]
    board = boards.fold(_observed(session_id, messages))
    run.statuses.extend(task.status for task in board.tasks.values())
    for task in board.finished:
        lesson = distil(_to_learn(session_id, board, task, messages))
        (run.skipped if isinstance(lesson, Skip) else run.sops).append(lesson)
    return run


def _message(position: int, blob: dict[str, Any]) -> Message:
    canonical = to_canonical(blob, {})
    return Message(
        message_id=str(position), position=position, role=canonical.role, parts=canonical.parts, meta=canonical.meta
    )


def _observed(session_id: str, messages: Sequence[Message]) -> list[Event]:
    state, events = observer.INITIAL, []
    for command in observe(state, session_id, messages):
        new = observer.decide(state, command)
        state = reduce(observer.evolve, new, state)
        events += new
    return events


def _to_learn(session_id: str, board: boards.Board, task: boards.Task, messages: Sequence[Message]) -> TaskToLearn:
    return TaskToLearn(
        session_id=session_id,
        task_id=task.id,
        description=task.description,
        status=task.status,
        progresses=tuple(task.progresses),
        preferences=tuple(task.preferences),
        previous=tuple(board.before(task)),
        messages=tuple(message for message in messages if message.position in task.positions),
    )


def _success(runs: Sequence[Run]) -> dict[str, float]:
    right = sum(run.judged and run.reward for run in runs)
    return {
        "runs with a task": sum(bool(run.statuses) for run in runs),
        "runs judged successful": sum(run.judged for run in runs),
        "success precision": _share(right, sum(run.judged for run in runs)),
        "success recall": _share(right, sum(run.reward for run in runs)),
    }


def _recall(runs: Sequence[Run]) -> dict[str, float]:
    skills = [(run, sop) for run in runs for sop in run.sops]
    vectors = np.array(asyncio.run(OfflineEmbedder().embed([sop.use_when for _, sop in skills])))
    queries = np.array(asyncio.run(OfflineEmbedder().embed([run.query for run in runs])))
    hits = rewarded = taught = 0
    for run, query in zip(runs, queries, strict=True):
        order = np.argsort(-(vectors @ query), kind="stable")
        found = [skills[at][0] for at in order if skills[at][0].trial != run.trial][:AT]
        hits += any(other.task_id == run.task_id for other in found)
        same = [other for other in runs if other.trial != run.trial and other.task_id == run.task_id]
        rewarded += any(other.reward for other in same)
        taught += any(other.sops for other in same)
    lexical = sum(_bm25_hits(runs, trial) for trial in range(TRIALS))
    alike = sum(_bm25_hits(runs, trial, only_taught=True) for trial in range(TRIALS))
    return {
        "skills": len(skills),
        "lessons skipped": sum(len(run.skipped) for run in runs),
        f"skill recall@{AT}": _share(hits, len(runs)),
        f"BM25 over transcripts recall@{AT}": _share(lexical, len(runs)),
        f"the same, only runs that taught a skill, recall@{AT}": _share(alike, len(runs)),
        "queries with any rewarded run of their task": _share(rewarded, len(runs)),
        "queries with any skill of their task": _share(taught, len(runs)),
    }


def _bm25_hits(runs: Sequence[Run], trial: int, *, only_taught: bool = False) -> int:
    known = [run for run in runs if run.trial != trial and (run.sops or not only_taught)]
    asked = [run for run in runs if run.trial == trial]
    index = bm25s.BM25()
    index.index(bm25s.tokenize([run.transcript for run in known], show_progress=False), show_progress=False)
    queries = bm25s.tokenize([run.query for run in asked], show_progress=False)
    found, _ = index.retrieve(queries, k=AT, show_progress=False)
    return sum(
        any(known[at].task_id == run.task_id for at in row) for run, row in zip(asked, found.tolist(), strict=True)
    )


def _leaks(runs: Sequence[Run]) -> dict[str, float]:
    skills = [(run, _text(sop)) for run in runs for sop in run.sops]
    leaked = [[value for value in run.case_values if _holds(text, value)] for run, text in skills]
    return {
        "case values leaked into skills": len(list(chain(*leaked))),
        "skills with a leak": _share(sum(bool(values) for values in leaked), len(skills)),
    }


def _tools(runs: Sequence[Run]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, some in (("all", runs), ("rewarded", [run for run in runs if run.reward])):
        taught = [run for run in some if run.sops]
        right = sum(len(run.tools & run.gold) for run in taught)
        figures[f"changing tools of skills, {name} runs, precision"] = _share(
            right, sum(len(run.tools) for run in taught)
        )
        figures[f"changing tools of skills, {name} runs, recall"] = _share(right, sum(len(run.gold) for run in taught))
    return figures


def _text(sop: Sop) -> str:
    return " ".join([sop.page_title, sop.use_when, sop.preferences, *(step.action for step in sop.tool_sops)])


def _holds(text: str, value: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    else:
        yield str(value)


def _changing(tools: Any) -> frozenset[str]:
    return frozenset(tool for tool in tools if tool.startswith(CHANGING))


def _share(part: float, whole: float) -> float:
    return round(part / whole, 3) if whole else 0.0


def main() -> None:
    """Print the figures."""
    if not RUNS.exists():
        sys.exit(f"The sample runs are not there: {RUNS} is missing.")
    figures = measured(learned())
    if "--json" in sys.argv:
        sys.stdout.write(f"{json.dumps(figures)}\n")
        return
    sys.stdout.writelines(f"{name:<55} {figure:g}\n" for name, figure in figures.items())


if __name__ == "__main__":
    main()
