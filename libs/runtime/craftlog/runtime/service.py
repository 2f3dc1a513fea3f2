"""How a service lives: FastStream's life cycle, background work that must not die quietly, and its health."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
import uvloop
from faststream import FastStream
from faststream.nats import NatsBroker
from nats.aio.client import Client

from craftlog.contracts.questions import ServiceHealth
from craftlog.contracts.subjects import HEALTH, ask
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.lane import Lane
from craftlog.runtime.log import Log, patiently
from craftlog.runtime.projector import Projector
from craftlog.runtime.settings import Settings
from craftlog.runtime.work import Work

# Shorter than whoever asks for the health waits: a service that asks a mute server in vain must not seem mute itself.
_PROBE_PATIENCE: Final = 0.3

_ANSWERS_AT_ONCE: Final = 64

_PATIENCE: Final = 3.0  # seconds, in which a part can put away what it was at
_IMPATIENCE: Final = 0.1

logger = structlog.get_logger()

Probe = Callable[[], Awaitable[Any]]


@dataclass
class Running:
    """What a service runs: lanes with and without read models, due work, anything else in the background, and answers.

    ``answers`` are by question (contracts: ``subjects.ask``). A probe asks what the service depends on, by name, and
    raises UnavailableError where it does not answer.
    """

    projectors: Sequence[Projector] = ()
    lanes: Sequence[Lane] = ()
    works: Sequence[Work] = ()
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
    answers: Mapping[str, Callable[..., Awaitable[Any]]] = field(default_factory=dict)
    probes: Mapping[str, Probe] = field(default_factory=dict)


def broker(settings: Settings, service: str) -> NatsBroker:
    """Return a broker that keeps trying to reach NATS for as long as the service lives."""
    return NatsBroker(
        settings.nats_url,
        name=f"craftlog-{service}",
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.25,  # type: ignore[arg-type] # FastStream says int, nats-py sleeps for it
        connect_timeout=2,
        logger=None,
    )


def run(service: str, nats_broker: NatsBroker, start: Callable[[Log], AbstractAsyncContextManager[Running]]) -> None:
    """Run a service until a signal ends it; the process exits with 1 if a part of it dies.

    Args:
        service: its name.
        nats_broker: from ``broker``, with the service's own subscribers, which may use what ``start`` makes.
        start: builds what runs, once the log is there, and closes it at the end.
    """
    died: list[BaseException] = []

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        client: Client = await nats_broker.connect()
        log = Log(client)
        await patiently(log.prepare)
        async with start(log) as running:
            for question, answer in running.answers.items():
                # Many at once: one that waits must not keep the others waiting.
                nats_broker.subscriber(ask(service, question), queue=service, max_workers=_ANSWERS_AT_ONCE)(answer)
            _answer_health(service, nats_broker, running)
            tasks = [asyncio.create_task(part()) for part in _parts(running)]
            for task in tasks:
                task.add_done_callback(_on_done)
            logger.info("serving")
            yield
            await _end(set(tasks), _PATIENCE)

    def _on_done(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            logger.critical("part_died", error=repr(error), exc_info=error)
            died.append(error)
            app.exit()

    app = _Service(nats_broker, lifespan=lifespan, logger=None)
    with suppress(asyncio.CancelledError):
        uvloop.run(app.run())
    if died:
        raise SystemExit(1)


class _Service(FastStream):
    """FastStream obeys signals only once it has started; this one ends also while it waits for NATS or MongoDB."""

    async def run(self, *args: Any, **options: Any) -> None:
        self._starting = asyncio.current_task()
        await super().run(*args, **options)

    async def start(self, **options: Any) -> None:
        self._starting = None
        await super().start(**options)

    def exit(self) -> None:
        if self._starting:
            self._ending = asyncio.create_task(_end({self._starting}, _IMPATIENCE))
        super().exit()


async def _end(tasks: set[asyncio.Task[None]], patience: float) -> None:
    """Cancel tasks until they are done: up to Python 3.11 the client's wait_for can swallow a cancellation."""
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=patience)


def _parts(running: Running) -> list[Callable[[], Coroutine[Any, Any, None]]]:
    return [
        *(projector.run for projector in running.projectors),
        *(lane.run for lane in running.lanes),
        *(work.run for work in running.works),
        *running.background,
    ]


def _answer_health(service: str, nats_broker: NatsBroker, running: Running) -> None:
    @nats_broker.subscriber(HEALTH)
    async def on_health() -> ServiceHealth:
        stalling: list[Projector | Work] = [*running.projectors, *running.works]
        lanes = [*(projector.lane for projector in running.projectors), *running.lanes]
        consumers, probed = await asyncio.gather(
            asyncio.gather(*(lane.health() for lane in lanes)), asyncio.gather(*map(_probe, running.probes.values()))
        )
        return ServiceHealth(
            service=service,
            consumers=(*consumers, *(work.health() for work in running.works)),
            stalled=tuple(stalled for part in stalling for stalled in part.stalled.values()),
            dependencies=dict(zip(running.probes, probed, strict=True)),
        )


async def _probe(probe: Probe) -> str | None:
    try:
        async with asyncio.timeout(_PROBE_PATIENCE):
            await probe()
    except TimeoutError:
        return "it does not answer"
    except UnavailableError as error:
        return str(error)
    return None
