"""What read models look like to clients: the shapes of the SDKs. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from craftlog.contracts.messages import Part
from craftlog.contracts.readmodels import Document, notes
from craftlog.gateway.dialects.acontext import shown
from craftlog.gateway.fields import Json

ARTIFACT_INFO: Final = "__artifact_info__"
USER_META: Final = "user_meta"


def at(time: datetime) -> str:
    """Return RFC 3339 in UTC, to the millisecond: that is what a read model keeps, so that all answers agree."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def session(head: Document) -> Json:
    """Return a Session."""
    return {
        "id": head["_id"],
        "project_id": head["project"],
        "disable_task_tracking": head["disable_task_tracking"],
        "space_id": head["space_id"],
        "configs": head["configs"] or {},
        **_times(head),
    }


def space(head: Document) -> Json:
    """Return a Space."""
    return {"id": head["_id"], "project_id": head["project"], "configs": head["configs"] or {}, **_times(head)}


def disk(head: Document) -> Json:
    """Return a Disk."""
    return {"id": head["_id"], "project_id": head["project"], **_times(head)}


def message(stored: Document, parts: Sequence[Part], *, task_id: str | None = None, status: str = "pending") -> Json:
    """Return a Message; ``status`` says how far its session's board is with it."""
    created = at(stored["created_at"])
    return {
        "id": stored["message_id"],
        "session_id": stored["session_id"],
        "parent_id": stored.get("parent_id"),
        "role": stored["role"],
        "meta": stored["meta"],
        "parts": shown(parts, stored["meta"]),
        "task_id": task_id,
        "session_task_process_status": status,
        "created_at": created,
        "updated_at": created,
    }


def user_meta(meta: Mapping[str, Any]) -> Json:
    """Return what was sent beside a message; one in the reference's own format may have anything under that name."""
    own = meta.get(USER_META)
    return own if isinstance(own, dict) else {}


def task(project: str, session_id: str, found: Mapping[str, Any], *, digested: bool) -> Json:
    """Return a Task of a board; ``engine``, which the SDKs leave out, says who found it."""
    data = {"task_description": found["description"]}
    data |= {
        name: list(found[source])
        for name, source in (("progresses", "progresses"), ("user_preferences", "preferences"))
        if found.get(source)
    }
    return {
        "id": found["id"],
        "session_id": session_id,
        "project_id": project,
        "order": found["order"],
        "data": data,
        "status": found["status"],
        "is_planning": False,
        "space_digested": digested,
        "engine": found["engine"],
        **_times(found),
    }


def waiting(due: Document) -> Json:
    """Return why work failed, how often, and when it is tried again."""
    return {"reason": due["error"], "next_attempt_at": at(due["due_at"]), "tries": due["tries"]}


def lesson(found: Mapping[str, Any], learned: Document | None) -> Json:
    """Return what became of a finished task; ``waiting`` where the learner has not come to it."""
    learned = learned or {"state": "waiting"}
    return {
        "task_id": found["id"],
        "task_description": found["description"],
        "task_status": found["status"],
        "state": learned["state"],
        "reason": learned.get("reason"),
        "block_id": learned.get("block_id"),
        "engine": learned.get("engine"),
        "created_at": at(learned["created_at"]) if "created_at" in learned else None,
    }


def block(stored: Document) -> Json:
    """Return a Block; ``engine``, which the SDKs leave out, says who learned it, if anybody did."""
    return {
        "id": stored["_id"],
        "space_id": stored["space_id"],
        "type": stored["type"],
        "parent_id": stored.get("parent_id"),
        "title": stored["title"],
        "props": stored.get("props") or {},
        "sort": stored["sort"],
        "is_archived": False,
        "engine": (stored.get("provenance") or {}).get("engine"),
        **_times(stored),
    }


def cited(stored: Document, distance: float) -> Json:
    """Return a block that was found; its props say when to use it, whatever its type."""
    props = {**(stored.get("props") or {}), "use_when": stored["title"]}
    if stored["type"] == "text":
        props["notes"] = notes(props)
    else:
        props["tool_sops"] = [{"order": order, **step} for order, step in enumerate(props.get("tool_sops", ()))]
    return {
        "block_id": stored["_id"],
        "title": stored["title"],
        "type": stored["type"],
        "props": props,
        "distance": distance,
        "engine": (stored.get("provenance") or {}).get("engine"),
    }


def proposal(stored: Document) -> Json:
    """Return an ExperienceConfirmation: a skill that waits, or waited, for a person."""
    proposed = stored["proposed"]
    return {
        "id": stored["_id"],
        "space_id": stored["space_id"],
        "task_id": stored["task_id"],
        "experience_data": {
            "type": "sop",
            "data": {name: proposed[name] for name in ("use_when", "preferences", "tool_sops")},
        },
        **_times(stored),
    }


def artifact(stored: Document) -> Json:
    """Return an Artifact."""
    info = {
        "path": stored["path"],
        "filename": stored["filename"],
        "mime": stored["asset"]["mime"],
        "size": stored["asset"]["size_b"],
    }
    return {
        "disk_id": stored["disk_id"],
        "path": stored["path"],
        "filename": stored["filename"],
        "meta": {**stored["meta"], ARTIFACT_INFO: info},
        **_times(stored),
    }


def place(head: Document) -> tuple[str, str]:
    """Return where a head stands in a list."""
    return head["created_at"].isoformat(), head["_id"]


def _times(stored: Mapping[str, Any]) -> Json:
    return {"created_at": at(stored["created_at"]), "updated_at": at(stored["updated_at"])}
