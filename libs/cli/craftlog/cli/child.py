"""One program that runs beside others: how it is started, and how one knows that it serves."""

import ctypes
import os
import signal
import sys
import sysconfig
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

Probe = Callable[[], Awaitable[bool]]

PR_SET_PDEATHSIG: Final = 1
_libc: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Child:
    """A program to run: ``env`` is added to ours, ``ready`` answers whether it serves (it may be asked often)."""

    name: str
    argv: tuple[str, ...]
    ready: Probe
    env: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return the whole environment of the process."""
        return {**os.environ, "PYTHONUNBUFFERED": "1", **self.env}


class MissingProgramError(Exception):
    """An embedded server is not installed."""


def program(name: str) -> str:
    """Return the path of a program that came with a wheel into this environment.

    Raises:
        MissingProgramError: it is not there.
    """
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.exists():
        raise MissingProgramError(f"{name} is not installed here; it comes with: pip install 'craftlog-cli[embedded]'")
    return str(path)


def die_with(parent: int) -> Callable[[], None]:
    """Return what a forked child runs before its program, so that it cannot outlive ``parent``, even one killed by -9.

    Where the system has no such wish (it is Linux's), an orphan is possible after a kill -9 of the parent only.
    """

    def before_program() -> None:
        if _libc is None:
            return
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the wish was heard
            os._exit(1)

    return before_program
