"""How all of Craftlog is: the services are asked, and what they say is summed up."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from nats.aio.msg import Msg

from craftlog.contracts.questions import ServiceHealth
from craftlog.contracts.subjects import HEALTH
from craftlog.gateway.fields import Json
from craftlog.gateway.together import Together
from craftlog.runtime.errors import RefusedError, UnavailableError
from craftlog.runtime.jetstream import CONNECTION_ERRORS
from craftlog.runtime.log import Log

PATIENCE: Final = 0.5
_PROBE_PATIENCE: Final = 1.0
# Fewer events not yet applied are a moment's work.
LAGGING: Final = 1000
MOST_STALLED_SHOWN: Final = 100
_DOWN: Final = "down"

Probe = Callable[[], Awaitable[Any]]


class Health:
    """Ask who is there.

    Args:
        log: how the services are reached.
        probes: what the gateway itself depends on; a probe raises UnavailableError where it does not answer.
        expected: the services that should be there.
    """

    def __init__(self, log: Log, probes: Mapping[str, Probe], expected: Sequence[str]) -> None:
        self._log = log
        self._probes = probes
        self.expected = expected
        # Whoever asks needs no key: however many they are, one question after the other is asked.
        self._asked: Together[str, list[ServiceHealth]] = Together(self._ask)

    async def gathered(self) -> list[ServiceHealth]:
        """Return what the gateway and every service that answers in time say."""
        return await self._asked("all") or []

    async def _ask(self, wanted: Sequence[str]) -> Mapping[str, list[ServiceHealth]]:
        own, others = await asyncio.gather(self._own(), self._others())
        return {key: [own, *others] for key in wanted}

    async def _own(self) -> ServiceHealth:
        answers = await asyncio.gather(*map(_probed, self._probes.values()))
        return ServiceHealth(service="gateway", dependencies=dict(zip(self._probes, answers, strict=True)))

    async def _others(self) -> list[ServiceHealth]:
        said: dict[str, ServiceHealth] = {}
        complete = asyncio.Event()

        async def on_answer(message: Msg) -> None:
            if message.data:  # an empty one says that nobody listens
                one = ServiceHealth.model_validate_json(message.data)
                said[one.service] = one
            if not message.data or said.keys() >= set(self.expected):
                complete.set()

        client = self._log.client
        inbox = client.new_inbox()
        with suppress(*CONNECTION_ERRORS):  # then the probe of the log says so
            subscription = await client.subscribe(inbox, cb=on_answer)
            try:
                await client.publish(HEALTH, reply=inbox)
                with suppress(TimeoutError):
                    async with asyncio.timeout(PATIENCE):
                        await complete.wait()
            finally:
                await subscription.unsubscribe()
        return [said[name] for name in sorted(said)]


async def _probed(probe: Probe) -> str | None:
    try:
        async with asyncio.timeout(_PROBE_PATIENCE):
            await probe()
    except (UnavailableError, RefusedError, TimeoutError) as error:
        return str(error) or type(error).__name__
    return None


def verdict(services: Sequence[ServiceHealth], expected: Sequence[str], *, detailed: bool) -> tuple[int, Json]:
    """Return the HTTP status and the answer: 503 where something is down, else 200; ``degraded`` names the rest.

    What servers said of themselves, and which aggregates of which projects are stalled, is there only if ``detailed``.
    """
    there = {one.service for one in services}
    down = [f"service {name} does not answer" for name in expected if name not in there]
    degraded: list[str] = []
    for one in services:
        for name, wrong in one.dependencies.items():
            if wrong is not None:
                down.append(f"{one.service}: {name}: {wrong if detailed else _DOWN}")
        for consumer in one.consumers:
            if consumer.error is not None:
                down.append(f"{one.service}: consumer {consumer.name}: {consumer.error if detailed else _DOWN}")
            elif consumer.lag >= LAGGING:
                degraded.append(f"{one.service}: consumer {consumer.name} is {consumer.lag} events behind")
        stalled = Counter(item.kind for item in one.stalled)
        degraded += [f"{one.service}: {count} stalled of the kind {kind}" for kind, count in stalled.items()]
    data = {
        "down": down,
        "degraded": degraded,
        "services": {one.service: _shown(one, detailed=detailed) for one in services},
    }
    if down:
        return 503, {"code": 503, "msg": "; ".join(down), "error": "service_unavailable", "data": data}
    return 200, {"code": 0, "msg": "degraded" if degraded else "ok", "data": data}


def _shown(one: ServiceHealth, *, detailed: bool) -> Json:
    """Return ``{consumers, dependencies, stalled_count}``, and only if ``detailed`` reasons and what is stalled."""
    said = one.model_dump(mode="json", exclude={"service", "stalled"}) | {"stalled_count": len(one.stalled)}
    if detailed:
        return said | {"stalled": [item.model_dump(mode="json") for item in one.stalled[:MOST_STALLED_SHOWN]]}
    consumers = [consumer | {"error": consumer["error"] and _DOWN} for consumer in said["consumers"]]
    return said | {
        "consumers": consumers,
        "dependencies": {name: wrong and _DOWN for name, wrong in said["dependencies"].items()},
    }
