"""A slow disk, made by letting a running server wait after each sync."""

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

DELAY_MS: Final = 3
_PATIENCE: Final = 20.0


@contextmanager
def slow(pid: int) -> Iterator[None]:
    """Make each fsync and fdatasync of a process take 3 ms longer, until the end of the block.

    nats-server syncs with fsync. Two small files of each atomic batch are written with O_SYNC instead, which this does
    not slow down: a real disk of that kind takes 6 ms more for a batch.

    Raises:
        RuntimeError: strace is not here or may not trace; the text says what to do.
    """
    program = shutil.which("strace")
    if program is None:
        raise RuntimeError("a slow disk is made with strace, which is not here: apt-get install strace")
    syncs = "fsync,fdatasync"
    wish = ["-e", f"trace={syncs}", "-e", f"inject={syncs}:delay_exit={DELAY_MS}000"]
    # It tells on stderr when it is there, and of each sync in its output.
    tracer = subprocess.Popen(
        [program, "-f", "-p", str(pid), "-o", os.devnull, *wish], stderr=subprocess.PIPE, text=True
    )
    try:
        _await_attached(tracer)
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=_PATIENCE)


def _await_attached(tracer: subprocess.Popen[str]) -> None:
    assert tracer.stderr is not None
    deadline, said = time.monotonic() + _PATIENCE, ""
    while "attached" not in said and tracer.poll() is None and time.monotonic() < deadline:
        if select.select([tracer.stderr], [], [], 0.1)[0]:
            said += tracer.stderr.readline()
    if "attached" not in said:
        raise RuntimeError(
            f"strace cannot trace nats-server (said {said!r}): "
            "be root, or allow it with: sysctl kernel.yama.ptrace_scope=0"
        )
