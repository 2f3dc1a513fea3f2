"""What a request wants becomes a command, and the command events."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, BinaryIO
from uuid import uuid4

from craftlog.contracts.envelope import event_id
from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.configs import not_too_large
from craftlog.gateway.decider import disk, project, session, session_commands, space
from craftlog.gateway.decider.merging import merged
from craftlog.gateway.decider.refusals import AbsentError
from craftlog.gateway.digests import digest
from craftlog.gateway.errors import MissingError
from craftlog.gateway.files import Files
from craftlog.gateway.heads import Heads
from craftlog.gateway.limits import MOST_BYTES
from craftlog.gateway.paths import Place
from craftlog.gateway.proofs import Proofs
from craftlog.gateway.reads import Reads
from craftlog.runtime.desk import Desk
from craftlog.runtime.log import Log
from craftlog.runtime.objects import Objects, prefix_of


@dataclass(frozen=True, slots=True)
class Gateway:
    """What the routes work with.

    ``artifact_bytes`` is the most that a file on a disk may have; ``counted`` remembers of sessions their tokens, and
    through which position; ``reads_large`` is held by whoever has the whole text of a large file in hand.
    """

    log: Log
    objects: Objects
    heads: Heads
    reads: Reads
    files: Files
    projects: Desk[project.Project, project.Command]
    sessions: Desk[session.Session, session_commands.Command]
    disks: Desk[disk.Disk, disk.Command]
    spaces: Desk[space.Space, space.Command]
    artifact_bytes: int = MOST_BYTES
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)
    proofs: Proofs = field(default_factory=Proofs)
    reads_large: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def check(self, address: Address, field: str) -> None:
        """Raise MissingError, naming the field, where the log holds no such aggregate, or its end."""
        last = await self.heads.last(address)
        if last is None or last.is_tombstone:
            raise MissingError(f"{field}: there is no {address.kind} {address.id}")

    @asynccontextmanager
    async def putting(self, address: Address, field: str, *, lately: bool = False) -> AsyncIterator[None]:
        """Let objects be put and named in an event within the block.

        With ``lately`` it is enough that the aggregate was there less than a minute ago.

        Raises:
            MissingError: there is no such aggregate.
            AbsentError: as the block does where it was deleted meanwhile; whatever was put is gone again.
        """
        # What is put for an aggregate that is gone has nobody to delete it but us and, should we die over it, ingest's
        # late sweep: so it is put soon after a proof that the aggregate is there.
        now = asyncio.get_running_loop().time()
        if not (lately and self.proofs.hold(address, now)):
            await self.check(address, field)
        try:
            yield
        except AbsentError:
            self.proofs.forget(address)
            await self.objects.delete_prefix(prefix_of(address))
            raise
        # It was there when its event was appended, and so even more when all this began.
        self.proofs.note(address, now)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way to a disk. ``path`` is its directory."""

    path: str
    filename: str
    file: bytes | BinaryIO
    mime: str
    meta: dict[str, Any]


async def create_session(
    gateway: Gateway, project: str, wanted: session_commands.CreateSession, key: str | None
) -> tuple[str, datetime]:
    """Create a session, or find the one that the same key made; return its id and when it began.

    Raises:
        MissingError: there is no such space.
        ReusedKeyError: the key made a session from another body.
    """
    if wanted.space_id:
        await gateway.check(Address(Kind.SPACE, project, wanted.space_id), "space_id")
    if key:
        wanted = replace(wanted, request=digest(asdict(wanted)))
    address = Address(Kind.SESSION, project, event_id(project, "POST /session", key) if key else str(uuid4()))
    decided = await gateway.sessions.transact(address, [wanted], cause=address.id)
    if not decided.recorded:
        return address.id, (await gateway.heads.seen(address)).head["created_at"]
    await gateway.heads.await_version(address, decided.position.version)
    return address.id, decided.recorded[0].time


async def configure_session(
    gateway: Gateway, address: Address, command: session_commands.ConfigureSession | session_commands.MergeConfigs
) -> Mapping[str, Any]:
    """Change a session's configs and return them.

    Raises:
        AbsentError: there is no session.
        TooLargeError: they would have more than 64 KiB.
    """
    if isinstance(command, session_commands.MergeConfigs):
        known = (await gateway.sessions.state(address)).state.configs
        not_too_large(merged(known, command.changes))
    decided = await gateway.sessions.transact(address, [command], cause=str(uuid4()))
    await gateway.heads.await_version(address, decided.position.version)
    return decided.state.configs


async def connect_space(gateway: Gateway, address: Address, space_id: str) -> None:
    """Connect a session to a space; raises MissingError or AbsentError where one of them is not there."""
    await gateway.check(Address(Kind.SPACE, address.project, space_id), "space_id")
    decided = await gateway.sessions.transact(address, [session_commands.ConnectSpace(space_id)], cause=str(uuid4()))
    await gateway.heads.await_version(address, decided.position.version)


async def delete_session(gateway: Gateway, address: Address) -> None:
    """End a session; raises AbsentError where there is none."""
    decided = await gateway.sessions.transact(address, [session_commands.DeleteSession()], cause=str(uuid4()))
    await gateway.heads.await_version(address, decided.position.version)


async def create_disk(gateway: Gateway, project: str) -> tuple[str, datetime]:
    """Create a disk; return its id and when it began."""
    address = Address(Kind.DISK, project, str(uuid4()))
    decided = await gateway.disks.transact(address, [disk.CreateDisk()], cause=address.id)
    await gateway.heads.await_version(address, decided.position.version)
    return address.id, decided.recorded[0].time


async def delete_disk(gateway: Gateway, address: Address) -> None:
    """End a disk; raises AbsentError where there is none."""
    decided = await gateway.disks.transact(address, [disk.DeleteDisk()], cause=str(uuid4()))
    await gateway.heads.await_version(address, decided.position.version)


async def store_artifact(gateway: Gateway, address: Address, wanted: Upload) -> Document:
    """Put a file into the bucket, then on the disk; return it as the read model will have it.

    Raises:
        MissingError: there is no such disk.
        AbsentError: it was deleted meanwhile; the bytes are gone again.
    """
    async with gateway.putting(address, "disk_id", lately=True):
        # What is small is in the bucket in no time.
        with gateway.disks.expecting(address) if isinstance(wanted.file, bytes) else nullcontext():
            asset = await gateway.objects.keep(address, wanted.file, wanted.mime)
        command = disk.StoreArtifact(wanted.path, wanted.filename, asset, wanted.meta)
        decided = await gateway.disks.transact(address, [command], cause=str(uuid4()))
    when = decided.recorded[0].time
    return {
        "disk_id": address.id,
        "path": wanted.path,
        "filename": wanted.filename,
        "asset": asset.model_dump(),
        "meta": wanted.meta,
        "created_at": when,
        "updated_at": when,
    }


async def describe_artifact(gateway: Gateway, address: Address, place: Place, meta: dict[str, Any]) -> Document:
    """Give a file other meta and return it; raises MissingError or AbsentError where there is no such file."""
    seen = await _seen(gateway, address, place)
    await gateway.disks.transact(address, [disk.DescribeArtifact(*place, meta, seen)], cause=str(uuid4()))
    await gateway.heads.seen(address)
    described = await gateway.files.file(address.id, place)
    if described is None:
        raise MissingError(f"file_path: {''.join(place)} was just removed")
    return described


async def remove_artifact(gateway: Gateway, address: Address, place: Place) -> None:
    """Take a file off a disk; raises MissingError or AbsentError where one of them is not there."""
    seen = await _seen(gateway, address, place)
    await gateway.disks.transact(address, [disk.RemoveArtifact(*place, seen)], cause=str(uuid4()))


async def _seen(gateway: Gateway, address: Address, place: Place) -> str | None:
    await gateway.heads.seen(address)
    stored = await gateway.files.file(address.id, place)
    return digest(stored["meta"]) if stored else None
