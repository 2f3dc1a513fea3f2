"""The floor: the smallest ASGI app that awaits one JetStream publish of the bytes that an append publishes."""

import sys
from datetime import UTC, datetime
from uuid import uuid4

import uvicorn
from nats.aio.client import Client
from nats.js.api import StreamConfig
from tests.benchmarks.load import CONNECTIONS, TEXT

from craftlog.contracts.envelope import encode
from craftlog.contracts.events import MessageAppended
from craftlog.contracts.messages import Part
from craftlog.contracts.subjects import Address, Kind
from craftlog.testing.examples import PROJECT

client = Client()
message = MessageAppended(
    message_id=str(uuid4()),
    position=1000,
    parent_id=str(uuid4()),
    role="user",
    parts=(Part(type="text", text=TEXT[:600]),),
    meta={"source_format": "openai"},
)
headers, event = encode(
    Address(Kind.SESSION, PROJECT, str(uuid4())), 1000, message, event_id=str(uuid4()), time=datetime.now(UTC)
)
sent = 0


async def connect(url: str) -> None:
    """Connect, and declare a stream of its own with the same settings."""
    await client.connect(url)
    await client.jetstream().add_stream(StreamConfig(name="BARE", subjects=["bare.>"], duplicate_window=120))


async def app(scope, receive, send) -> None:
    """Read a body, publish once, answer."""
    global sent  # noqa: PLW0603 - a floor carries no object
    if scope["type"] == "lifespan":
        await receive()
        await connect(sys.argv[2])
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await client.close()
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    sent += 1
    own = {**headers, "Nats-Msg-Id": str(sent), "Nats-Expected-Last-Subject-Sequence-Subject": "bare.none"}
    own["Nats-Expected-Last-Subject-Sequence"] = "0"
    await client.request(f"bare.{sent % CONNECTIONS}", event, timeout=5, headers=own)
    length = (b"content-length", b"2")
    await send({"type": "http.response.start", "status": 201, "headers": [length]})
    await send({"type": "http.response.body", "body": b"{}"})


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="warning", access_log=False)
