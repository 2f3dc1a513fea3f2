"""How fast ingest's projection catches up with the log, beside a bare fetch and insert_many of the same documents."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import nats
from tests.benchmarks.load import TEXT

from craftlog.contracts.events import MessageAppended, SessionCreated
from craftlog.contracts.messages import Part
from craftlog.contracts.readmodels import MESSAGES, SESSIONS, Document
from craftlog.contracts.subjects import STREAM, Address, Kind, every
from craftlog.ingest import projection
from craftlog.ingest.store import COLLECTIONS
from craftlog.runtime import mongo
from craftlog.runtime.log import Draft, Log, Position
from craftlog.runtime.mongo import MongoStore
from craftlog.runtime.projector import Folded, Projector
from craftlog.runtime.settings import Settings
from craftlog.testing.examples import PROJECT, START
from craftlog.testing.servers import mongo_server, nats_server

SESSIONS_AT_ONCE = 50
BATCH = 500
BATCHES = 40
ROUNDS = 3


async def fill(log: Log) -> None:
    """Append the messages of 50 sessions, ten of each in turn."""
    heads = {Address(Kind.SESSION, PROJECT, str(uuid4())): Position() for _ in range(SESSIONS_AT_ONCE)}
    for address in heads:
        created = (await log.append(address, Position(), [Draft(str(uuid4()), SessionCreated(), START)]))[-1]
        heads[address] = Position(created.version, created.seq)
    for _ in range(BATCHES):
        for address, position in heads.items():
            drafts = [Draft(str(uuid4()), _message(position.version + n), START) for n in range(BATCH // len(heads))]
            last = (await log.append(address, position, drafts))[-1]
            heads[address] = Position(last.version, last.seq)


def _message(position: int) -> MessageAppended:
    return MessageAppended(
        message_id=str(uuid4()),
        position=position,
        role="user",
        parts=(Part(type="text", text=TEXT[:600]),),
        meta={"source_format": "openai"},
    )


async def project(log: Log, database: mongo.Database) -> float:
    """Return the seconds that the real projector takes for the whole log."""
    await mongo.ensure_collections(database, {MESSAGES: COLLECTIONS[MESSAGES]})
    total = (await log.jetstream.stream_info(STREAM)).state.messages
    written, complete = 0, asyncio.Event()

    async def count(folded: Sequence[Folded]) -> None:
        nonlocal written
        written += sum(one.version - one.old_version for one in folded)
        if written == total:
            complete.set()

    store = MongoStore(database, SESSIONS, insert_only=frozenset({MESSAGES}))
    durable = f"bench-{uuid4().hex}"
    projector = Projector(log, store, durable=durable, kind=Kind.SESSION, project=projection.session, written=count)
    start = time.perf_counter()
    running = asyncio.create_task(projector.run())
    async with asyncio.timeout(300):
        await complete.wait()
    seconds = time.perf_counter() - start
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return seconds


async def bare(log: Log, database: mongo.Database, documents: Sequence[Document]) -> float:
    """Return the seconds for fetching the same events and inserting these documents, ready made, batch by batch."""
    await mongo.ensure_collections(database, {MESSAGES: COLLECTIONS[MESSAGES]})
    subscription = await log.jetstream.pull_subscribe(every(Kind.SESSION), f"bare-{uuid4().hex}", stream=STREAM)
    start, inserted = time.perf_counter(), 0
    while inserted < len(documents):
        fetched = await subscription.fetch(BATCH, timeout=5)
        batch = documents[inserted : inserted + len(fetched)]
        await database[MESSAGES].insert_many(list(batch), ordered=False)
        await asyncio.gather(*(message.ack() for message in fetched))
        inserted += len(batch)
    return time.perf_counter() - start


async def _measure(nats_url: str, mongo_url: str) -> tuple[list[float], list[float], int]:
    client = await nats.connect(nats_url)
    log = Log(client)
    await log.prepare()
    await fill(log)

    def fresh() -> mongo.Database:
        return mongo.connect(Settings(mongo_url=mongo_url, mongo_database=f"t{uuid4().hex}"))

    ours: list[float] = []
    floors: list[float] = []
    documents: list[Document] = []
    for _ in range(ROUNDS):
        database = fresh()
        ours.append(await project(log, database))
        documents = documents or await database[MESSAGES].find({}).to_list(None)
        database.client.close()
        database = fresh()
        floors.append(await bare(log, database, documents))
        database.client.close()
    await client.close()
    return ours, floors, len(documents)


def measure(folder: Path) -> dict[str, float]:
    """Return documents a second of both, of the median round, and their ratio."""
    for name in ("nats", "mongo"):
        (folder / name).mkdir()
    with nats_server(folder / "nats") as log_server, mongo_server(folder / "mongo") as store_server:
        ours, floors, count = asyncio.run(_measure(log_server.url, store_server.url))
    ours_rate, floor_rate = (count / sorted(seconds)[len(seconds) // 2] for seconds in (ours, floors))
    return {
        "bare fetch and insert_many, batches of 500: documents/s": floor_rate,
        "ingest's projection, 50 sessions: documents/s": ours_rate,
        "RATIO projection / bare (target >= 0.40)": ours_rate / floor_rate,
    }
