"""Disks and the files on them, as the document describes them."""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from craftlog.gateway.document.said import Absent, Id, Page, Said, Sent, Shape, Times
from craftlog.gateway.fields import Json


class Disk(Times):
    """A file tree of an agent."""

    id: Id
    project_id: Id


class Artifact(Times):
    """A file on a disk; ``meta`` is the client's, and ``__artifact_info__`` ours."""

    disk_id: Id
    path: str
    filename: str
    meta: Json


class FileContent(Shape):
    """A file's text, or the lines of it that were asked for."""

    type: Literal["text", "json", "csv", "code"]
    raw: str
    line_offset: int | Absent = None
    total_lines: int | Absent = None


class StoredArtifact(Shape):
    """A file, where to download it, and what it says."""

    artifact: Artifact
    public_url: str | Absent = None
    content: FileContent | Absent = None


class Described(Shape):
    """A file whose meta was replaced."""

    artifact: Artifact


class Directory(Shape):
    """The files in a directory, and on the first page the names of the first 10,000 directories in it."""

    artifacts: list[Artifact]
    directories: list[str]
    has_more: bool
    next_cursor: str | Absent = None


class NewArtifact(Sent):
    """A file: only the directory of ``file_path`` counts, ``meta`` is a JSON object as text."""

    file: Annotated[bytes, Field(json_schema_extra={"format": "binary"})]
    file_path: str = "/"
    meta: str = "{}"


class ArtifactMeta(Sent):
    """A file, and its new meta: a JSON object as text."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"file_path": "/a.json", "meta": '{"by": "me"}'}]})

    file_path: str
    meta: str


ROUTES: Final[dict[str, Said]] = {
    "GET /disk": Said(Page[Disk], refusals=(501,)),
    "POST /disk": Said(Disk, refusals=(501,)),
    "DELETE /disk/{disk_id}": Said(),
    "POST /disk/{disk_id}/artifact": Said(Artifact, form=NewArtifact),
    "GET /disk/{disk_id}/artifact": Said(StoredArtifact),
    "DELETE /disk/{disk_id}/artifact": Said(),
    "PUT /disk/{disk_id}/artifact": Said(Described, ArtifactMeta),
    "GET /disk/{disk_id}/artifact/ls": Said(Directory),
    "GET /disk/{disk_id}/artifact/glob": Said(list[Artifact], headers=("Craftlog-Next-Cursor",)),
    "GET /disk/{disk_id}/artifact/grep": Said(list[Artifact], headers=("Craftlog-Next-Cursor",)),
    "GET /disk/{disk_id}/artifact/download": Said(media="*/*"),
    "GET /disk/{disk_id}/artifact/zip": Said(media="application/zip"),
}
