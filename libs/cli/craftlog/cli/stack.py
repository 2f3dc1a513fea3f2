"""Which programs make up Craftlog on one machine, and the settings by which the services find the servers."""

import asyncio
import os
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from nats.errors import Error as NatsError

from craftlog.cli.child import Child, Probe
from craftlog.cli.embedded import mongo, nats, qdrant, s3
from craftlog.cli.folder import keep_url, kept_ports, kept_secrets
from craftlog.contracts.questions import ServiceHealth
from craftlog.contracts.subjects import HEALTH

SERVERS: Final = ("nats", "mongo", "s3", "qdrant")
MADE_FROM_THE_LOG: Final = ("mongo", "qdrant")
SERVICES: Final = ("ingest", "observer", "learner", "search", "gateway")
_PORTS: Final = ("nats", "mongo", "qdrant", *s3.PORTS)
_ANSWER_PATIENCE: Final = 0.5  # seconds
_SECRETS: Final = ("s3_access_key", "s3_secret_key")
# What only the gateway is told, and the environment of whoever starts it may set instead.
GATEWAY_SECRETS: Final = {"CRAFTLOG_ADMIN_TOKEN": "admin_token", "CRAFTLOG_API_KEY_PEPPER": "api_key_pepper"}


@dataclass(frozen=True, slots=True)
class Stack:
    """The programs on one data folder, and where the gateway listens."""

    root: Path
    host: str
    port: int

    @property
    def url(self) -> str:
        """Return where a client on this machine reaches the gateway."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(self.host, self.host)  # noqa: S104 - compared
        return f"http://{host}:{self.port}"

    def groups(self, only: Collection[str] = ()) -> list[list[Child]]:
        """Return the servers, then the services; with ``only``, those of these names.

        Ports and keys are chosen here at the first start, and kept in the folder.
        """
        ports, keys = kept_ports(self.root, _PORTS), kept_secrets(self.root, (*_SECRETS, *GATEWAY_SECRETS.values()))
        makers = {
            "nats": lambda folder: nats.server(folder, ports["nats"]),
            "mongo": lambda folder: mongo.server(folder, ports["mongo"]),
            "s3": lambda folder: s3.server(folder, ports, keys["s3_access_key"], keys["s3_secret_key"]),
            "qdrant": lambda folder: qdrant.server(folder, ports["qdrant"]),
        }
        servers = [makers[name](_made(self.root / name)) for name in SERVERS if not only or name in only]
        names = [name for name in SERVICES if not only or name in only]
        environment = settings(ports, keys)
        services = [self._service(name, environment) for name in names if name != "gateway"]
        if "gateway" in names:
            # With parts left out on purpose it will never be well; that it is there must do.
            secrets = {name: os.environ.get(name) or keys[kept] for name, kept in GATEWAY_SECRETS.items()}
            services.append(self._gateway(environment | secrets, names, "/live" if only else "/health"))
            keep_url(self.root, self.url)
        return [servers, services]

    def _service(self, name: str, environment: dict[str, str]) -> Child:
        argv = (sys.executable, "-m", f"craftlog.{name}")
        return Child(name, argv, _answers(name, environment["CRAFTLOG_NATS_URL"]), environment)

    def _gateway(self, environment: dict[str, str], services: Sequence[str], ready_path: str) -> Child:
        own = {
            "CRAFTLOG_HOST": self.host,
            "CRAFTLOG_PORT": str(self.port),
            "CRAFTLOG_EXPECTED_SERVICES": ",".join(name for name in services if name != "gateway"),
        }
        argv = (sys.executable, "-m", "craftlog.gateway")
        return Child("gateway", argv, _healthy(f"{self.url}{ready_path}"), {**environment, **own})


def settings(ports: dict[str, int], keys: dict[str, str]) -> dict[str, str]:
    """Return the environment by which a service reaches the embedded servers."""
    return {
        "CRAFTLOG_NATS_URL": nats.url(ports["nats"]),
        "CRAFTLOG_MONGO_URL": mongo.url(ports["mongo"]),
        "CRAFTLOG_S3_ENDPOINT": s3.endpoint(ports),
        "CRAFTLOG_S3_ACCESS_KEY": keys["s3_access_key"],
        "CRAFTLOG_S3_SECRET_KEY": keys["s3_secret_key"],
        "CRAFTLOG_S3_BUCKET": s3.BUCKET,
        "CRAFTLOG_S3_REGION": s3.REGION,
        "CRAFTLOG_QDRANT_URL": qdrant.url(ports["qdrant"]),
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _answers(service: str, nats_url: str) -> Probe:
    """Ask all services how they are, and wait for the answer of this one."""

    async def ready() -> bool:
        try:
            async with nats.connected(nats_url) as client, asyncio.timeout(_ANSWER_PATIENCE):
                inbox = client.new_inbox()
                answers = await client.subscribe(inbox)
                await client.publish(HEALTH, reply=inbox)
                async for answer in answers.messages:
                    if not answer.data:  # the server's word that nobody listens
                        return False
                    if ServiceHealth.model_validate_json(answer.data).service == service:
                        return True
        except (OSError, NatsError, TimeoutError):
            pass  # not yet
        return False

    return ready


def _healthy(url: str) -> Probe:
    async def ready() -> bool:
        async with httpx.AsyncClient(timeout=2) as client:
            try:
                return (await client.get(url)).is_success
            except httpx.TransportError:
                return False

    return ready
