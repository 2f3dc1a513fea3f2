"""`make bench`: what we do beside the least that could do it, measured in one run: ``[name …] [--json]``."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from tests.benchmarks import (
    appending,
    artifacts,
    batching,
    committing,
    lagging,
    observing,
    paging,
    projecting,
    prompts,
    uploading,
)

# What each is given is an empty folder of its own; what it returns are figures by what they say, targets included.
MEASUREMENTS: dict[str, Callable[[Path], dict[str, float]]] = {
    "appending": appending.measure,
    "committing": committing.measure,
    "batching": batching.measure,
    "paging": paging.measure,
    "projecting": projecting.measure,
    "lagging": lagging.measure,
    "observing": observing.measure,
    "prompts": prompts.measure,
    "artifacts": artifacts.measure,
    "uploading": uploading.measure,
}


def main() -> None:
    """Measure all, or those named, and print a table (``--json``: one object)."""
    parser = ArgumentParser("python -m tests.benchmarks", description="Measure all, or those named.")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(MEASUREMENTS))
    parser.add_argument("--json", action="store_true", help="print one object instead of a table")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(MEASUREMENTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(MEASUREMENTS)}")
    figures: dict[str, float] = {}
    with Progress(console=Console(stderr=True)) as progress, TemporaryDirectory() as root:
        for name in progress.track(asked.names or list(MEASUREMENTS), description="measuring"):
            folder = Path(root) / name
            folder.mkdir()
            figures |= MEASUREMENTS[name](folder)
    if asked.json:
        sys.stdout.write(json.dumps(figures, indent=1) + "\n")
        return
    table = Table("figure", "measured")
    for figure, value in figures.items():
        table.add_row(figure, f"{value:,.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
