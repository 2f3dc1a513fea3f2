"""What each type of block may be: where it stands, how it is titled, what its props are. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from craftlog.contracts.events import BlockType
from craftlog.contracts.readmodels import Document
from craftlog.learner.decider.refusals import AbsentError, WrongEditError
from craftlog.learner.decider.state import Block

ON_PAGES: Final[tuple[BlockType, ...]] = ("sop", "text")


def check_parent(kind: BlockType, parent_id: str | None, parent: Block | None) -> None:
    """Refuse a parent under which this type cannot stand.

    Raises:
        AbsentError: there is no such parent.
        WrongEditError: it is of the wrong type.
    """
    if parent_id is None:
        if kind in ON_PAGES:
            raise WrongEditError("parent_id", f"a {kind} stands on a page; say on which")
        return
    if parent is None:
        raise AbsentError("parent_id", f"there is no block {parent_id} in this space")
    wanted = "page" if kind in ON_PAGES else "folder"
    if parent.type != wanted:
        raise WrongEditError("parent_id", f"a {kind} stands in a {wanted}, and this is a {parent.type}")


def check_title(title: str) -> str:
    """Return a title that may be; titles of folders and pages make paths."""
    if "/" in title:
        raise WrongEditError("title", "must not have a slash in it")
    if title != title.strip():
        raise WrongEditError("title", "must not begin or end with white space")
    return title


def new_title(kind: BlockType, title: str) -> str:
    """Return the title of a new block: without spaces where it is a piece of a path."""
    checked = check_title(title)
    return checked if kind in ON_PAGES else checked.replace(" ", "_")


def checked_props(kind: BlockType, props: Mapping[str, Any]) -> Document:
    """Return props as they are kept: those of a sop with its steps, whose tools have lower-case names.

    Raises:
        WrongEditError: a sop has neither steps nor preferences, or one of them has another shape.
    """
    if kind != "sop":
        return dict(props)
    preferences = _text(props.get("preferences"), "props.preferences")
    sent = props.get("tool_sops")
    if sent is not None and not isinstance(sent, list):
        raise WrongEditError("props.tool_sops", "must be a list")
    steps = [_step(step, f"props.tool_sops[{at}]") for at, step in enumerate(sent or ())]
    if not steps and not preferences.strip():
        raise WrongEditError("props", "a sop needs preferences or tool_sops")
    return {**props, "preferences": preferences, "tool_sops": steps}


def _step(sent: Any, path: str) -> Document:
    if not isinstance(sent, dict):
        raise WrongEditError(path, "must be an object")
    name = _text(sent.get("tool_name"), f"{path}.tool_name").strip().lower()
    if not name:
        raise WrongEditError(f"{path}.tool_name", "must not be empty")
    return {"tool_name": name, "action": _text(sent.get("action"), f"{path}.action")}


def _text(sent: Any, path: str) -> str:
    """Return a text, empty for null and absent."""
    if sent is not None and not isinstance(sent, str):
        raise WrongEditError(path, "must be a string")
    return sent or ""
