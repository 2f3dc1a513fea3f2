"""How long a task takes to be visible once its messages are due, without model time, beside the least that could do it.

200 sessions get their three messages (one append) evenly over 20 s, and so are due evenly over 20 s, the idle time
later. The clock starts at the ``due_at`` that the observer stored and stops when ``GET task`` shows the task, asked for
when the board is announced. The model is a scripted one that answers at once. The floor is one bare process on the same
servers: at its time it asks the same model, publishes the same events in one atomic batch, consumes them, inserts a
document and finds it.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final
from uuid import uuid4

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, StreamConfig
from tests.benchmarks.load import TEXT, Connection, create_sessions

from craftlog.contracts.envelope import encode
from craftlog.contracts.events import MessagesLinked, SessionObserved, TaskOpened, TaskProgressed, TaskStarted
from craftlog.contracts.readmodels import OBSERVER_DUE
from craftlog.contracts.subjects import Address, Kind, every_head
from craftlog.runtime import jetstream, mongo
from craftlog.runtime.settings import Settings
from craftlog.testing.examples import PROJECT
from craftlog.testing.scripted_model import Reply, scripted_model
from craftlog.testing.stack import Stack
from craftlog.testing.waiting import until

SESSIONS: Final = 200
SECONDS: Final = 20.0
CONNECTIONS: Final = 8
DESCRIPTION: Final = "Check the prices of the spring catalogue"
NOTE: Final = "I checked each price of the spring catalogue against the list."
MESSAGES: Final = json.dumps({"format": "openai", "blobs": [{"role": "user", "content": TEXT[:600]}] * 3}).encode()
ANSWER: Final = json.dumps(
    {
        "commands": [
            {"do": "open_task", "ref": "new1", "description": DESCRIPTION, "before": None},
            {"do": "add_progress", "task": "new1", "note": NOTE},
            {"do": "link_messages", "task": "new1", "messages": [1, 2, 3]},
        ]
    }
)
FACTS: Final = (
    TaskOpened(task_id="one", order=1, description=DESCRIPTION, engine="bare"),
    TaskStarted(task_id="one"),
    TaskProgressed(task_id="one", note=NOTE),
    MessagesLinked(task_id="one", positions=(1, 2, 3)),
    SessionObserved(through_position=3, engine="bare", memory={"text": TEXT[:600]}),
)


async def spread(one: Callable[[int, float], Awaitable[float]]) -> list[float]:
    """Start ``one(number, when)`` for each session, evenly over the time, and return what they took in milliseconds."""
    start = time.time() + 0.5

    async def at(number: int) -> float:
        when = start + number * SECONDS / SESSIONS
        await asyncio.sleep(when - time.time())
        return await one(number, when) * 1000

    return sorted(await asyncio.gather(*map(at, range(SESSIONS))))


class Ours:
    """Craftlog, seen by a client that hears when a board has moved."""

    def __init__(self, stack: Stack, client: Client, database: mongo.Database) -> None:
        self._stack = stack
        self._client = client
        self._due = database[OBSERVER_DUE]
        self._connections: asyncio.Queue[Connection] = asyncio.Queue()
        self._moved: dict[str, asyncio.Event] = {}
        self._paths: list[str] = []

    async def prepare(self) -> None:
        """Create the sessions and listen."""
        self._paths = await create_sessions(self._stack.port, self._stack.token, SESSIONS)
        self._moved = {_session(path): asyncio.Event() for path in self._paths}
        for _ in range(CONNECTIONS):
            connection = Connection(self._stack.port, self._stack.token)
            await connection.open()
            self._connections.put_nowait(connection)
        await self._client.subscribe(every_head(Kind.BOARD), cb=self._on_board)

    async def observed(self, number: int, _: float) -> float:
        """Append to one session and return the seconds from when it was due until its task was visible."""
        path = self._paths[number]
        session = _session(path)
        await self._ask("POST", f"{path}/batch", MESSAGES)
        noted = await until(lambda: self._due.find_one({"_id": session}))
        await asyncio.wait_for(self._moved[session].wait(), 60)
        while not (await self._ask("GET", f"{path.removesuffix('messages')}task"))["items"]:
            pass
        return time.time() - noted["due_at"].timestamp()

    async def _ask(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        connection = await self._connections.get()
        status, said = await connection.ask(method, path, body, {"Content-Type": "application/json"})
        self._connections.put_nowait(connection)
        assert status in (200, 201), said
        answer: dict[str, Any] = json.loads(said)["data"]
        return answer

    async def _on_board(self, message: Msg) -> None:
        if moved := self._moved.get(message.subject.rsplit(".", 1)[-1]):
            moved.set()


class Bare:
    """The least: one process, no rule, no lock, no claim, no retry."""

    def __init__(self, client: Client, database: mongo.Database, model_port: int) -> None:
        self._client = client
        self._collection = database["bare"]
        self._model = Connection(model_port, "none")
        self._inserted: dict[str, asyncio.Event] = {}
        self._turn = asyncio.Lock()

    async def prepare(self) -> None:
        """Declare a stream like the log and consume it."""
        stream = self._client.jetstream()
        await stream.add_stream(
            StreamConfig(name="BARE", subjects=["bare.>"], duplicate_window=120, allow_atomic=True, allow_direct=True)
        )
        await stream.subscribe("bare.>", cb=self._on_event, manual_ack=True, config=ConsumerConfig(ack_wait=30))
        await mongo.ensure_collections(self._collection.database, {"bare": []})
        await self._model.open()

    async def observed(self, _: int, when: float) -> float:
        """Do what is to be done for one session and return the seconds that it took."""
        session = str(uuid4())
        self._inserted[session] = asyncio.Event()
        question = json.dumps({"model": "scripted", "messages": [{"role": "user", "content": MESSAGES.decode()}]})
        async with self._turn:
            await self._model.post("/v1/chat/completions", question.encode())
        address, now = Address(Kind.BOARD, PROJECT, session), datetime.now(UTC)
        encoded = [encode(address, at, fact, event_id=str(uuid4()), time=now) for at, fact in enumerate(FACTS, start=1)]
        await jetstream.publish(self._client, jetstream.Append(f"bare.{session}", encoded, 0))
        await self._inserted[session].wait()
        assert await self._collection.find_one({"_id": session})
        return time.time() - when

    async def _on_event(self, message: Msg) -> None:
        session = message.subject.removeprefix("bare.")
        if (message.headers or {})["ce-type"] == "SessionObserved.v1":
            await self._collection.insert_one({"_id": session, "said": message.data.decode()})
            self._inserted[session].set()
        await message.ack()


def _session(path: str) -> str:
    return path.split("/")[-2]


async def _measure(stack: Stack, model_port: int) -> tuple[list[float], list[float]]:
    env = stack.env
    settings = Settings(mongo_url=env["CRAFTLOG_MONGO_URL"])
    database = mongo.connect(settings)
    client = await nats.connect(env["CRAFTLOG_NATS_URL"])
    taken: list[list[float]] = []
    for one in (Bare(client, database, model_port), Ours(stack, client, database)):
        await one.prepare()
        taken.append(await spread(one.observed))
    await client.close()
    database.client.close()
    return taken[0], taken[1]


def measure(folder: Path) -> dict[str, float]:
    """Return the median and the 99th percentile of both (ms), and the ratio of the medians."""
    with scripted_model(lambda _: Reply(ANSWER)) as model:
        env = {"CRAFTLOG_LLM_BASE_URL": model.url, "CRAFTLOG_LLM_MODEL": "scripted"}
        with Stack(folder, env=env) as stack:
            bare, ours = asyncio.run(_measure(stack, int(model.url.split(":")[2].split("/")[0])))
    return {
        "bare: ask, publish, consume, insert, find: p50 ms": median(bare),
        "bare: p99 ms": bare[int(len(bare) * 0.99)],
        f"due to visible, {SESSIONS} sessions over {SECONDS:g} s: P50 ms (target <= 50)": median(ours),
        "due to visible: p99 ms": ours[int(len(ours) * 0.99)],
        "RATIO due to visible / bare": median(ours) / median(bare),
    }
