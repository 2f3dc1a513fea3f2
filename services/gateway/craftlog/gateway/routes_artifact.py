"""The files on disks: put, read, described, removed, listed and downloaded."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import content, paths, wire
from craftlog.gateway.answers import Streamed, answer
from craftlog.gateway.bodies import MOST_SMALL_BYTES, small_object
from craftlog.gateway.cursors import after_names, encode
from craftlog.gateway.errors import InvalidError, MissingError, TooLargeError
from craftlog.gateway.fields import Json, a_text, an_id, an_object
from craftlog.gateway.forms import FormPart, form, is_form, text
from craftlog.gateway.handlers import Gateway, Upload, describe_artifact, remove_artifact, store_artifact
from craftlog.gateway.limits import parse
from craftlog.gateway.parameters import Id, Needed, On, Project, Text, Wired, or_default
from craftlog.gateway.zipping import Entry, zipped
from craftlog.runtime.errors import ObjectMissingError
from craftlog.runtime.s3 import PIECE

router = APIRouter(prefix="/disk/{disk_id}/artifact", tags=["disk"])

# What is large is held as bytes, as text and as an answer: one at a time, and the small ones beside it.
_LARGE: Final = 1024 * 1024
_WEEK: Final = 7 * 24 * 3600
_MOST_LINES: Final = 2**31 - 1
_MOST_FILES: Final = 10_000
# A number of its own: whoever asks for a few files still gets all directories of any usual disk with the first page.
_MOST_DIRECTORIES: Final = 10_000
# JSON as a string in JSON: each quote, and what stood before it, takes more bytes there.
_MOST_AROUND_META: Final = 8 * MOST_SMALL_BYTES
_SAFE: Final = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
Files = Annotated[int, or_default(_MOST_FILES), Query(ge=1, le=_MOST_FILES)]
Seconds = Annotated[int, or_default(3600), Query(ge=1, le=_WEEK)]
LineOffset = Annotated[Annotated[int, Field(ge=0, le=_MOST_LINES)] | None, or_default(None), Query()]
LineLimit = Annotated[Annotated[int, Field(ge=1, le=_MOST_LINES)] | None, or_default(None), Query()]


@router.post("", status_code=201)
async def store(request: Request, gateway: Wired, project: Project, disk_id: Id) -> Response:
    """Put a file: multipart ``file``, ``file_path?`` (only its directory counts), ``meta?`` (a JSON object)."""
    return await stored(gateway, project, disk_id, request)


@router.get("")
async def get(
    *,
    gateway: Wired,
    project: Project,
    disk_id: Id,
    file_path: Needed,
    with_public_url: On = True,
    with_content: On = True,
    expire: Seconds = 3600,
    line_offset: LineOffset = None,
    line_limit: LineLimit = None,
) -> Response:
    """Return a file's description, with a URL to download it from and, where it is text of a kind, its content.

    With a line offset or limit the content is those lines, and says how many there are in all.
    """
    found, stalled = await _file(gateway, project, disk_id, file_path)
    asset, name = found["asset"], found["filename"]
    data: Json = {"artifact": wire.artifact(found)}
    if with_public_url:
        headers = {
            "response-content-type": asset["mime"],
            "response-content-disposition": paths.attachment(name),
        }
        data["public_url"] = await gateway.objects.sign(asset["s3_key"], timedelta(seconds=expire), headers)
    kind = content.kind_of(name, asset["mime"])
    if with_content and kind:
        lines = None if line_offset is line_limit is None else content.Lines(line_offset or 0, line_limit)
        if parsed := await _content(gateway, asset, kind, lines):
            data["content"] = parsed
    return answer(data, stalled=stalled)


@router.put("")
async def describe(request: Request, gateway: Wired, project: Project, disk_id: Id) -> Response:
    """Replace a file's meta: ``file_path``, and ``meta``, which is a JSON object as text."""
    body = await small_object(request, _MOST_AROUND_META)
    place = paths.split(a_text(body.get("file_path"), "file_path"))
    meta = _meta(a_text(body.get("meta"), "meta"))
    described = await describe_artifact(gateway, Address(Kind.DISK, project, disk_id), place, meta)
    return answer({"artifact": wire.artifact(described)})


@router.delete("")
async def remove(gateway: Wired, project: Project, disk_id: Id, file_path: Needed) -> Response:
    """Take a file away."""
    place = paths.split(file_path)
    await remove_artifact(gateway, Address(Kind.DISK, project, disk_id), place)
    return answer()


@router.get("/ls")
async def ls(
    *, gateway: Wired, project: Project, disk_id: Id, path: Text = None, limit: Files = _MOST_FILES, cursor: Text = None
) -> Response:
    """List the files in a directory, and with the first page the names of the directories in it, all sorted.

    Only of more than 10,000 directories the rest comes with the next pages.
    """
    below = paths.directory(path or "/")
    file, directory = after_names(cursor)
    seen = await gateway.heads.seen(Address(Kind.DISK, project, disk_id))
    files, more_files = await gateway.files.within(disk_id, below, limit, file)
    listed: tuple[list[str], bool] = ([], False)
    if directory is not None:
        listed = await gateway.files.directories(seen.head, below, _MOST_DIRECTORIES, directory)
    directories, more_directories = listed
    more = more_files or more_directories
    data: Json = {"artifacts": [wire.artifact(one) for one in files], "directories": directories, "has_more": more}
    if more:
        last = files[-1]["filename"] if files else file
        data["next_cursor"] = encode(last, directories[-1]) if more_directories else encode(last)
    return answer(data, stalled=seen.stalled)


@router.get("/download")
async def download(gateway: Wired, project: Project, disk_id: Id, file_path: Needed) -> Response:
    """Download a file's bytes."""
    return await downloaded(gateway, project, disk_id, file_path)


@router.get("/zip")
async def zip_(gateway: Wired, project: Project, disk_id: Id, path: Text = None) -> Response:
    """Download a directory, with all below it, as a zip."""
    root = paths.directory(path or "/")
    await gateway.heads.seen(Address(Kind.DISK, project, disk_id))
    files = gateway.files.below(disk_id, root)
    first = await anext(files, None)
    if first is None:
        raise MissingError(f"path: there are no files in {root} on this disk")
    name = f"{root.strip('/').rpartition('/')[2] or disk_id}.zip"
    headers = {**_SAFE, "Content-Disposition": paths.attachment(name), "Content-Type": "application/zip"}
    entries = _entries(gateway, root, first, files)
    return Streamed(zipped(gateway.objects, entries), headers)


async def stored(gateway: Gateway, project: str, disk_id: str, request: Request) -> Response:
    """Put the file that a request carries, and answer it."""
    address = Address(Kind.DISK, project, an_id(disk_id, "disk_id"))
    if not is_form(request):
        raise InvalidError("body", "must be multipart/form-data with a field file")
    async with form(request, gateway.artifact_bytes, gateway.artifact_bytes) as parts:
        made = await store_artifact(gateway, address, _upload(parts))
    return answer(wire.artifact(made), status=201)


async def downloaded(gateway: Gateway, project: str, disk_id: str, file_path: str) -> Response:
    """Answer with a file's bytes."""
    found, _ = await _file(gateway, project, an_id(disk_id, "disk_id"), file_path)
    asset = found["asset"]
    with_name = {"Content-Disposition": paths.attachment(found["filename"]), "ETag": f'"{asset["sha256"]}"'}
    headers = {**_SAFE, **with_name, "Content-Length": str(asset["size_b"]), "Content-Type": asset["mime"]}
    try:
        if asset["size_b"] <= PIECE:
            return Response(await gateway.objects.get(asset["s3_key"]), headers=headers)
        return Streamed(await gateway.objects.pieces(asset["s3_key"]), headers)
    except ObjectMissingError as gone:
        raise MissingError("file_path: this file was just removed") from gone


async def _entries(
    gateway: Gateway, root: str, first: Sequence[Document], rest: AsyncIterator[Sequence[Document]]
) -> AsyncIterator[Entry]:
    some: Sequence[Document] | None = first
    while some:
        double = await gateway.files.also_directories(some)
        for file in some:
            place = file["path"], file["filename"]
            name = paths.in_archive(place, root, is_directory=file["_id"] in double)
            yield Entry(name, file["asset"]["s3_key"], file["updated_at"])
        some = await anext(rest, None)


async def _file(gateway: Gateway, project: str, disk_id: str, file_path: str) -> tuple[Document, int | None]:
    """Return a file's document, and the version at which its disk is stalled."""
    place = paths.split(file_path)
    address = Address(Kind.DISK, project, disk_id)
    if await gateway.heads.is_covered(address) and (found := await gateway.files.file(disk_id, place)):
        return found, None
    seen = await gateway.heads.seen(address)
    found = await gateway.files.file(disk_id, place)
    if found is None:
        raise MissingError(f"file_path: there is no file {''.join(place)} on this disk")
    return found, seen.stalled


async def _content(gateway: Gateway, asset: Document, kind: str, lines: content.Lines | None) -> Json | None:
    async with gateway.reads_large if asset["size_b"] > _LARGE else nullcontext():
        try:
            data = await gateway.objects.get(asset["s3_key"])
        except ObjectMissingError as gone:
            raise MissingError("file_path: this file was just removed") from gone
        return await asyncio.to_thread(content.parsed, kind, data, lines)


def _upload(parts: Sequence[FormPart]) -> Upload:
    files = [part for part in parts if part.filename is not None]
    if [file.field for file in files] != ["file"]:
        raise InvalidError("file", "must be the only file" if files else "is missing")
    path, _ = paths.split(text(parts, "file_path", MOST_SMALL_BYTES) or "/")
    name = paths.filename(files[0].filename or "")
    if not name:
        raise InvalidError("file", "has no name")
    meta = text(parts, "meta", MOST_SMALL_BYTES)
    return Upload(path, name, files[0].body(), files[0].mime, _meta(meta) if meta else {})


def _meta(sent: str) -> Json:
    size = len(sent.encode("utf-8", "surrogatepass"))
    if size > MOST_SMALL_BYTES:
        raise TooLargeError(f"meta: {size} bytes are more than {MOST_SMALL_BYTES}")
    meta = an_object(parse(sent.encode("utf-8", "surrogatepass"), "meta"), "meta")
    if wire.ARTIFACT_INFO in meta:
        raise InvalidError(f"meta.{wire.ARTIFACT_INFO}", "is a name that we keep for ourselves")
    return meta
