"""What the events of a tree change in the index: the skills to put in, and those to take out."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import SessionForgotten, SopFiled
from craftlog.contracts.readmodels import Changes, Document

SKILLS: Final = "skills"


def project(head: Mapping[str, Any] | None, events: Sequence[Recorded]) -> Changes:  # noqa: ARG001 - Project names it
    """Return the skills that these events file, in the shape a search answers with, and a drop a forgotten session.

    The head holds nothing but what every head has: how far the index knows this space.
    """
    changes = Changes(head={})
    for recorded in events:
        match recorded.event:
            case SopFiled() as filed:
                changes.children[SKILLS, filed.block_id] = _skill(recorded, filed)
            case SessionForgotten(session_id=session_id):
                changes.drop.append((SKILLS, {**_owner(recorded), "session_id": session_id}))
    return changes


def _skill(recorded: Recorded, filed: SopFiled) -> Document:
    steps = [
        {"order": order, "tool_name": step.tool_name, "action": step.action}
        for order, step in enumerate(filed.tool_sops)
    ]
    return {
        **_owner(recorded),
        "session_id": filed.provenance.session_id,
        "type": "sop",
        "title": filed.use_when,
        "props": {"use_when": filed.use_when, "preferences": filed.preferences, "tool_sops": steps},
        "engine": filed.provenance.engine,
        "version": recorded.version,
    }


def _owner(recorded: Recorded) -> Document:
    return {"project": recorded.address.project, "space_id": recorded.address.id}
