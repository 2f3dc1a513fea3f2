"""Craftlog with a project for each SDK, and the SDKs to drive it with."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from uuid import NAMESPACE_URL, uuid5

import httpx
import pytest
from tests.conformance.sdks import EVERY, PATIENCE, PATIENCE_AT_START, Sdk, heard, start

from craftlog.testing.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give the whole of Craftlog, with a project of its own for each SDK, so that lists and tools are its own too."""
    tokens = {token_of(name): str(uuid5(NAMESPACE_URL, name)) for name in EVERY}
    with Stack(tmp_path_factory.mktemp("stack"), env={"CRAFTLOG_TOKENS": json.dumps(tokens)}) as running:
        yield running


@pytest.fixture(scope="session")
def sdks(stack: Stack) -> Iterator[dict[str, Sdk]]:
    """Give all SDKs, each release in a process of its own."""
    with ExitStack() as processes:

        def started(release: str) -> subprocess.Popen[str]:
            process = start(release, f"{stack.base_url}/api/v1")
            processes.callback(process.wait, PATIENCE)
            processes.callback(process.stdout.close)
            processes.callback(process.stdin.close)
            return process

        drivers = {release: started(release) for release in sorted({name.partition("-")[0] for name in EVERY})}
        for process in drivers.values():
            heard(process, PATIENCE_AT_START, "its start")
        yield {name: Sdk(name, drivers[name.partition("-")[0]], token_of(name)) for name in EVERY}


@pytest.fixture
def sdk(sdks: dict[str, Sdk], request: pytest.FixtureRequest) -> Sdk:
    """Give the SDK that the test is for."""
    return sdks[request.param]


@pytest.fixture
def http(sdk: Sdk, stack: Stack) -> Iterator[httpx.Client]:
    """Give the same project without an SDK between."""
    headers = {"Authorization": f"Bearer {sdk.key}"}
    with httpx.Client(base_url=f"{stack.base_url}/api/v1", headers=headers, timeout=PATIENCE) as client:
        yield client


def token_of(name: str) -> str:
    return f"sk-ac-{name}"
