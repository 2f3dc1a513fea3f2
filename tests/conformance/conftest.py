"""Craftlog with a project for each SDK, and the SDKs to drive it with."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from uuid import NAMESPACE_URL, uuid5

import httpx
import pytest
from tests.conformance.sdks import EVERY, PATIENCE, Sdk, start

from craftlog.testing.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give the whole of Craftlog, with a project of its own for each SDK, so that lists and tools are its own too."""
    tokens = {token_of(name): str(uuid5(NAMESPACE_URL, name)) for name in EVERY}
    with Stack(tmp_path_factory.mktemp("stack"), env={"CRAFTLOG_TOKENS": json.dumps(tokens)}) as running:
        yield running


@pytest.fixture(scope="session")
def sdks(stack: Stack) -> Iterator[dict[str, Sdk]]:
    """Give all SDKs, in as many processes."""
    with ExitStack() as processes:

        def started(name: str) -> Sdk:
            process = start(name.partition("-")[0], f"{stack.base_url}/api/v1", token_of(name))
            processes.callback(process.wait, PATIENCE)
            processes.callback(process.stdout.close)
            processes.callback(process.stdin.close)
            return Sdk(name, process)

        yield {name: started(name) for name in EVERY}


@pytest.fixture
def sdk(sdks: dict[str, Sdk], request: pytest.FixtureRequest) -> Sdk:
    """Give the SDK that the test is for."""
    return sdks[request.param]


@pytest.fixture
def http(sdk: Sdk, stack: Stack) -> Iterator[httpx.Client]:
    """Give the same project without an SDK between."""
    headers = {"Authorization": f"Bearer {token_of(sdk.name)}"}
    with httpx.Client(base_url=f"{stack.base_url}/api/v1", headers=headers, timeout=PATIENCE) as client:
        yield client


def token_of(name: str) -> str:
    return f"sk-ac-{name}"
