"""Real servers for every test that wants one; each is started once a run, when the first test asks for it."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from craftlog.testing.servers import S3, mongo_server, nats_server, qdrant_server, s3_server
from craftlog.testing.stack import Stack

# A slow machine is not a broken rule. Integration tries the same examples each time, people others at every run.
settings.register_profile("craftlog", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("craftlog")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give the whole of Craftlog, running."""
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="session")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a nats-server; its one stream is shared by the tests of a run."""
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server.url


@pytest.fixture(scope="session")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a MongoDB; a test takes a database of its own name."""
    with mongo_server(tmp_path_factory.mktemp("mongo")) as server:
        yield server.url


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """Give an S3 server with its one bucket."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def qdrant_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of an index; a test takes a collection of its own name."""
    with qdrant_server(tmp_path_factory.mktemp("qdrant")) as server:
        yield server.url
