"""The read models: SecantusDB, a GPL program that speaks MongoDB's wire protocol; run beside us, never imported."""

from pathlib import Path

from pymongo import AsyncMongoClient
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

    async def ready() -> bool:
        client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(url(port), serverSelectionTimeoutMS=1000)
        try:
            await client.admin.command("ping")
        except PyMongoError:
            return False
        finally:
            await client.close()
        return True

    argv = (
        *(program("secantusd-py"), "--config", str(config), "--host", LOOPBACK, "--port", str(port)),
        *("--storage-path", str(folder / "data"), "--log-level", "WARNING", "--sync-on-commit"),
        *("--cache-size", "256M", "--oplog-max-entries", "20000"),
    )
    return Child("mongo", argv, ready)
