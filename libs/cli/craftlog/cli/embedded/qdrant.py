"""The index: a process of ours that serves the part of Qdrant's REST API that we use."""

import sys
from pathlib import Path

import httpx

from craftlog.cli.child import Child
from craftlog.cli.folder import LOOPBACK


def url(port: int) -> str:
    """Return where clients reach it."""
    return f"http://{LOOPBACK}:{port}"


def server(folder: Path, port: int) -> Child:
    """Return the server that keeps its collections in ``folder``."""

    async def ready() -> bool:
        async with httpx.AsyncClient(timeout=1) as client:
            try:
                return (await client.get(f"{url(port)}/readyz")).is_success
            except httpx.TransportError:
                return False

    module = "craftlog.cli.embedded.qdrant_server"
    return Child("qdrant", (sys.executable, "-m", module, str(folder), LOOPBACK, str(port)), ready)
