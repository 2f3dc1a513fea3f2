"""The data folder: who holds it, the inner ports and the secrets that are kept in it."""

import fcntl
import json
import os
import random
import secrets
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
# Below what Linux hands to outgoing connections (from 32768): a client that keeps knocking at a server which is down
# can otherwise be given the server's own port, and then answers itself.
_PORTS: Final = range(10240, 32000)
_ATTEMPTS: Final = 1000
_SECRETS: Final = "secrets.json"
_URL: Final = "url"


class FolderInUseError(Exception):
    """Somebody else runs on this data folder."""


@contextmanager
def held(root: Path) -> Iterator[None]:
    """Hold a data folder for this process alone; the system lets go of it however the process ends.

    Raises:
        FolderInUseError: another process holds it.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (root / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise FolderInUseError(f"craftlog already runs on {root} (process {holder}); stop it first") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def drop(root: Path, names: Sequence[str]) -> None:
    """Remove these folders of a data folder on which nobody runs; one that is not there is fine.

    Raises:
        FolderInUseError: another process holds it.
    """
    with held(root):
        for name in names:
            if (root / name).exists():
                shutil.rmtree(root / name)


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Return whether a server could listen on this port now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port(taken: Sequence[int] = ()) -> int:
    """Return a port of the loopback address on which nobody listens, and none of those ``taken``.

    Raises:
        OSError: there is none left.
    """
    for _ in range(_ATTEMPTS):
        port = random.choice(_PORTS)  # noqa: S311 - a port is no secret
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port between {_PORTS.start} and {_PORTS.stop}")


def kept_ports(root: Path, names: Sequence[str]) -> dict[str, int]:
    """Return a port for each name: the one kept in ``ports.json`` unless somebody took it meanwhile."""
    path = root / "ports.json"
    known: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    ports: dict[str, int] = {}
    for name in names:
        kept = known.get(name)
        ports[name] = kept if kept is not None and is_free(kept) else free_port([*known.values(), *ports.values()])
    if ports != known:
        write(path, json.dumps(ports, indent=1))
    return ports


def kept_secrets(root: Path, names: Sequence[str]) -> dict[str, str]:
    """Return a secret for each name, made at the first start and kept where only the owner reads it."""
    path = root / _SECRETS
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    kept = {name: known.get(name) or secrets.token_hex(20) for name in names}
    if kept != known:
        write(path, json.dumps(kept, indent=1), mode=0o600)
    return kept


def kept_secret(root: Path, name: str) -> str | None:
    """Return a secret of a data folder, None where none was made yet."""
    path = root / _SECRETS
    return json.loads(path.read_text()).get(name) if path.exists() else None


def kept_url(root: Path) -> str | None:
    """Return where the gateway of a data folder listened last, None where none ever did."""
    path = root / _URL
    return path.read_text().strip() if path.exists() else None


def keep_url(root: Path, url: str) -> None:
    """Note where the gateway of a data folder listens."""
    write(root / _URL, f"{url}\n")


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file at once: a reader, or a start after a crash, sees the old text or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    draft.replace(path)
