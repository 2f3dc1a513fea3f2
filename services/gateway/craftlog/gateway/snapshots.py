"""Where the deciders' states start from: the read models, so that nobody folds a session from its first event."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address
from craftlog.gateway.decider.disk import Disk
from craftlog.gateway.decider.session import Session
from craftlog.gateway.decider.space import Space
from craftlog.gateway.heads import Heads
from craftlog.runtime.desk import Snapshot

S = TypeVar("S")


def snapshot_of(heads: Heads, state: Callable[[Document], S]) -> Callable[[Address], Awaitable[Snapshot[S] | None]]:
    """Return how a desk looks up where an aggregate stands in its read model."""

    async def snapshot(address: Address) -> Snapshot[S] | None:
        head = await heads.head(address)
        if head is None or not head.get("version"):
            return None
        return Snapshot(state(head), head["version"], head["seq"])

    return snapshot


def session(head: Document) -> Session:
    """Return what a session's head says. Keys of its messages are looked up there, too."""
    if head.get("deleted"):
        return Session(exists=True, deleted=True)
    return Session(
        exists=True,
        request=head["request"],
        messages=head["messages"],
        last_message_id=head["last_message_id"],
        space_id=head["space_id"],
        tracked=not head["disable_task_tracking"],
        keys_after=head["messages"],
    )


def disk(head: Document) -> Disk:
    """Return what a disk's head says."""
    return Disk(exists=True, deleted=bool(head.get("deleted")))


def space(_head: Document) -> Space:
    """Return what a space's head says."""
    return Space(exists=True)
