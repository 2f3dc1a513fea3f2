"""Imports runs through the HTTP API; it may be repeated, or go on after any interruption, and stores nothing twice."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypedDict

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from craftlog.cli.client import Api, ApiRefusedError
from craftlog.cli.runs import Run


class Imported(TypedDict):
    """One run that is stored."""

    run_id: str | None
    line: int
    session_id: str
    messages: int


class Refused(TypedDict):
    """One run of which a message, and what follows it, is not stored."""

    run_id: str | None
    line: int
    reason: str


@dataclass
class Summary:
    """What an import has done: runs in the order in which they were done."""

    space_id: str
    imported: list[Imported] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class Bar:
    """A progress bar on standard error that also says what is being waited for."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def advance(self) -> None:
        """Count one more."""
        self._progress.advance(self._task)

    def trouble(self, reason: str | None) -> None:
        """Show what is in the way, or None."""
        self._progress.update(self._task, trouble="" if reason is None else f"waiting: {reason}")


@contextmanager
def bar(what: str, total: int) -> Iterator[Bar]:
    """Show a progress bar for the block."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    trouble = TextColumn("[yellow]{task.fields[trouble]}", markup=True)
    with Progress(*columns, trouble, console=Console(stderr=True)) as progress:
        yield Bar(progress, progress.add_task(what, total=total, trouble=""))


async def space_of(api: Api, first: Run) -> str:
    """Return the space for the runs of a file: the one that its first run teaches already, else a new one."""
    session = await api.get(f"/session/{await _session(api, first)}/configs")
    return str(session["space_id"] or (await api.post("/space", {}))["id"])


async def import_runs(api: Api, runs: Iterable[Run], space_id: str, concurrency: int, shown: Bar) -> Summary:
    """Store runs, several side by side, the messages of each in turn.

    Raises:
        GaveUpError: nothing has succeeded for too long; a repetition goes on where this ended.
    """
    summary = Summary(space_id)
    waiting = iter(runs)

    async def work() -> None:
        for run in waiting:
            try:
                session_id = await _import_run(api, run, space_id, shown)
            except ApiRefusedError as error:
                summary.refused.append(Refused(run_id=run.run_id, line=run.line, reason=str(error)))
            else:
                count = len(run.messages)
                summary.imported.append(
                    Imported(run_id=run.run_id, line=run.line, session_id=session_id, messages=count)
                )

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(concurrency):
                workers.create_task(work())
    except ExceptionGroup as group:
        raise group.exceptions[0] from group  # they share one server: the first says what ails all
    return summary


async def _import_run(api: Api, run: Run, space_id: str, shown: Bar) -> str:
    session_id = await _session(api, run)
    await api.post(f"/session/{session_id}/connect_to_space", {"space_id": space_id})
    for index, message in enumerate(run.messages):
        blob = {"format": "openai", "blob": message}
        await api.post(f"/session/{session_id}/messages", blob, key=f"{run.key}/{index}")
        shown.advance()
    return session_id


async def _session(api: Api, run: Run) -> str:
    session = await api.post("/session", {"configs": {"run_id": run.run_id} if run.run_id else {}}, key=run.key)
    return str(session["id"])
