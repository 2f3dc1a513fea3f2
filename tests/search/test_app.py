"""The service as a process: from events in the log to an answer by meaning, and an index that was lost."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import nats
import pytest
from nats.aio.client import Client
from nats.errors import NoRespondersError
from qdrant_client import AsyncQdrantClient

from craftlog.contracts.events import Event, SessionForgotten, SopFiled
from craftlog.contracts.questions import SearchAnswered, SearchAsked, ServiceHealth
from craftlog.contracts.subjects import HEALTH, Address, Kind, ask
from craftlog.llm.embeddings import OfflineEmbedder
from craftlog.runtime.log import Draft, Log, Position
from craftlog.testing.examples import PROJECT, example
from craftlog.testing.servers import nats_server, qdrant_server

PATIENCE = 30.0
PATIENCE_FOR_HEALTH = 0.5  # the gateway's
COLLECTION = f"craftlog-skills-{OfflineEmbedder.model}"


@contextmanager
def service(nats_url: str, qdrant_url: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "CRAFTLOG_NATS_URL": nats_url, "CRAFTLOG_QDRANT_URL": qdrant_url}
    process = subprocess.Popen([sys.executable, "-m", "craftlog.search"], env=environment)
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    connected = await nats.connect(nats_url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    await Log(connected).prepare()
    yield connected
    await connected.close()


async def append(client: Client, address: Address, *events: Event) -> int:
    """Append to the end; return the version."""
    log = Log(client)
    last = await log.last(address)
    at = Position(last.version, last.seq) if last else Position()
    drafts = [Draft(id=str(uuid4()), event=event, time=datetime.now(UTC)) for event in events]
    return (await log.append(address, at, drafts))[-1].version


def skill(use_when: str) -> SopFiled:
    return example(SopFiled, block_id=str(uuid4()), use_when=use_when)


async def until(attempt: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await attempt():
            await asyncio.sleep(0.05)


async def search(client: Client, address: Address, query: str, at_version: int) -> list[str]:
    """Return the titles found, once a service answers and has caught up."""
    asked = SearchAsked(project=address.project, space_id=address.id, query=query, limit=5, at_version=at_version)
    answers: list[SearchAnswered] = []

    async def answered() -> bool:
        try:
            reply = await client.request(ask("search", "experience"), asked.model_dump_json().encode(), timeout=10)
        except NoRespondersError:
            return False
        answers.append(SearchAnswered.model_validate_json(reply.data))
        return not answers[-1].behind

    await until(answered)
    return [cited.title for cited in answers[-1].cited_blocks]


class TestFromTheLogToAnAnswer:
    async def test_a_filed_skill_is_found_in_other_words_until_its_session_is_forgotten(
        self, client: Client, nats_url: str, qdrant_url: str
    ):
        home, other = (Address(Kind.TREE, PROJECT, str(uuid4())) for _ in range(2))
        cancel, invoice = "a customer wants to cancel a flight", "somebody has to bill a client for hours"
        with service(nats_url, qdrant_url):
            version = await append(client, home, skill(cancel), skill(invoice))
            assert await search(client, home, "call off my trip and get a refund", version) == [cancel]
            assert await search(client, other, "call off my trip and get a refund", 0) == []
            version = await append(client, home, example(SessionForgotten))
            assert await search(client, home, "call off my trip and get a refund", version) == []

    async def test_it_says_how_it_is(self, client: Client, nats_url: str, qdrant_url: str):
        with service(nats_url, qdrant_url):
            home = Address(Kind.TREE, PROJECT, str(uuid4()))
            await search(client, home, "anything", await append(client, home, skill("anything")))
            health = ServiceHealth.model_validate_json((await client.request(HEALTH, timeout=5)).data)
        assert health.service == "search"
        assert [consumer.name for consumer in health.consumers] == ["search-tree"]
        assert health.dependencies == {"qdrant": None}

    async def test_it_says_which_server_is_mute_before_it_seems_mute_itself(self, client: Client, nats_url: str):
        said: list[ServiceHealth] = []

        async def says() -> bool:
            try:
                answer = await client.request(HEALTH, timeout=PATIENCE_FOR_HEALTH)
            except (NoRespondersError, TimeoutError):
                return False
            said.append(ServiceHealth.model_validate_json(answer.data))
            return True

        with socket.create_server(("127.0.0.1", 0)) as mute:  # it takes connections and says nothing
            port = mute.getsockname()[1]
            with service(nats_url, f"http://127.0.0.1:{port}"):
                await until(says)
        assert said[0].dependencies == {"qdrant": "it does not answer"}


class TestALostIndex:
    async def test_is_filled_again_from_the_log(self, client: Client, nats_url: str, qdrant_url: str):
        home = Address(Kind.TREE, PROJECT, str(uuid4()))
        with service(nats_url, qdrant_url):
            version = await append(client, home, skill("cancel a flight"))
            assert await search(client, home, "cancel a flight", version) == ["cancel a flight"]
        qdrant = AsyncQdrantClient(url=qdrant_url, check_compatibility=False)
        await qdrant.delete_collection(COLLECTION)
        await qdrant.close()
        with service(nats_url, qdrant_url):
            assert await search(client, home, "cancel a flight", version) == ["cancel a flight"]

    async def test_ends_the_service_so_that_its_next_start_makes_it_anew(
        self, client: Client, nats_url: str, qdrant_url: str
    ):
        home = Address(Kind.TREE, PROJECT, str(uuid4()))
        environment = {**os.environ, "CRAFTLOG_NATS_URL": nats_url, "CRAFTLOG_QDRANT_URL": qdrant_url}
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "craftlog.search", env=environment)
        version = await append(client, home, skill("cancel a flight"))
        assert await search(client, home, "cancel a flight", version) == ["cancel a flight"]
        qdrant = AsyncQdrantClient(url=qdrant_url, check_compatibility=False)
        await qdrant.delete_collection(COLLECTION)
        await qdrant.close()
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 1
        with service(nats_url, qdrant_url):
            assert await search(client, home, "cancel a flight", version) == ["cancel a flight"]

    async def test_that_waits_for_one_space_answers_the_others(self, client: Client, nats_url: str, qdrant_url: str):
        home, behind = (Address(Kind.TREE, PROJECT, str(uuid4())) for _ in range(2))
        with service(nats_url, qdrant_url):
            version = await append(client, home, skill("cancel a flight"))
            assert await search(client, home, "cancel a flight", version) == ["cancel a flight"]
            late = SearchAsked(project=PROJECT, space_id=behind.id, query="x", limit=5, at_version=9)
            subject, body = ask("search", "experience"), late.model_dump_json().encode()
            waiting = [asyncio.create_task(client.request(subject, body, timeout=30)) for _ in range(5)]
            await client.flush()
            assert await search(client, home, "cancel a flight", version) == ["cancel a flight"]
            assert not any(one.done() for one in waiting)
            for reply in await asyncio.gather(*waiting):
                assert SearchAnswered.model_validate_json(reply.data).behind


class TestServersThatDie:
    async def test_an_index_that_is_away_loses_nothing(self, tmp_path: Path):
        home = Address(Kind.TREE, PROJECT, str(uuid4()))
        with (
            nats_server(tmp_path) as log_server,
            qdrant_server(tmp_path) as index_server,
            service(log_server.url, index_server.url),
        ):
            client = await nats.connect(log_server.url)
            await Log(client).prepare()
            first = await append(client, home, skill("cancel a flight"))
            assert await search(client, home, "cancel a flight", first) == ["cancel a flight"]
            index_server.kill()
            second = await append(client, home, skill("cancel a train"))
            index_server.start()
            assert await search(client, home, "cancel a flight", second) == ["cancel a flight", "cancel a train"]
            await client.close()
