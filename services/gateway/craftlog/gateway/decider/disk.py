"""What may happen to a disk: files are put and removed until it ends for ever. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, assert_never

from craftlog.contracts.events import (
    ArtifactDescribed,
    ArtifactRemoved,
    ArtifactStored,
    DiskCreated,
    DiskDeleted,
    Event,
)
from craftlog.contracts.messages import Asset
from craftlog.gateway.decider.refusals import AbsentError
from craftlog.gateway.digests import digest

MOST_TOUCHED: Final = 256
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Disk:
    """What decisions need to know of a disk.

    It does not hold the whole tree, which grows without end: ``touched`` has of the places that changed last the digest
    of the file's meta, None where there is no file now; of all others the caller knows from the read model.
    """

    exists: bool = False
    deleted: bool = False
    touched: Mapping[Place, str | None] = field(default_factory=dict)


INITIAL: Final = Disk()


@dataclass(frozen=True, slots=True)
class CreateDisk:
    """Begin an empty file tree."""


@dataclass(frozen=True, slots=True)
class StoreArtifact:
    """Put a file, in place of the one that may be there."""

    path: str
    filename: str
    asset: Asset
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DescribeArtifact:
    """Give a file this meta in place of its own, whose digest the read model has ``seen`` (None: there is no file)."""

    path: str
    filename: str
    meta: dict[str, Any]
    seen: str | None


@dataclass(frozen=True, slots=True)
class RemoveArtifact:
    """Take a file away, of whose meta the read model has ``seen`` the digest (None: there is no file)."""

    path: str
    filename: str
    seen: str | None


@dataclass(frozen=True, slots=True)
class DeleteDisk:
    """End it."""


Command = CreateDisk | StoreArtifact | DescribeArtifact | RemoveArtifact | DeleteDisk


def decide(state: Disk, command: Command) -> Sequence[Event]:
    """Return what a command comes to.

    Raises:
        AbsentError: there is no such disk or file, or there is none any more.
    """
    if state.deleted or not (state.exists or isinstance(command, CreateDisk)):
        raise AbsentError("there is no such disk")
    match command:
        case CreateDisk():
            return [] if state.exists else [DiskCreated()]
        case StoreArtifact(path, filename, asset, meta):
            return [ArtifactStored(path=path, filename=filename, asset=asset, meta=meta)]
        case DescribeArtifact(path, filename, meta, seen):
            same = _known(state, (path, filename), seen) == digest(meta)
            return [] if same else [ArtifactDescribed(path=path, filename=filename, meta=meta)]
        case RemoveArtifact(path, filename, seen):
            _known(state, (path, filename), seen)
            return [ArtifactRemoved(path=path, filename=filename)]
        case DeleteDisk():
            return [DiskDeleted()]
        case _:
            assert_never(command)


def evolve(state: Disk, event: Event) -> Disk:
    """Return the state after an event."""
    match event:
        case DiskCreated():
            return replace(state, exists=True)
        case (
            ArtifactStored(path=path, filename=filename, meta=meta)
            | ArtifactDescribed(path=path, filename=filename, meta=meta)
        ):
            return _touch(state, (path, filename), digest(meta))
        case ArtifactRemoved(path=path, filename=filename):
            return _touch(state, (path, filename), None)
        case DiskDeleted():
            return Disk(exists=True, deleted=True)
        case _:
            return state


def _known(state: Disk, place: Place, seen: str | None) -> str:
    known = state.touched.get(place, seen)
    if known is None:
        raise AbsentError(f"there is no file {''.join(place)} on this disk")
    return known


def _touch(state: Disk, place: Place, meta: str | None) -> Disk:
    earlier = state.touched if len(state.touched) < MOST_TOUCHED else {}
    return replace(state, touched={**earlier, place: meta})
