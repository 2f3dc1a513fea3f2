"""Disks and the files on them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from craftlog.contracts.readmodels import DISKS
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import content, paths, wire
from craftlog.gateway.answers import answer
from craftlog.gateway.bodies import MOST_SMALL_BYTES
from craftlog.gateway.cursors import listed
from craftlog.gateway.errors import InvalidError, MissingError
from craftlog.gateway.fields import Json, an_object
from craftlog.gateway.forms import FormPart, form, is_form, text
from craftlog.gateway.handlers import Gateway, Upload, create_disk, delete_disk, remove_artifact, store_artifact
from craftlog.gateway.limits import MOST_BYTES, parse
from craftlog.gateway.parameters import Id, On, Project, Text, Wanted, Wired, or_default, required
from craftlog.runtime.objects import ObjectMissingError

router = APIRouter(prefix="/disk", tags=["disk"])

_WEEK: Final = 7 * 24 * 3600
Seconds = Annotated[int, or_default(3600), Query(ge=1, le=_WEEK)]


@router.post("", status_code=201)
async def create(gateway: Wired, project: Project) -> Response:
    """Begin an empty disk."""
    disk_id, began = await create_disk(gateway, project)
    times = {"created_at": wire.at(began), "updated_at": wire.at(began)}
    return answer({"id": disk_id, "project_id": project, **times}, status=201)


@router.get("")
async def list_(gateway: Wired, project: Project, page: Wanted) -> Response:
    """List disks."""
    found = await gateway.reads.heads(DISKS, project, page, deleted=False)
    heads, more = listed(found, page.limit, wire.place)
    return answer({"items": [wire.disk(head) for head in heads], **more})


@router.delete("/{disk_id}")
async def delete(gateway: Wired, project: Project, disk_id: Id) -> Response:
    """End a disk, for ever."""
    await delete_disk(gateway, Address(Kind.DISK, project, disk_id))
    return answer()


@router.post("/{disk_id}/artifact", status_code=201)
async def store(request: Request, gateway: Wired, project: Project, disk_id: Id) -> Response:
    """Put a file: multipart ``file``, ``file_path?`` (only its directory counts), ``meta?`` (a JSON object)."""
    if not is_form(request):
        raise InvalidError("body", "must be multipart/form-data with a field file")
    async with form(request, MOST_BYTES) as parts:
        stored = await store_artifact(gateway, Address(Kind.DISK, project, disk_id), _upload(parts))
    return answer(wire.artifact(stored), status=201)


@router.get("/{disk_id}/artifact")
async def get(
    *,
    gateway: Wired,
    project: Project,
    disk_id: Id,
    file_path: Text = None,
    with_public_url: On = True,
    with_content: On = True,
    expire: Seconds = 3600,
) -> Response:
    """Return a file's description, with a URL to download it from and, where it is text of a kind, its content."""
    path, name = paths.split(required(file_path, "file_path"))
    seen = await gateway.heads.seen(Address(Kind.DISK, project, disk_id))
    stored = await gateway.reads.artifact(disk_id, path, name)
    if stored is None:
        raise MissingError(f"file_path: there is no file {path}{name} on this disk")
    data: Json = {"artifact": wire.artifact(stored)}
    key = stored["asset"]["s3_key"]
    if with_public_url:
        data["public_url"] = await gateway.objects.sign(key, timedelta(seconds=expire))
    if with_content and (found := await _content(gateway, key, content.kind_of(name, stored["asset"]["mime"]))):
        data["content"] = found
    return answer(data, stalled=seen.stalled)


@router.delete("/{disk_id}/artifact")
async def remove(gateway: Wired, project: Project, disk_id: Id, file_path: Text = None) -> Response:
    """Take a file away."""
    place = paths.split(required(file_path, "file_path"))
    await remove_artifact(gateway, Address(Kind.DISK, project, disk_id), place)
    return answer()


@router.get("/{disk_id}/artifact/ls")
async def ls(gateway: Wired, project: Project, disk_id: Id, path: Text = None) -> Response:
    """List the files in a directory, and the names of the directories in it."""
    below = paths.directory(path or "/")
    seen = await gateway.heads.seen(Address(Kind.DISK, project, disk_id))
    files = await gateway.reads.artifacts(disk_id)
    data = {
        "artifacts": [wire.artifact(file) for file in files if file["path"] == below],
        "directories": paths.subdirectories(below, [file["path"] for file in files]),
    }
    return answer(data, stalled=seen.stalled)


async def _content(gateway: Gateway, key: str, kind: str | None) -> dict[str, str] | None:
    try:
        return content.parsed(kind, await gateway.objects.get(key)) if kind else None
    except ObjectMissingError as gone:
        raise MissingError("file_path: this file was just removed") from gone


def _upload(parts: Sequence[FormPart]) -> Upload:
    files = [part for part in parts if part.filename is not None]
    if [file.field for file in files] != ["file"]:
        raise InvalidError("file", "must be the only file" if files else "is missing")
    path, _ = paths.split(text(parts, "file_path", MOST_SMALL_BYTES) or "/")
    name = paths.filename(files[0].filename or "")
    if not name:
        raise InvalidError("file", "has no name")
    return Upload(path, name, files[0].open(), files[0].mime, _meta(text(parts, "meta", MOST_SMALL_BYTES)))


def _meta(sent: str | None) -> Json:
    if not sent:
        return {}
    meta = an_object(parse(sent.encode(), "meta"), "meta")
    if wire.ARTIFACT_INFO in meta:
        raise InvalidError(f"meta.{wire.ARTIFACT_INFO}", "is a name that we keep for ourselves")
    return meta
