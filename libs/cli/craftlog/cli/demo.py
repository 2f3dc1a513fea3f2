"""`craftlog demo`: replays sample runs of agents, then shows what became of them."""

import asyncio
import time
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from craftlog.cli.client import Api
from craftlog.cli.importing import Bar, Imported, bar, import_runs, space_of
from craftlog.cli.runs import runs

# What one of the sample runs was about, in other words.
QUESTION: Final = "a guest asks for a reimbursement after calling off a trip"
PATIENCE: Final = 120.0  # seconds for the learner to have looked at every task
_EVERY: Final = 0.2
_CONCURRENCY: Final = 3
_LATEST: Final = 2  # of a task's progress notes; all of them would fill the screen
_SAMPLES: Final = files("craftlog.cli") / "samples" / "runs.jsonl"

Json = dict[str, Any]


class DemoError(Exception):
    """What the demo is to show is not there; the text says which."""


async def replay_and_show(url: str, token: str, console: Console) -> None:
    """Replay the samples against the server at ``url`` and print the tables.

    Raises:
        DemoError: no task, no skill or no hit came of them.
        ApiRefusedError, GaveUpError: the server did not take them.
    """
    async with Api(url, token) as api:
        space_id, sessions = await _replay(api)
        await _observe(api, sessions)
        await _learn(api, sessions)
        shown = sessions[0]
        console.print(_tasks(shown, await _all(api, f"/session/{shown['session_id']}/task")))
        console.print(_skills(await _sops(api, space_id)))
        found = await api.get(f"/space/{space_id}/experience_search", query=QUESTION, limit=3)
        console.print(_hits(found["cited_blocks"]))
    console.print(f"[dim]space {space_id}, session {shown['session_id']}[/dim]", highlight=False)


async def _replay(api: Api) -> tuple[str, list[Imported]]:
    samples = list(runs(_SAMPLES))
    space_id = await space_of(api, samples[0])
    with bar("replaying runs", sum(len(run.messages) for run in samples)) as shown:
        summary = await import_runs(api, samples, space_id, _CONCURRENCY, shown)
    for refused in summary.refused:
        raise DemoError(f"the sample run {refused['run_id']} was refused: {refused['reason']}")
    return space_id, sorted(summary.imported, key=lambda run: run["line"])


async def _observe(api: Api, sessions: Sequence[Imported]) -> None:
    async def flush(session: Imported, shown: Bar) -> None:
        await api.post(f"/session/{session['session_id']}/flush")
        shown.advance()

    with bar("observing tasks", len(sessions)) as shown:
        await asyncio.gather(*(flush(session, shown) for session in sessions))


async def _learn(api: Api, sessions: Sequence[Imported]) -> None:
    deadline = time.monotonic() + PATIENCE
    with bar("learning skills", len(sessions)) as shown:
        for session in sessions:
            while await _undigested(api, session):
                if time.monotonic() > deadline:
                    raise DemoError(f"the tasks of {session['run_id']} were not learned from within {PATIENCE:.0f} s")
                await asyncio.sleep(_EVERY)
            shown.advance()


async def _undigested(api: Api, session: Imported) -> int:
    status = await api.get(f"/session/{session['session_id']}/get_learning_status")
    return int(status["not_space_digested_count"])


async def _all(api: Api, path: str) -> list[Json]:
    items: list[Json] = (await api.get(path, limit=200))["items"]
    return items


async def _sops(api: Api, space_id: str) -> list[tuple[str, Json]]:
    path = f"/space/{space_id}/block"
    pages = [block for block in await api.get(path) if block["type"] == "page"]
    return [(page["title"], sop) for page in pages for sop in await api.get(path, parent_id=page["id"], type="sop")]


def _tasks(session: Imported, tasks: Sequence[Json]) -> Table:
    if not tasks:
        raise DemoError(f"no task was observed in the run {session['run_id']}")
    table = _table(f"Tasks of the run {session['run_id']}", "#", "status", "task", "latest progress", "preferences")
    for task in tasks:
        data = task["data"]
        progresses, preferences = data.get("progresses") or (), data.get("user_preferences") or ()
        noted = _listed(progresses[-_LATEST:]), _listed(preferences)
        table.add_row(str(task["order"]), task["status"], data["task_description"], *noted)
    return table


def _skills(sops: Sequence[tuple[str, Json]]) -> Table:
    if not sops:
        raise DemoError("no skill was learned from the runs")
    table = _table("Skills learned", "page", "use when", "preferences", "steps")
    for page, sop in sops:
        table.add_row(page, sop["title"], sop["props"].get("preferences", ""), _steps(sop["props"]))
    return table


def _hits(blocks: Sequence[Json]) -> Table:
    if not blocks:
        raise DemoError(f"no skill was found for: {QUESTION}")
    table = _table(f"Search: {QUESTION}", "distance", "use when", "steps")
    for block in blocks:
        distance = block["distance"]
        table.add_row("" if distance is None else f"{distance:.2f}", block["title"], _steps(block["props"]))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", show_lines=True)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _listed(texts: Sequence[str]) -> str:
    return "\n".join(f"• {text}" for text in texts)


def _steps(props: Json) -> str:
    return "\n".join(
        f"{n}. {step['tool_name']}: {step['action']}" for n, step in enumerate(props["tool_sops"], start=1)
    )
