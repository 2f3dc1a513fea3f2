"""The `craftlog` command."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from craftlog.cli import up as upping
from craftlog.cli.stack import Stack

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Craftlog: a context data platform for AI agents. It stores what they did and learns how to do it again.",
)

Data = Annotated[Path, typer.Option(help="Folder that holds everything: log, read models, objects, index, logs.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of the HTTP API.")]


@app.callback()
def commands() -> None:
    """Keep `up` a command of its own while it is the only one."""


@app.command()
def up(
    data: Data = Path(".craftlog"),
    port: Port = 8029,
    host: Annotated[str, typer.Option(help="Address to listen on; others than loopback need a token.")] = "127.0.0.1",
    only: Annotated[str, typer.Option(help="Start these parts alone, separated by commas: nats,gateway.")] = "",
) -> None:
    """Run Craftlog on this machine, in the foreground; prints one line when it serves. Ctrl-C stops it."""
    parts = [part.strip() for part in only.split(",") if part.strip()]

    async def serving(stack: Stack) -> None:
        print(f"ready {stack.url}", flush=True)
        await asyncio.Event().wait()

    _run(Stack(data.absolute(), host, port), serving, parts)


def _run(stack: Stack, serving: upping.Serving, only: list[str]) -> None:
    try:
        upping.run(stack, serving, only)
    except upping.RefusedError as error:
        Console(stderr=True).print(f"[red]craftlog:[/red] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
