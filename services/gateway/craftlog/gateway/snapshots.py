"""Where the deciders' states start from: the read models, so that nobody folds a session from its first event."""

import asyncio
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from craftlog.contracts.events import CopyOf
from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address
from craftlog.gateway.decider.disk import Disk
from craftlog.gateway.decider.project import Key, Limits, Project
from craftlog.gateway.decider.session import Session
from craftlog.gateway.decider.space import Space
from craftlog.gateway.heads import Heads
from craftlog.runtime.desk import Snapshot
from craftlog.runtime.errors import UnavailableError

S = TypeVar("S")

_PATIENCE: Final = 0.5
_PAUSE: Final = 2.0


class Snapshots(Generic[S]):
    """How a desk looks up where an aggregate stands in its read model.

    It never waits long: the log has the answer too. When MongoDB was just found not to answer it is not asked.
    """

    def __init__(self, heads: Heads, state: Callable[[Document], S]) -> None:
        self._heads = heads
        self._state = state
        self._not_before = 0.0

    async def __call__(self, address: Address) -> Snapshot[S] | None:
        """Return the snapshot, or None where there is none; raises UnavailableError where it is not known."""
        now = asyncio.get_running_loop().time
        if now() < self._not_before:
            raise UnavailableError("MongoDB did not answer a moment ago")
        try:
            async with asyncio.timeout(_PATIENCE):
                head = await self._heads.head(address)
        except (TimeoutError, UnavailableError) as error:
            self._not_before = now() + _PAUSE
            raise UnavailableError("MongoDB does not answer") from error
        if head is None or not head.get("version"):
            return None
        return Snapshot(self._state(head), head["version"], head["seq"])


def project(head: Document) -> Project:
    """Return what a project's head says."""
    return Project(
        exists=True,
        keys={
            key["hash"]: Key(
                key["id"],
                Limits(key["requests_per_second"], key["burst"], key["body_bytes"]),
                revoked=key["revoked_at"] is not None,
            )
            for key in head["keys"]
        },
        configs=head.get("configs") or {},
    )


def session(head: Document) -> Session:
    """Return what a session's head says. Keys of its messages are looked up there, too."""
    if head.get("deleted"):
        return Session(exists=True, deleted=True)
    return Session(
        exists=True,
        request=head["request"],
        configs=head.get("configs") or {},
        messages=head["messages"],
        last_message_id=head["last_message_id"],
        space_id=head["space_id"],
        tracked=not head["disable_task_tracking"],
        flushed_through=head["flushed_through"],
        keys_after=head["messages"],
        copy_of=CopyOf.model_validate(copied) if (copied := head.get("copy_of")) else None,
    )


def disk(head: Document) -> Disk:
    """Return what a disk's head says."""
    return Disk(exists=True, deleted=bool(head.get("deleted")))


def space(head: Document) -> Space:
    """Return what a space's head says."""
    if head.get("deleted"):
        return Space(exists=True, deleted=True)
    return Space(exists=True, configs=head["configs"], request=head.get("request"))
