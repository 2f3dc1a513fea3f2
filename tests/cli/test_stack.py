"""What the services are told, and when one of them counts as serving."""

from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from craftlog.cli.child import Child
from craftlog.cli.folder import LOOPBACK, free_port
from craftlog.cli.stack import SERVERS, SERVICES, Stack
from craftlog.contracts.questions import ServiceHealth
from craftlog.contracts.subjects import HEALTH


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    client = await nats.connect(nats_url)
    yield client
    await client.close()


def service(root: Path, name: str) -> Child:
    [_, [child]] = Stack(root, LOOPBACK, free_port()).groups([name])
    return child


class TestParts:
    def test_the_servers_come_before_the_services(self, tmp_path: Path) -> None:
        groups = Stack(tmp_path, LOOPBACK, 8029).groups()
        assert [tuple(child.name for child in group) for group in groups] == [SERVERS, SERVICES]

    def test_only_the_parts_that_are_named_are_there(self, tmp_path: Path) -> None:
        groups = Stack(tmp_path, LOOPBACK, 8029).groups(["gateway", "nats"])
        assert [[child.name for child in group] for group in groups] == [["nats"], ["gateway"]]

    def test_the_gateway_is_told_where_to_listen(self, tmp_path: Path) -> None:
        [_, [gateway]] = Stack(tmp_path, LOOPBACK, 4711).groups(["gateway"])
        assert (gateway.env["CRAFTLOG_HOST"], gateway.env["CRAFTLOG_PORT"]) == (LOOPBACK, "4711")


class TestReadiness:
    async def test_a_service_serves_once_it_says_how_it_is(
        self, client: Client, nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("craftlog.cli.embedded.nats.url", lambda _: nats_url)
        observer, learner = service(tmp_path, "observer"), service(tmp_path, "learner")
        assert not await observer.ready()

        async def answer(asked: Msg) -> None:
            await asked.respond(ServiceHealth(service="observer").model_dump_json().encode())

        await client.subscribe(HEALTH, cb=answer)
        await client.flush()
        assert await observer.ready()
        assert not await learner.ready()

    async def test_nobody_serves_without_a_server(self, tmp_path: Path) -> None:
        assert not await service(tmp_path, "observer").ready()
        assert not await service(tmp_path, "gateway").ready()
