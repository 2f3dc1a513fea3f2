"""A stack in which nobody observes but those whom a test starts, and what they should come to."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from uuid import NAMESPACE_URL, uuid5

import pytest
from tests.faults import runs
from tests.faults.observers import WITHOUT_OBSERVER, granted, observing
from tests.faults.sessions import boards, filled
from tests.faults.world import Document, World, behind

from craftlog.testing.scripted_model import scripted_model
from craftlog.testing.stack import Stack

# Each module has a project of its own, named by its PROJECT; to whom it has to be fair has another one.
PROJECTS = (
    "peace",
    "outage",
    "slow",
    "killed",
    "rebuilt",
    "redelivered",
    "frozen",
    "fuzzed",
    "busy",
    "calm",
    "flushed",
    "long",
)


def token_of(project: str) -> str:
    return f"sk-ac-{project}"


@pytest.fixture(scope="session")
def unobserved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack without an observer."""
    tokens = {token_of(name): str(uuid5(NAMESPACE_URL, name)) for name in PROJECTS}
    env = {"CRAFTLOG_TOKENS": json.dumps(tokens)}
    with Stack(tmp_path_factory.mktemp("unobserved"), only=WITHOUT_OBSERVER, env=env) as stack:
        yield stack


@pytest.fixture
async def world(unobserved: Stack, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Give what is behind that stack, to the project that the test's module names."""
    async with behind(unobserved, token_of(request.module.PROJECT)) as world:
        yield world


@pytest.fixture(scope="session")
def in_peace(unobserved: Stack) -> dict[int, Document]:
    """Give the boards of all runs as they are where nothing fails."""

    async def observed() -> dict[int, Document]:
        async with behind(unobserved, token_of("peace")) as world:
            return await boards(world, await filled(world, range(runs.HOW_MANY)))

    with scripted_model(granted) as model, observing(unobserved, model):
        return asyncio.run(observed())
