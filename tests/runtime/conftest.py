"""A log on a server of its own for each test, and the smallest aggregate: a session that counts its messages."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import nats
import pytest

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import Event, MessageAppended, SessionCreated
from craftlog.contracts.messages import Part
from craftlog.contracts.readmodels import Changes
from craftlog.contracts.subjects import Address, Kind
from craftlog.runtime.desk import Desk, Rules
from craftlog.runtime.log import Log
from craftlog.runtime.mongo import Database, connect
from craftlog.runtime.settings import Settings
from craftlog.testing.examples import PROJECT
from craftlog.testing.servers import Server, nats_server


@dataclass(frozen=True)
class Counted:
    """How many messages, of a session that exists or not."""

    exists: bool = False
    messages: int = 0


class UnknownError(Exception):
    """There is no such session."""


def decide(state: Counted, command: str) -> Sequence[Event]:
    """Obey "create" (quiet on repeat), "refuse", or append the command's text."""
    if command == "create":
        return [] if state.exists else [SessionCreated()]
    if not state.exists:
        raise UnknownError("create it first")
    if command == "refuse":
        raise UnknownError("refused")
    part = Part(type="text", text=command)
    message_id = str(uuid4())
    return [MessageAppended(message_id=message_id, position=state.messages + 1, role="user", parts=(part,))]


def evolve(state: Counted, event: Event) -> Counted:
    """Count."""
    match event:
        case SessionCreated():
            return replace(state, exists=True)
        case MessageAppended(position=position):
            return replace(state, messages=position)
        case _:
            return state


def project(head: Mapping[str, Any] | None, events: Sequence[Recorded]) -> Changes:
    """Fold into a head with the texts, and a child a message; the text "unfoldable" cannot be folded."""
    texts = list(head["texts"]) if head else []
    changes = Changes({})
    for recorded in events:
        if isinstance(recorded.event, MessageAppended):
            text = recorded.event.parts[0].text or ""
            if text == "unfoldable":
                raise ValueError("this text cannot be folded")
            texts.append(text)
            child_id = f"{recorded.address.id}/{recorded.event.position}"
            changes.children["messages", child_id] = {"text": "\0key" if text == "unstorable" else text}
            if text == "unstorable":
                changes.children["messages", child_id] = {"big": 2**70}
    changes.head = {"texts": texts}
    return changes


async def nothing(_: Address) -> None:
    """Give no snapshot."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with nats_server(tmp_path) as running:
        yield running


@pytest.fixture
async def log(server: Server) -> AsyncIterator[Log]:
    client = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    log = Log(client)
    await log.prepare()
    yield log
    with suppress(ConnectionError):  # some tests leave the server dead
        await client.close()


@pytest.fixture
def address() -> Address:
    return Address(Kind.SESSION, PROJECT, str(uuid4()))


@pytest.fixture
def rules() -> Rules[Counted, str]:
    return Rules(Counted(), decide, evolve)


@pytest.fixture
def desk(log: Log, rules: Rules[Counted, str]) -> Desk[Counted, str]:
    return Desk(log, rules, nothing)


@pytest.fixture
def rival(log: Log, rules: Rules[Counted, str]) -> Desk[Counted, str]:
    """Give the desk of another process, which does not see what this one remembers."""
    return Desk(log, rules, nothing)


@pytest.fixture
def unknown_error() -> type[Exception]:
    return UnknownError


@pytest.fixture
def counting() -> object:
    return project


@pytest.fixture
async def database(mongo_url: str) -> AsyncIterator[Database]:
    """Give a database of the test's own."""
    database = connect(Settings(mongo_url=mongo_url, mongo_database=f"t{uuid4().hex}"))
    yield database
    database.client.close()
