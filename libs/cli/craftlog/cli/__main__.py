"""The `craftlog` command."""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from craftlog.cli import up as upping
from craftlog.cli.admin import keys, projects
from craftlog.cli.client import Api, ApiRefusedError, GaveUpError
from craftlog.cli.demo import DemoError, replay_and_show
from craftlog.cli.failing import failed
from craftlog.cli.folder import FolderInUseError, drop
from craftlog.cli.importing import Summary, bar, import_runs, space_of
from craftlog.cli.runs import FileError, runs
from craftlog.cli.stack import MADE_FROM_THE_LOG, Stack

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Craftlog: a context data platform for AI agents. It stores what they did and learns how to do it again.",
)

Data = Annotated[Path, typer.Option(help="Folder that holds everything: log, read models, objects, index, logs.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of the HTTP API.")]
Host = Annotated[str, typer.Option(help="Address to listen on; others than loopback need a token of your own.")]


app.add_typer(projects, name="project")
app.add_typer(keys, name="key")


@app.command()
def up(
    data: Data = Path(".craftlog"),
    port: Port = 8029,
    host: Host = "127.0.0.1",
    only: Annotated[str, typer.Option(help="Start these parts alone, separated by commas: nats,gateway.")] = "",
) -> None:
    """Run Craftlog on this machine, in the foreground; prints one line when it serves. Ctrl-C stops it."""
    parts = [part.strip() for part in only.split(",") if part.strip()]

    async def serving(stack: Stack) -> None:
        print(f"ready {stack.url}", flush=True)
        await asyncio.Event().wait()

    _run(Stack(data.absolute(), host, port), serving, parts)


@app.command()
def rebuild(data: Data = Path(".craftlog")) -> None:
    """Drop the read models and the index of a stopped Craftlog; its next start makes them again from the log."""
    if not (data / "nats").exists():
        raise failed(f"there is no log in {data.absolute()}; name the folder with --data")
    try:
        drop(data.absolute(), MADE_FROM_THE_LOG)
    except FolderInUseError as error:
        raise failed(str(error)) from error
    print(f"Dropped. `craftlog up --data {data}` makes them again.")


@app.command()
def demo(
    *,
    data: Data = Path(".craftlog"),
    port: Port = 8029,
    once: Annotated[bool, typer.Option("--once", help="End after the tables instead of serving on.")] = False,
) -> None:
    """Run Craftlog, replay sample runs of agents, and show their tasks, the skills learned and a search."""
    console = Console()

    async def serving(stack: Stack) -> None:
        try:
            await replay_and_show(stack.url, upping.token(), console)
        except (DemoError, ApiRefusedError, GaveUpError) as error:
            raise upping.RefusedError(str(error)) from error
        if once:
            again = f"{sys.argv[0]} up --data {stack.root} --port {port}"
            console.print(
                f"Craftlog stops now and keeps all of this; serve it again: [bold]{again}[/bold]", soft_wrap=True
            )
            return
        console.print(f"Craftlog serves on [bold]{stack.url}[/bold] (data in {stack.root}). Ctrl-C stops it.")
        await asyncio.Event().wait()

    console.print(f"Starting Craftlog (data in {data.absolute()}) ...", soft_wrap=True)
    _run(Stack(data.absolute(), "127.0.0.1", port), serving, [])


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSON lines: one run a line, its messages in the field messages.")],
    *,
    url: Annotated[str, typer.Option(help="Where Craftlog serves.")] = "http://127.0.0.1:8029",
    token: Annotated[str, typer.Option(envvar=upping.TOKEN_VARIABLE, help="API token.")] = upping.DEFAULT_TOKEN,
    space: Annotated[str, typer.Option(help="Space that learns from the runs; one is made for the file if none.")] = "",
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Runs under way at a time.")] = 8,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a summary in JSON, with the session of each run.")
    ] = False,
) -> None:
    """Import runs of agents. Repeat it as you like: what is stored already is not stored again."""
    try:
        summary = asyncio.run(_import(file, url, token, space, concurrency))
    except (FileError, OSError, ApiRefusedError) as error:
        raise failed(str(error)) from error
    except GaveUpError as error:
        raise failed(f"{error}. What is stored stays; the same command goes on from there.") from error
    if as_json:
        print(json.dumps(asdict(summary)))
    else:
        _tell(summary)
    if summary.refused:
        raise typer.Exit(1)


async def _import(file: Path, url: str, token: str, space: str, concurrency: int) -> Summary:
    first, total = None, 0
    for run in runs(file):  # the whole file is read before anything is sent
        first, total = first or run, total + len(run.messages)
    if first is None:
        raise FileError(f"{file} holds no run")
    with bar("importing", total) as shown:
        async with Api(url, token, shown.trouble) as api:
            return await import_runs(api, runs(file), space or await space_of(api, first), concurrency, shown)


def _tell(summary: Summary) -> None:
    messages = sum(run["messages"] for run in summary.imported)
    print(
        f"{len(summary.imported)} runs with {messages} messages are stored; space {summary.space_id} learns from them"
    )
    for refused in summary.refused:
        name = f"{refused['run_id']} (line {refused['line']})" if refused["run_id"] else f"line {refused['line']}"
        Console(stderr=True).print(f"[red]refused[/red] {name}: {refused['reason']}", highlight=False, soft_wrap=True)


def _run(stack: Stack, serving: upping.Serving, only: list[str]) -> None:
    try:
        upping.run(stack, serving, only)
    except upping.RefusedError as error:
        raise failed(str(error)) from error


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
