"""What the events of a tree change in the index: the blocks to put in, and those to take out."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import (
    BlockAdded,
    BlockChanged,
    BlocksRemoved,
    SessionForgotten,
    SopFiled,
    TreeDeleted,
)
from craftlog.contracts.readmodels import Changes, Document, notes

SKILLS: Final = "skills"
MEANS: Final = "means"  # of a block: the text that it is found by, which is embedded and not kept


def project(head: Mapping[str, Any] | None, events: Sequence[Recorded]) -> Changes:  # noqa: ARG001 - Project names it
    """Return the blocks that these events put on pages, and a drop for all that is forgotten.

    The head holds nothing but what every head has: how far the index knows this space.
    """
    changes = Changes(head={})
    for recorded in events:
        match recorded.event:
            case SopFiled(block_id=block_id, use_when=use, provenance=origin):
                filed = BlockChanged(block_id=block_id, type="sop", title=use, props={}, session_id=origin.session_id)
                _put(changes, recorded, filed)
            case BlockAdded(block_id=block_id, type=kind, title=title, props=props):
                _put(changes, recorded, BlockChanged(block_id=block_id, type=kind, title=title, props=props))
            case BlockChanged() as changed:
                _put(changes, recorded, changed)
            case BlocksRemoved(block_ids=gone):
                changes.children |= dict.fromkeys((SKILLS, block_id) for block_id in gone)
            case SessionForgotten(session_id=session_id):
                changes.drop.append((SKILLS, {**_owner(recorded), "session_id": session_id}))
            case TreeDeleted():
                changes = Changes(head={}, drop=[(SKILLS, _owner(recorded))])
    return changes


def _put(changes: Changes, recorded: Recorded, block: BlockChanged) -> None:
    """Put in what stands on a page and says something; folders and pages are no answer to anything."""
    if block.type in ("folder", "page"):
        return
    # When to use a skill is what a request is like; its steps would only blur that.
    means = f"{block.title}\n{notes(block.props)}" if block.type == "text" else block.title
    changes.children[SKILLS, block.block_id] = (
        None
        if not means.strip()
        else {
            **_owner(recorded),
            "session_id": block.session_id,
            "type": block.type,
            "title": block.title,
            "version": recorded.version,
            MEANS: means,
        }
    )


def _owner(recorded: Recorded) -> Document:
    return {"project": recorded.address.project, "space_id": recorded.address.id}
