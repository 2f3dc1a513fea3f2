"""The published SDKs, each in an environment of its own that is made here, driven by JSON lines."""

import json
import os
import select
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import wraps
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

HERE: Final = Path(__file__).parent
MADE: Final = HERE.parents[1] / ".conformance"
NPM: Final = "npm-0.0.16"
OLD: Final = [f"{release}-{how}" for release in ("0.0.8", "0.0.9", "0.0.10") for how in ("sync", "async")]
NEW: Final = ["0.1.3-sync", "0.1.3-async"]
EVERY: Final = [*OLD, *NEW, NPM]
PATIENCE: Final = 60.0
# An SDK takes seconds of a processor to be imported, and five are at once.
PATIENCE_AT_START: Final = 300.0
# The same call had another name.
_FORMERLY: Final = {"sessions.store_message": "sessions.send_message"}
_BEFORE_STORE: Final = ("0.0.8", "0.0.9")

Test = TypeVar("Test", bound=Callable[..., Any])


class SdkError(Exception):
    """What an SDK raised: ``type`` is its class, ``status`` and ``code`` are there for an APIError."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['type']}: {error['message']}")
        self.type: str = error["type"]
        self.status: int | None = error.get("status")
        self.code: int | None = error.get("code")
        self.message: str = error["message"]
        self.name: str | None = error.get("name")


class Sdk:
    """One SDK in one way of using it. ``call`` takes Python's names and keywords, whatever the language."""

    def __init__(self, name: str, process: subprocess.Popen[str], key: str) -> None:
        self.name = name
        self.release, _, self.how = name.partition("-")
        self.key = key
        self.called: set[str] = set()
        self._process = process

    def __call__(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Return the parsed result of a method; raises SdkError."""
        self.called.add(name)
        spelled = _FORMERLY.get(name, name) if self.release in _BEFORE_STORE else name
        line = json.dumps({"how": self.how, "key": self.key, "name": spelled, "args": args, "kwargs": kwargs})
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        said = json.loads(heard(self._process, PATIENCE, line))
        if "error" in said:
            raise SdkError(said["error"])
        return said["value"]

    def methods(self) -> set[str]:
        """Return all methods that this SDK has, as it says itself."""
        new_names = {old: new for new, old in _FORMERLY.items()}
        return {new_names.get(name, name) for name in self("methods")}


def driven(*methods: str, by: Sequence[str] = EVERY) -> Callable[[Test], Test]:
    """Say which methods a test drives, by which SDKs; the test fails where it does not."""

    def mark(test: Test) -> Test:
        @wraps(test)
        def checked(sdk: Sdk, **fixtures: Any) -> None:
            sdk.called.clear()
            test(sdk=sdk, **fixtures)
            assert set(methods) <= sdk.called, "the test does not drive what it says"

        parametrized = pytest.mark.parametrize("sdk", by, indirect=True)(checked)
        return pytest.mark.drives(*methods, by=tuple(by))(parametrized)

    return mark


def upload(name: str, content: bytes, *mime: str) -> dict[str, Any]:
    """Return a file as an argument; without a content type it is the SDK's short form, a pair."""
    return {"$upload": [name, b64encode(content).decode(), *mime]}


def pages(sdk: Sdk, method: str, *args: Any, **kwargs: Any) -> list[Any]:
    """Return the items of all pages of a list."""
    items: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = sdk(method, *args, **kwargs, **cursor)
        items += page["items"]
        if not page["has_more"]:
            return items
        cursor = {"cursor": page["next_cursor"]}


def heard(process: subprocess.Popen[str], patience: float, asked: str) -> str:
    """Return the next line of a driver, which is killed if it is late: its answer would pass for that to the next."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], patience)
    if not readable:
        process.kill()
    line = process.stdout.readline()
    assert line, f"no answer to {asked}"
    return line


def start(release: str, base_url: str) -> subprocess.Popen[str]:
    """Start the driver of an SDK in its environment, which is made at the first time; it says when it is ready."""
    argv, folder = _node() if release == "npm" else _python(release)
    return subprocess.Popen(
        argv,
        cwd=folder,
        env={**os.environ, "ACONTEXT_BASE_URL": base_url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _python(release: str) -> tuple[list[str], Path]:
    locked = HERE / "sdk" / f"acontext-{release}.txt"
    uv = str(Path(sys.executable).parent / "uv")

    def install(folder: Path) -> None:
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], folder)
        python = ["--python", str(folder / "bin" / "python")]
        _run([uv, "pip", "install", "--quiet", *python, "--require-hashes", "-r", str(locked)], folder)

    folder = _made(f"acontext-{release}", [locked], install)
    return [str(folder / "bin" / "python"), "-u", str(HERE / "drive_python.py")], folder


def _node() -> tuple[list[str], Path]:
    locked = [HERE / "sdk" / name for name in ("package.json", "package-lock.json")]

    def install(folder: Path) -> None:
        for file in locked:
            shutil.copy(file, folder)
        _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    return ["node", str(HERE / "drive_node.cjs")], _made("npm", locked, install)


def _made(name: str, locked: Sequence[Path], install: Callable[[Path], None]) -> Path:
    """Return the folder of an environment; what it was locked to is in its name, so that another lock makes another."""
    key = sha256(b"".join([sys.version.encode(), *(file.read_bytes() for file in locked)])).hexdigest()[:12]
    folder = MADE / f"{name}-{key}"
    if not (ready := folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(folder)
        ready.touch()
    return folder


def _run(argv: list[str], folder: Path) -> None:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr[-4000:]}"
