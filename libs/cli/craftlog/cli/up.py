"""`craftlog up`: everything on one machine, in the foreground, until it is told to stop."""

import asyncio
import contextlib
import ipaddress
import os
import signal
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from craftlog.cli.child import MissingProgramError
from craftlog.cli.folder import FolderInUseError, held, is_free
from craftlog.cli.stack import SERVERS, SERVICES, Stack
from craftlog.cli.supervisor import ChildError, Supervisor

DEFAULT_TOKEN: Final = "sk-ac-your-root-api-bearer-token"  # noqa: S105 - everybody knows it, which is the point
TOKEN_VARIABLE: Final = "CRAFTLOG_API_TOKEN"  # noqa: S105 - a name

Serving = Callable[[Stack], Awaitable[None]]


class RefusedError(Exception):
    """Craftlog cannot or may not start like this; the text says what to do."""


def token() -> str:
    """Return the API token that the services of this environment expect."""
    return os.environ.get(TOKEN_VARIABLE) or DEFAULT_TOKEN


def run(stack: Stack, serving: Serving, only: Collection[str] = ()) -> None:
    """Start everything, await ``serving``, stop everything; a SIGTERM or Ctrl-C ends it at any point, quietly.

    Raises:
        RefusedError: it cannot or may not start like this, or a child cannot be kept running.
    """
    _check(stack, only)
    try:
        with held(stack.root):
            asyncio.run(_run(stack, serving, only))
    except (FolderInUseError, MissingProgramError, ChildError) as error:
        raise RefusedError(str(error)) from error


def _check(stack: Stack, only: Collection[str]) -> None:
    if unknown := sorted(set(only) - {*SERVERS, *SERVICES}):
        raise RefusedError(f"no part is called {', '.join(unknown)}; there are {', '.join((*SERVERS, *SERVICES))}")
    if not _is_loopback(stack.host) and token() == DEFAULT_TOKEN:
        raise RefusedError(
            f"refusing to listen on {stack.host} with the default API token, which everybody knows. "
            f"Set {TOKEN_VARIABLE} to a token of your own (sk-ac-…), or leave --host at 127.0.0.1."
        )
    if (not only or "gateway" in only) and not is_free(stack.port, stack.host):
        raise RefusedError(f"port {stack.port} of {stack.host} is taken or not ours to use; choose another with --port")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise RefusedError(f"--host {host} is no IP address") from None


async def _run(stack: Stack, serving: Serving, only: Collection[str]) -> None:
    work = asyncio.create_task(_serve(stack, serving, only))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _once(work))
    with contextlib.suppress(asyncio.CancelledError):
        await work


def _once(work: asyncio.Task[None]) -> Callable[[], None]:
    """Cancel the first time only: a second Ctrl-C must not interrupt the stopping, which is bounded anyway."""

    def stop() -> None:
        if not work.cancelling():
            work.cancel()

    return stop


async def _serve(stack: Stack, serving: Serving, only: Collection[str]) -> None:
    async with Supervisor(stack.root) as supervisor:
        for group in stack.groups(only):
            await supervisor.start(group)
        served, broken = asyncio.ensure_future(serving(stack)), asyncio.create_task(supervisor.broken())
        try:
            await asyncio.wait({served, broken}, return_when=asyncio.FIRST_COMPLETED)
            if not served.done():
                raise broken.result()
            await served
        finally:
            served.cancel()
            broken.cancel()
