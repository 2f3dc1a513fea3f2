"""Print a log as a history for the tests: `python -m tests.histories.record nats://127.0.0.1:4222 > NAME.json`.

The log of `craftlog up` listens on the port in its data folder's ports.json. Look through what is printed: it holds
everything that was said, and a history is for everybody to read.
"""

import asyncio
import json
import sys

import nats
from nats.js.errors import NotFoundError

from craftlog.contracts.subjects import STREAM

ENVELOPE = ("ce-", "content-type", "traceparent")


async def record(url: str) -> list[str]:
    client = await nats.connect(url)
    jetstream = client.jetstream()
    last = (await jetstream.stream_info(STREAM)).state.last_seq
    lines = []
    for seq in range(1, last + 1):
        try:
            stored = await jetstream.get_msg(STREAM, seq)
        except NotFoundError:
            continue  # it was erased
        headers = {name: value for name, value in (stored.headers or {}).items() if name.startswith(ENVELOPE)}
        message = {"seq": seq, "subject": stored.subject, "headers": headers, "data": json.loads(stored.data or b"{}")}
        lines.append(json.dumps(message, ensure_ascii=False))
    await client.close()
    return lines


if __name__ == "__main__":
    sys.stdout.write("[\n" + ",\n".join(asyncio.run(record(sys.argv[1]))) + "\n]\n")
