"""Runs of agents in a file: JSON lines, one run a line, its messages as OpenAI's chat messages."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any


class FileError(Exception):
    """A line of the file is no run; the text names the line and the field."""


@dataclass(frozen=True)
class Run:
    """One conversation. ``key`` is the same for the same run wherever it is imported from, and no two runs share it."""

    line: int
    run_id: str | None
    messages: list[Any]

    @cached_property
    def key(self) -> str:
        """Return what its session and its messages are known by."""
        said = {"run_id": self.run_id, "messages": self.messages}
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return f"import-{hashlib.sha256(canonical.encode()).hexdigest()}"


def runs(path: Path | Traversable) -> Iterator[Run]:
    """Read the runs of a file one by one; empty lines are nothing.

    Raises:
        FileError: a line is no run.
        OSError: the file cannot be read.
    """
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _run(number, line)


def _run(number: int, line: bytes) -> Run:
    try:
        said = json.loads(line)
    except ValueError as error:
        raise FileError(f"line {number}: not JSON: {error}") from error
    except RecursionError:
        raise FileError(f"line {number}: nested too deep") from None
    if not isinstance(said, dict):
        raise FileError(f"line {number}: expected an object with the field messages")
    messages, run_id = said.get("messages"), said.get("run_id")
    if not isinstance(messages, list) or not messages:
        raise FileError(f"line {number}: messages: expected a list of at least one message")
    if run_id is not None and not isinstance(run_id, str):
        raise FileError(f"line {number}: run_id: expected a string")
    return Run(number, run_id, messages)
