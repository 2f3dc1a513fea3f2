"""`craftlog demo`: replays sample runs of agents, then shows what became of them."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from craftlog.cli.client import Api
from craftlog.cli.importing import Bar, Imported, bar, import_runs, space_of
from craftlog.cli.runs import runs

# What one of the sample runs was about, in other words.
QUESTION: Final = "a guest asks for a reimbursement after calling off a trip"
PATIENCE: Final = 120.0  # seconds for the learner to have looked at every task
_EVERY: Final = 0.2
_CONCURRENCY: Final = 3
_LATEST: Final = 2  # of a task's progress notes ...
_LONGEST: Final = 90  # ... and the characters of each; all of it would fill the screen
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
        lessons = [one for run in sessions for one in await _all(api, f"/session/{run['session_id']}/lessons")]
        console.print(_lines(_told(lessons)))
        console.print(_skills(await _sops(api, space_id)))
        found = await api.get(f"/space/{space_id}/experience_search", query=QUESTION, limit=3)
        console.print(_hits(found["cited_blocks"]))
    console.print(f"space   {space_id}\nsession {shown['session_id']}", style="dim", highlight=False)


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
    table = _table(f"Tasks of the run {session['run_id']}", "#", "status", "task, latest progress, preferences")
    for task in tasks:
        data = task["data"]
        progress = [f"• {_short(note)}" for note in (data.get("progresses") or ())[-_LATEST:]]
        wishes = [f"preference: {wish}" for wish in data.get("user_preferences") or ()]
        table.add_row(str(task["order"]), task["status"], _lines([data["task_description"], *progress, *wishes]))
    return table


def _told(lessons: Sequence[Json]) -> list[str]:
    """Return in words what the finished tasks of all runs came to; a task without a skill has its reason."""
    skipped = [lesson for lesson in lessons if lesson["state"] == "skipped"]
    engines = " and ".join(sorted({lesson["engine"] for lesson in lessons if lesson["engine"]}))
    said = f"{len(lessons)} tasks of all runs are finished, {len(lessons) - len(skipped)} of them taught a skill"
    reasons = [f"• no skill from '{lesson['task_description']}': {lesson['reason']}" for lesson in skipped]
    return [f"{said} (engine: {engines}).", *reasons]


def _skills(sops: Sequence[tuple[str, Json]]) -> Table:
    if not sops:
        raise DemoError("no skill was learned from the runs")
    table = _table("Skills learned", "page", "skill")
    for page, sop in sops:
        table.add_row(page, _skill(sop))
    return table


def _hits(blocks: Sequence[Json]) -> Table:
    if not blocks:
        raise DemoError(f"no skill was found for: {QUESTION}")
    table = _table(f"Search: {QUESTION}", "distance", "skill")
    for block in blocks:
        distance = block["distance"]
        table.add_row("" if distance is None else f"{distance:.2f}", _skill(block))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", show_lines=True)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _skill(sop: Json) -> Text:
    """Return a skill below one another: beside each other its parts are too narrow to be read at 80 columns."""
    preferences, steps = sop["props"].get("preferences"), sop["props"]["tool_sops"]
    return _lines(
        [f"use when: {sop['title']}"]
        + ([f"preferences: {preferences}"] if preferences else [])
        + [f"{n}. {step['tool_name']}: {step['action']}" for n, step in enumerate(steps, start=1)]
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"


def _lines(lines: Iterable[str]) -> Text:
    """Return lines as they are: what agents write in brackets is no markup."""
    return Text("\n".join(lines))
