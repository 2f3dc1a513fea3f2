"""Keeps several programs running: starts them in groups, restarts one that dies, stops all, leaves no orphan."""

import asyncio
import json
import os
import signal
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from craftlog.cli.child import Child, die_with
from craftlog.cli.folder import write

WINDOW: Final = 60.0  # seconds in which ...
TOO_MANY: Final = 5  # ... this many deaths of one child end everything
FIRST_DELAY: Final = 0.2  # seconds before the first restart; doubled with each further death in the window
START_PATIENCE: Final = 60.0  # seconds for a child to serve
STOP_PATIENCE: Final = 8.0  # seconds from SIGTERM to SIGKILL
PROBE_EVERY: Final = 0.05


class ChildError(Exception):
    """A child cannot be kept running, or does not come to serve; the text names it and its log file."""


class _Kept:
    """One child, its process of the moment, and the deaths that count against it."""

    def __init__(self, child: Child, log: Path) -> None:
        self.child = child
        self.log = log
        self.restarts = 0
        self._process: asyncio.subprocess.Process | None = None
        self._deaths: deque[float] = deque(maxlen=TOO_MANY)

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process is not None and running else None

    async def spawn(self) -> asyncio.subprocess.Process:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.child.argv,
                env=self.child.environment,
                cwd=self.child.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A group of its own: Ctrl-C in a terminal reaches only us, and we choose the order.
                start_new_session=True,
                preexec_fn=die_with(os.getpid()),
            )
        return self._process

    def died(self) -> float:
        """Count a death and return the seconds to wait before the next start.

        Raises:
            ChildError: it was one too many.
        """
        now = time.monotonic()
        self.restarts += 1
        self._deaths.append(now)
        recent = sum(now - death < WINDOW for death in self._deaths)
        if recent >= TOO_MANY:
            raise ChildError(f"{self.child.name} died {recent} times within a minute; its log is {self.log}")
        return FIRST_DELAY * 2.0 ** (recent - 1)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and all that it started, also when only the latter are left."""
        if self._process is not None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return  # nobody is left


class Supervisor:
    """Runs groups of children until it is left; ``children.json`` says which process each one is.

    Use as an async context manager: on leaving, the group started last is stopped first.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._groups: list[dict[_Kept, asyncio.Task[None]]] = []
        self._stopping = asyncio.Event()
        self._broken: asyncio.Future[ChildError] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._stopping.set()
        for group in reversed(self._groups):
            await asyncio.gather(*(_end(kept, task) for kept, task in group.items()))
        self._record()

    async def start(self, children: Sequence[Child]) -> None:
        """Start children together and return when each of them serves.

        Raises:
            ChildError: one of them keeps dying or does not come to serve in time.
        """
        group = [_Kept(child, self._root / "logs" / f"{child.name}.log") for child in children]
        self._groups.append({kept: asyncio.create_task(self._keep(kept), name=kept.child.name) for kept in group})
        ready: asyncio.Future[Any] = asyncio.gather(*(_serves(kept) for kept in group))
        try:
            await asyncio.wait([ready, self._broken], return_when=asyncio.FIRST_COMPLETED)
            if self._broken.done():
                raise self._broken.result()
            await ready
        finally:
            ready.cancel()

    async def broken(self) -> ChildError:
        """Wait until a child has died too often, and return the reason."""
        return await asyncio.shield(self._broken)

    async def _keep(self, kept: _Kept) -> None:
        try:
            while not self._stopping.is_set():
                await self._run(kept)
        except ChildError as error:
            self._break(error)
        except OSError as error:
            self._break(ChildError(f"cannot start {kept.child.name}: {error}"))

    async def _run(self, kept: _Kept) -> None:
        process = await kept.spawn()
        self._record()
        if self._stopping.is_set():  # asked to stop while it was being started
            kept.signal(signal.SIGTERM)
        await process.wait()
        kept.signal(signal.SIGKILL)  # what it left behind would keep its port or its files
        if not self._stopping.is_set():
            delay = kept.died()
            self._record()
            await asyncio.wait({asyncio.create_task(self._stopping.wait())}, timeout=delay)

    def _break(self, error: ChildError) -> None:
        if not self._broken.done():
            self._broken.set_result(error)

    def _record(self) -> None:
        kept = [kept for group in self._groups for kept in group]
        children = {one.child.name: {"pid": one.pid, "restarts": one.restarts} for one in kept}
        write(self._root / "children.json", json.dumps(children, indent=1))


async def _serves(kept: _Kept) -> None:
    try:
        async with asyncio.timeout(START_PATIENCE):
            while not await kept.child.ready():  # noqa: ASYNC110 - another process sets no event of ours
                await asyncio.sleep(PROBE_EVERY)
    except TimeoutError:
        reason = f"{kept.child.name} did not serve within {START_PATIENCE:.0f} s; its log is {kept.log}"
        raise ChildError(reason) from None


async def _end(kept: _Kept, task: asyncio.Task[None]) -> None:
    kept.signal(signal.SIGTERM)
    _, running = await asyncio.wait({task}, timeout=STOP_PATIENCE)
    if running:
        kept.signal(signal.SIGKILL)
    await task
