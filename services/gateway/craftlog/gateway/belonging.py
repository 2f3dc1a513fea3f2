"""Which space a session has: one that was deleted is none, though the session's own events still name it."""

from collections.abc import Sequence
from typing import Any

from craftlog.contracts.readmodels import Document
from craftlog.gateway.handlers import Gateway


async def connected(gateway: Gateway, project: str, heads: Sequence[Document]) -> list[Document]:
    """Return sessions' heads with ``space_id`` None where that space was deleted."""
    named = {head["space_id"] for head in heads if head["space_id"]}
    gone = await gateway.reads.deleted_spaces(project, named) if named else set()
    return [{**head, "space_id": None} if head["space_id"] in gone else head for head in heads]


async def with_space(gateway: Gateway, project: str, space_id: str) -> dict[str, Any]:
    """Return what the heads of a space's sessions match."""
    gone = await gateway.reads.deleted_spaces(project, {space_id})
    return {"space_id": {"$in": [space_id] if not gone else []}}


async def without_space(gateway: Gateway, project: str) -> dict[str, Any]:
    """Return what the heads of sessions without a space match."""
    return {"space_id": {"$in": [None, *await gateway.reads.deleted_spaces(project)]}}
