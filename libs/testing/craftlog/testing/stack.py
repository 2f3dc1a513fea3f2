"""The whole of Craftlog on one machine, as `craftlog up` starts it, for tests and measurements."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from craftlog.cli.child import die_with, program
from craftlog.cli.folder import LOOPBACK, free_port
from craftlog.cli.stack import GATEWAY_SECRETS, settings
from craftlog.cli.up import DEFAULT_TOKEN

PATIENCE: Final = 90.0  # seconds to be ready, to restart a child, to stop
_EVERY: Final = 0.05


class Stack:
    """`craftlog up` as a process of its own. A context manager; ``start`` and ``stop`` may be called in turns.

    Args:
        data: the data folder; what is in it is found again.
        only: the parts to start; all of them when empty.
        env: added to the environment of all parts.
    """

    def __init__(self, data: Path, *, only: Sequence[str] = (), env: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.port = free_port()
        self.base_url = f"http://{LOOPBACK}:{self.port}"
        self.token = (env or {}).get("CRAFTLOG_API_TOKEN", DEFAULT_TOKEN)
        self._only = only
        self._env = dict(env or {})
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Start everything and return when it is ready.

        Raises:
            RuntimeError: it ended, or is not ready in time; the text says what it said last.
        """
        argv = [program("craftlog"), "up", "--data", str(self.data), "--port", str(self.port)]
        if self._only:
            argv += ["--only", ",".join(self._only)]
        self.data.mkdir(parents=True, exist_ok=True)
        with self._said.open("w") as said:
            self._process = subprocess.Popen(
                argv,
                env={**os.environ, **self._env},
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 - it only calls the C library
            )
        self._await_ready(self._process)
        return self

    def stop(self) -> int | None:
        """Stop everything; return the status of `craftlog up`, None where it does not run."""
        if self._process is None:
            return None
        self._process.terminate()
        try:
            return self._process.wait(PATIENCE)
        finally:
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to `craftlog up` itself."""
        assert self._process is not None, "it does not run"
        self._process.send_signal(number)

    def wait(self) -> int:
        """Return the status of `craftlog up` when it ends by itself."""
        assert self._process is not None, "it does not run"
        return self._process.wait(PATIENCE)

    def said(self) -> str:
        """Return what `craftlog up` wrote to its standard error since the last start."""
        return self._said.read_text()

    @property
    def env(self) -> dict[str, str]:
        """The CRAFTLOG_ settings by which the services of this stack reach its servers."""
        return settings(self._read("ports.json"), self._read("secrets.json"))

    @property
    def admin_token(self) -> str:
        """The token of the admin API."""
        return self.gateway_env["CRAFTLOG_ADMIN_TOKEN"]

    @property
    def gateway_env(self) -> dict[str, str]:
        """What a gateway beside this stack's own must be told as well, to know the same keys."""
        secrets = self._read("secrets.json")
        return {name: self._env.get(name) or secrets[kept] for name, kept in GATEWAY_SECRETS.items()}

    def children(self) -> dict[str, dict[str, int | None]]:
        """Return of each child ``{pid, restarts}``; the pid is None while it is down."""
        return self._read("children.json")

    def log(self, name: str) -> str:
        """Return all that a child has written to its log."""
        return (self.data / "logs" / f"{name}.log").read_text()

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a child, once it runs."""
        os.kill(self._running(name)[0], number)

    def kill_and_await_restart(self, name: str) -> None:
        """Kill a child as -9 does and return when the next process of it runs (which may not yet serve)."""
        pid, restarts = self._running(name)
        os.kill(pid, signal.SIGKILL)
        self._running(name, after=restarts)

    def _running(self, name: str, after: int = -1) -> tuple[int, int]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            child = self.children()[name]
            if child["pid"] is not None and child["restarts"] is not None and child["restarts"] > after:
                return child["pid"], child["restarts"]
            time.sleep(_EVERY)
        raise TimeoutError(f"{name} is not running: {self.log(name)[-2000:]}")

    @property
    def _said(self) -> Path:
        return self.data / "up.log"

    def _await_ready(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], PATIENCE)
        line = process.stdout.readline() if readable else ""
        if line.strip() != f"ready {self.base_url}":
            raise RuntimeError(f"craftlog up is not ready; it said {line!r} and {self._said.read_text()[-2000:]!r}")

    def _read(self, name: str) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.data / name).read_text())
        return read
