"""The read models: SecantusDB, a GPL program that speaks MongoDB's wire protocol; run beside us, never imported."""

import asyncio
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from craftlog.cli.child import Child, program
from craftlog.cli.folder import LOOPBACK, write


def url(port: int) -> str:
    """Return where clients reach it; retryable writes would make it slower with every write it has ever seen."""
    return f"mongodb://{LOOPBACK}:{port}/?directConnection=true&retryWrites=false&w=1&journal=true"


def server(folder: Path, port: int) -> Child:
    """Return the server that keeps its databases in ``folder``."""
    config = folder / "mongo.toml"
    write(config, "")  # given one, it does not look for others in the home folder or /etc

    def answers() -> bool:
        with MongoClient[dict[str, object]](url(port), serverSelectionTimeoutMS=1000) as client:
            try:
                client.admin.command("ping")
            except PyMongoError:
                return False
        return True

    async def ready() -> bool:
        # In a thread: the driver's asyncio client sometimes leaves a socket open when it is closed at once.
        return await asyncio.to_thread(answers)

    argv = (
        *(program("secantusd-py"), "--config", str(config), "--host", LOOPBACK, "--port", str(port)),
        *("--storage-path", str(folder / "data"), "--log-level", "WARNING", "--sync-on-commit"),
        *("--cache-size", "256M", "--oplog-max-entries", "20000"),
    )
    return Child("mongo", argv, ready)
