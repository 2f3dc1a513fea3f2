"""Exit with 0 if the service of this container answers: the gateway over HTTP, the others over NATS."""

import asyncio
import os
import urllib.request

import nats

from craftlog.contracts.questions import ServiceHealth
from craftlog.contracts.subjects import HEALTH
from craftlog.runtime.settings import Settings


async def answers(service: str) -> None:
    """Return when this service has said how it is; whatever it says, it lives.

    Raises:
        TimeoutError: another one may have answered, this one has not.
    """
    client = await nats.connect(Settings().nats_url, connect_timeout=2, max_reconnect_attempts=1)
    async with asyncio.timeout(4):
        replies = await client.subscribe(client.new_inbox())
        await client.publish(HEALTH, reply=replies.subject)
        async for reply in replies.messages:
            if ServiceHealth.model_validate_json(reply.data).service == service:
                return


if os.environ["SERVICE"] == "gateway":
    port = os.environ.get("CRAFTLOG_PORT", "8029")
    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=4)
else:
    asyncio.run(answers(os.environ["SERVICE"]))
