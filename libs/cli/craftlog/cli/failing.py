"""How a command ends that cannot do what it was told."""

import typer
from rich.console import Console


def failed(reason: str) -> typer.Exit:
    """Say why on standard error, and return what to raise."""
    console = Console(stderr=True)
    console.print("[red]craftlog:[/red]", end=" ")
    console.print(reason, markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(1)
