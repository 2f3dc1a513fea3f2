"""Observers beside a stack that has none: each a process to be killed or frozen, all of them behind one model."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from craftlog.cli.child import die_with
from craftlog.testing.scripted_model import Reply, ScriptedModel
from craftlog.testing.stack import Stack

WITHOUT_OBSERVER = ("nats", "mongo", "s3", "ingest", "gateway")
PATIENCE = 60.0
MODEL = "small"
_EVERY = 0.02
_ROOT = Path(__file__).parents[2]


class Observer:
    """A process of ``tests.faults.faulty_observer``; what it says is in its log."""

    def __init__(self, stack: Stack, model: ScriptedModel, arguments: list[str], settings: dict[str, Any]) -> None:
        own = {"llm_base_url": model.url, "llm_model": MODEL, "observe_idle": 0.2, **settings}
        environment = {f"CRAFTLOG_{name.upper()}": str(value) for name, value in own.items()}
        self._log = stack.data / f"observer-{uuid4().hex[:8]}.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.faulty_observer", *arguments],
                env={**os.environ, **stack.env, **environment},
                cwd=_ROOT,
                stderr=log,
                preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 - it only calls the C library
            )

    @property
    def pid(self) -> int:
        """Return the id of the process."""
        return self._process.pid

    def said(self) -> str:
        """Return what it has logged so far."""
        return self._log.read_text()

    def await_said(self, words: str) -> None:
        """Wait until it has logged something, or died over it."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.said() and self._process.poll() is None:
            assert time.monotonic() < deadline, f"it never said {words!r}: {self.said()[-2000:]}"
            time.sleep(_EVERY)

    def await_death(self) -> None:
        """Wait until it has killed itself."""
        assert self._process.wait(PATIENCE) == -signal.SIGKILL, self.said()[-2000:]

    def await_frozen(self) -> None:
        """Wait until it has frozen itself."""
        deadline = time.monotonic() + PATIENCE
        while not os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT):
            assert time.monotonic() < deadline, self.said()[-2000:]
            time.sleep(_EVERY)

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it as -9 does, and return when it is gone."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def is_dead(self) -> bool:
        """Tell whether it has ended."""
        return self._process.poll() is not None

    def end(self) -> None:
        """Have it end in peace, if it still runs."""
        if not self.is_dead():
            self.tell(signal.SIGCONT)
            self._process.terminate()
        self._process.wait(PATIENCE)


@contextmanager
def observing(stack: Stack, model: ScriptedModel, *arguments: Any, **settings: Any) -> Iterator[Observer]:
    """Run an observer for the block, which begins when it serves; ``settings`` are those of the observer."""
    observer = Observer(stack, model, [str(argument) for argument in arguments], settings)
    try:
        observer.await_said('"serving"')
        yield observer
    finally:
        observer.end()


def granted(_: object) -> Reply:
    """Let the rules go on that must ask a model first."""
    return Reply('{"granted": true}')
