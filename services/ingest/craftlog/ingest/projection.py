"""Pure: how the events of projects, sessions, disks and spaces become what people read."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import (
    ArtifactDescribed,
    ArtifactRemoved,
    ArtifactStored,
    CopyOf,
    DiskCreated,
    DiskDeleted,
    FlushRequested,
    KeyIssued,
    KeyRevoked,
    MessageAppended,
    ProjectConfigured,
    ProjectCreated,
    SessionConfigured,
    SessionCreated,
    SessionDeleted,
    SpaceConfigured,
    SpaceConnected,
    SpaceCreated,
    SpaceDeleted,
)
from craftlog.contracts.readmodels import ARTIFACTS, COPIES, DIRECTORIES, MESSAGES, Changes, Document

# What is deleted and not yet erased from the log and the bucket: _id "<kind>/<id>" {project}. Known to ingest alone.
ERASURES: Final = "erasures"

Fold = Callable[[Changes, Recorded], None]


def project(head: Mapping[str, Any] | None, events: Sequence[Recorded]) -> Changes:
    """Fold a project, which is a head alone: its keys are few.

    Raises:
        ValueError: the project was created twice, or is not there to have the key.
    """
    return _folded(_project, head, events)


def session(head: Mapping[str, Any] | None, events: Sequence[Recorded]) -> Changes:
    """Fold a session: its head, and one child a message.

    Raises:
        ValueError: a message is not at the next position, or the session is not there to have it.
    """
    return _folded(_session, head, events)


def disk(head: Mapping[str, Any] | None, events: Sequence[Recorded]) -> Changes:
    """Fold a disk: its head, and one child a file; the last that happened to a path is what counts.

    Raises:
        ValueError: the disk is not there to hold the file.
    """
    return _folded(_disk, head, events)


def space(head: Mapping[str, Any] | None, events: Sequence[Recorded]) -> Changes:
    """Fold a space, which is a head alone.

    Raises:
        ValueError: the space was created twice, or is not there to be configured.
    """
    return _folded(_space, head, events)


def _folded(fold: Fold, head: Mapping[str, Any] | None, events: Sequence[Recorded]) -> Changes:
    changes = Changes(dict(head or {}))
    # What is erased goes from the oldest on, so the events before a tombstone may be no whole history any more.
    tombstone = next((place for place, past in enumerate(events) if past.is_tombstone), 0)
    for past in events[tombstone:]:
        # A type that is not known here is folded as nothing: this reader is older than the writer.
        if past.event is not None:
            fold(changes, past)
    return changes


def _project(changes: Changes, past: Recorded) -> None:
    match past.event:
        case ProjectCreated(name=name):
            _create(changes, past, name=name, keys=[], configs={})
        case KeyIssued() as issued:
            key = {"id": issued.key_id, **issued.model_dump(exclude={"key_id"}), "created_at": past.time}
            _update(changes, past, keys=[*_existing(changes, past)["keys"], {**key, "revoked_at": None}])
        case KeyRevoked(key_id=key_id):
            keys = _existing(changes, past)["keys"]
            revoked = [{**key, "revoked_at": past.time} if key["id"] == key_id else key for key in keys]
            _update(changes, past, keys=revoked)
        case ProjectConfigured(configs=configs):
            _update(changes, past, configs=configs)
        case _:
            raise _foreign(past)


def _session(changes: Changes, past: Recorded) -> None:
    match past.event:
        case SessionCreated() as created:
            _create(
                changes,
                past,
                configs=created.configs,
                disable_task_tracking=created.disable_task_tracking,
                space_id=created.space_id,
                messages=0,
                last_message_id=None,
                flushed_through=0,
                request=created.request,
                deleted=False,
            )
            if created.copy_of:
                _begin_copy(changes, past, created.copy_of)
        case MessageAppended() as message:
            _append(changes, past, message)
        case SessionConfigured(configs=configs):
            _update(changes, past, configs=configs)
        case SpaceConnected(space_id=space_id):
            _update(changes, past, space_id=space_id)
        case FlushRequested(through_position=through):
            _update(changes, past, flushed_through=through)
        case SessionDeleted():
            if _is_copying(changes.head):
                changes.put(COPIES, past.address.id, None)
            _delete(changes, past, (MESSAGES,), {"session_id": past.address.id})
        case _:
            raise _foreign(past)


def _begin_copy(changes: Changes, past: Recorded, copy_of: CopyOf) -> None:
    changes.head["copy_of"] = copy_of.model_dump()
    if copy_of.messages:
        # It is listed by the time when it became complete: before, somebody may have read the list beyond.
        del changes.head["created_at"]
        changes.put(COPIES, past.address.id, {"project": past.address.project, "begun_at": past.time})


def _is_copying(head: Document) -> bool:
    return "copy_of" in head and "created_at" not in head


def _append(changes: Changes, past: Recorded, message: MessageAppended) -> None:
    expected = _existing(changes, past)["messages"] + 1
    if message.position != expected:
        raise ValueError(f"version {past.version}: message at position {message.position}, expected {expected}")
    _update(changes, past, messages=message.position, last_message_id=message.message_id)
    session_id = past.address.id
    if _is_copying(changes.head) and changes.head["copy_of"]["messages"] == message.position:
        changes.head["created_at"] = past.time
        changes.put(COPIES, session_id, None)
    changes.children[MESSAGES, f"{session_id}/{message.message_id}"] = {
        "project": past.address.project,
        "session_id": session_id,
        "position": message.position,
        "message_id": message.message_id,
        "parent_id": message.parent_id,
        "role": message.role,
        "parts": [part.model_dump(exclude_none=True) for part in message.parts],
        "parts_ref": message.parts_ref and message.parts_ref.model_dump(),
        "meta": message.meta,
        "request": message.request,
        "created_at": past.time,
    }


def _disk(changes: Changes, past: Recorded) -> None:
    match past.event:
        case DiskCreated():
            _create(changes, past, deleted=False, directories=True)
        case ArtifactStored() as stored:
            _update(changes, past)
            _store(changes, past, stored)
        case ArtifactDescribed() as described:
            _update(changes, past)
            changes.patch(ARTIFACTS, _artifact(past, described), {"meta": described.meta, "updated_at": past.time})
        case ArtifactRemoved() as removed:
            _update(changes, past)
            changes.put(ARTIFACTS, _artifact(past, removed), None)
        case DiskDeleted():
            _delete(changes, past, (ARTIFACTS, DIRECTORIES), {"disk_id": past.address.id})
        case _:
            raise _foreign(past)


def _store(changes: Changes, past: Recorded, stored: ArtifactStored) -> None:
    disk = {"project": past.address.project, "disk_id": past.address.id}
    file = {
        **disk,
        "path": stored.path,
        "filename": stored.filename,
        "asset": stored.asset.model_dump(),
        "meta": stored.meta,
        "created_at": past.time,
        "updated_at": past.time,
    }
    changes.put(ARTIFACTS, _artifact(past, stored), file)
    for parent, name in _directories(stored.path):
        directory = {**disk, "parent": parent, "name": name, "witness": _artifact(past, stored)}
        changes.put(DIRECTORIES, f"{past.address.id}:{parent}{name}/", directory)


def _directories(path: str) -> Iterator[tuple[str, str]]:
    """Yield of each directory on the way down to ``path`` its parent and its name; one without a name is none."""
    start = 1
    while (end := path.find("/", start)) >= 0:
        if end > start:
            yield path[:start], path[start:end]
        start = end + 1


def _artifact(past: Recorded, event: ArtifactStored | ArtifactDescribed | ArtifactRemoved) -> str:
    return f"{past.address.id}:{event.path}{event.filename}"


def _space(changes: Changes, past: Recorded) -> None:
    match past.event:
        case SpaceCreated() as created:
            _create(changes, past, configs=created.configs, request=created.request)
        case SpaceConfigured(configs=configs):
            _update(changes, past, configs=configs)
        case SpaceDeleted():
            _delete(changes, past, (), {})
        case _:
            raise _foreign(past)


def _create(changes: Changes, past: Recorded, **fields: Any) -> None:
    if "updated_at" in changes.head or changes.head.get("deleted"):
        raise ValueError(f"version {past.version}: {past.address.kind} {past.address.id} was there already")
    changes.head.update(fields, created_at=past.time, updated_at=past.time)


def _update(changes: Changes, past: Recorded, **fields: Any) -> None:
    _existing(changes, past).update(fields, updated_at=past.time)


def _delete(changes: Changes, past: Recorded, collections: Iterable[str], children: Document) -> None:
    """Leave the mark that the id was used, and a note of what the log and the bucket still hold."""
    changes.head = {"deleted": True}
    changes.children[ERASURES, f"{past.address.kind}/{past.address.id}"] = {"project": past.address.project}
    changes.drop = [(collection, children) for collection in collections]


def _existing(changes: Changes, past: Recorded) -> Document:
    if "updated_at" not in changes.head:
        raise ValueError(f"version {past.version}: {past.type}, but there is no {past.address.kind} {past.address.id}")
    return changes.head


def _foreign(past: Recorded) -> ValueError:
    return ValueError(f"version {past.version}: {past.type} does not belong in a {past.address.kind}")
