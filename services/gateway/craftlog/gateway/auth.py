"""Who asks: an API key belongs to exactly one project, and what it may do is known before its request is read."""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from nats.aio.msg import Msg

from craftlog.contracts.subjects import Address, Kind, every_head
from craftlog.gateway.buckets import Bucket
from craftlog.gateway.decider.project import Command, Limits, Project
from craftlog.gateway.errors import UnauthorizedError
from craftlog.gateway.keys import SECRET_BYTES, Stamp
from craftlog.runtime.desk import Decided, Desk
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.jetstream import CONNECTION_ERRORS
from craftlog.runtime.log import Log

DEFAULT_PROJECT: Final = "00000000-0000-4000-8000-000000000001"
DEFAULT_TOKEN: Final = "sk-ac-your-root-api-bearer-token"  # noqa: S105 - public, and refused beyond loopback
# A revocation is heard of at once; where that was lost, this is how long the key goes on working, in seconds.
CHECKED_EVERY: Final = 10.0
MOST_PROJECTS: Final = 10_000
_PATIENCE: Final = 0.5
_SCHEME: Final = b"Bearer "


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key lets its holder do: everything in one project, within these limits."""

    project: str
    body_bytes: int | None = None
    bucket: Bucket | None = None


@dataclass(slots=True)
class _Known:
    """The keys of a project at a version; None stands for one that was revoked."""

    grants: Mapping[str, Grant | None] = field(default_factory=dict)
    version: int = 0
    moved_to: int = 0
    check_at: float = 0.0


class Keys:
    """Which keys let whom in.

    A key of the settings is there for good. One that was issued is found in its project, whose keys stay in memory and
    are looked at again when the project moves on, or after CHECKED_EVERY seconds. While the log cannot be asked, keys
    that are known go on working.

    Args:
        tokens: the keys of the settings, project id by key.
        stamp: knows the keys that we made.
        log: where projects stand.
        projects: where their keys are decided.
        default: the limits of a key that has none of its own.
        clock: gives seconds.

    Raises:
        ValueError: a key is empty, or a project is no canonical UUID.
    """

    def __init__(
        self,
        tokens: Mapping[str, str],
        stamp: Stamp,
        log: Log,
        projects: Desk[Project, Command],
        *,
        default: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not all(tokens):
            raise ValueError("an API token must not be empty")
        for project in tokens.values():
            Address(Kind.PROJECT, project, project)
        self._stamp = stamp
        self._log = log
        self._projects = projects
        self._default = default
        self._clock = clock
        self._fixed = {stamp.hash(key.encode()): self._grant(project, default) for key, project in tokens.items()}
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def listen(self) -> None:
        """Hear that projects move on. Without it everything still works, CHECKED_EVERY seconds later."""
        await self._log.client.subscribe(every_head(Kind.PROJECT), cb=self._on_moved)

    async def grant(self, authorization: bytes | None) -> Grant:
        """Return what the key in an Authorization header lets its holder do.

        Raises:
            UnauthorizedError: it is missing, malformed, unknown or revoked.
            UnavailableError: it may be one of ours, and the log cannot be asked.
        """
        if authorization is None or not authorization.startswith(_SCHEME):
            raise UnauthorizedError
        key = authorization[len(_SCHEME) :]
        # That a table is asked tells an attacker nothing: he cannot choose the hash, which takes the pepper.
        hashed = self._stamp.hash(key)
        if fixed := self._fixed.get(hashed):
            return fixed
        project = self._stamp.project_of(key)
        found = (await self._of(project, hashed)).grants.get(hashed) if project else None
        if found is None:
            raise UnauthorizedError
        return found

    def make(self, project: str) -> tuple[str, str]:
        """Return a new key of a project, and the hash to keep of it."""
        key = self._stamp.key(project, secrets.token_bytes(SECRET_BYTES))
        return key, self._stamp.hash(key.encode())

    async def moved(self, project: str, decided: Decided[Project]) -> None:
        """Take up what this gateway has just decided about a project, and tell the others."""
        self._learn(self._entry(project), project, decided)
        address, version = Address(Kind.PROJECT, project, project), str(decided.position.version)
        with suppress(*CONNECTION_ERRORS):  # then they hear it from the projector, or find out by themselves
            await self._log.client.publish(address.head_subject, version.encode())

    async def _on_moved(self, message: Msg) -> None:
        known = self._known.get(message.subject.rpartition(".")[2])
        if known is not None:
            known.moved_to = max(known.moved_to, int(message.data))

    async def _of(self, project: str, hashed: str) -> _Known:
        known = self._entry(project)
        if hashed not in known.grants:
            await self._look(known, project)
        elif known.version < known.moved_to or self._clock() >= known.check_at:
            # Nobody else needs to wait for the same answer.
            known.check_at, known.moved_to = self._clock() + CHECKED_EVERY, known.version
            # A log that is slow delays nobody for long, and is heard all the same when it says that a key was revoked.
            looking = asyncio.create_task(self._look(known, project))
            looking.add_done_callback(_heard)
            with suppress(TimeoutError, UnavailableError):
                async with asyncio.timeout(_PATIENCE):
                    await asyncio.shield(looking)
        return known

    async def _look(self, known: _Known, project: str) -> None:
        address = Address(Kind.PROJECT, project, project)
        # The leader knows of every revocation; what is read elsewhere may be older.
        last = await self._log.last(address)
        newest = last.version if last else 0
        decided = await self._projects.state(address)
        if decided.position.version < newest:
            decided = await self._projects.transact(address, [], cause=project)
        if decided.position.version < newest:
            raise UnavailableError("the keys of this project cannot be read now")
        self._learn(known, project, decided)

    def _learn(self, known: _Known, project: str, decided: Decided[Project]) -> None:
        if decided.position.version < known.version:
            return  # somebody else was faster
        known.grants = {
            hashed: None if key.revoked else known.grants.get(hashed) or self._grant(project, key.limits)
            for hashed, key in decided.state.keys.items()
        }
        known.version = decided.position.version
        known.check_at = self._clock() + CHECKED_EVERY

    def _entry(self, project: str) -> _Known:
        known = self._known.setdefault(project, _Known())
        self._known.move_to_end(project)
        while len(self._known) > MOST_PROJECTS:
            self._known.popitem(last=False)
        return known

    def _grant(self, project: str, own: Limits) -> Grant:
        rated = own if own.requests_per_second else self._default
        rate = rated.requests_per_second
        bucket = Bucket(rate, rated.burst or max(1, ceil(rate))) if rate else None
        return Grant(project, own.body_bytes or self._default.body_bytes, bucket)


def _heard(looking: asyncio.Task[None]) -> None:
    """Take what a look came to, which nobody may wait for any more."""
    if not looking.cancelled():
        looking.exception()
