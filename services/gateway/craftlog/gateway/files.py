"""What the gateway asks of the files on a disk: an index answers, however many there are."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Final

from pydantic_core import to_json

from craftlog.contracts.readmodels import ARTIFACTS, DIRECTORIES, Document
from craftlog.gateway.paths import Place, subdirectories
from craftlog.gateway.together import Together
from craftlog.runtime.mongo import Database, by_id, find, reach

_AT_ONCE: Final = 1000
_FEW: Final = 200
_MOST_META: Final = 16 * 1024 * 1024
_ORDER: Final = [("path", 1), ("filename", 1)]
_NO_META: Final = ("path", "filename", "asset", "updated_at")


class Files:
    """The files on disks, by disk, path and name. All methods raise UnavailableError without MongoDB."""

    def __init__(self, database: Database) -> None:
        self._files = database[ARTIFACTS]
        self._directories = database[DIRECTORIES]
        self._file = Together(partial(by_id, self._files))

    async def file(self, disk_id: str, place: Place) -> Document | None:
        """Return the file at a place."""
        return await self._file(f"{disk_id}:{''.join(place)}")

    async def files(self, ids: Sequence[str]) -> list[Document]:
        """Return those of these files that are there, in order."""
        found = await by_id(self._files, ids)
        return sorted(found.values(), key=lambda file: (file["path"], file["filename"]))

    async def within(self, disk_id: str, directory: str, limit: int, after: str = "") -> tuple[list[Document], bool]:
        """Return the files directly in a directory, by name, and whether there are more than fit.

        There are no more than ``limit``, from the name after ``after`` on, and no more than have 16 MiB of meta.
        """
        query = {"disk_id": disk_id, "path": directory, "filename": {"$gt": after}}
        found: list[Document] = []
        room = _MOST_META
        cursor = self._files.find(query).sort([("filename", 1)])
        while some := await reach(lambda: cursor.to_list(_FEW)):
            for file in some:
                room -= len(to_json(file["meta"]))
                if len(found) == limit or (found and room < 0):
                    await cursor.close()
                    return found, True
                found.append(file)
        return found, False

    async def below(
        self, disk_id: str, directory: str, after: Place | None = None
    ) -> AsyncIterator[Sequence[Document]]:
        """Yield all files in a directory and those below it, without their meta, in order and some at a time."""
        whole = {"$gte": directory, "$lt": _end(directory)}
        queries: list[Document] = [{"disk_id": disk_id, "path": whole}]
        if after:
            path, name = after
            # Not one query with $or, which no index answers in order.
            rest = {"disk_id": disk_id, "path": {**whole, "$gt": path}}
            queries = [{"disk_id": disk_id, "path": path, "filename": {"$gt": name}}, rest]
        for query in queries:
            cursor = self._files.find(query, _NO_META).sort(_ORDER)
            while files := await reach(lambda some=cursor: some.to_list(_AT_ONCE)):  # type: ignore[misc] # bound at once
                yield files

    async def directories(self, head: Document, directory: str, limit: int, after: str = "") -> tuple[list[str], bool]:
        """Return the names of the directories directly in one, sorted, and whether there are more than fit.

        There are those that have a file in them or below.

        Args:
            head: the disk's.
            directory: where.
            limit: how many there may be.
            after: the name after which they begin.
        """
        disk_id = head["_id"]
        if not head.get("directories"):
            # It was projected before there was a list of directories: all paths have to be looked through.
            below = {"disk_id": disk_id, "path": {"$gte": directory, "$lt": _end(directory)}}
            names = subdirectories(directory, await reach(lambda: self._files.distinct("path", below)))
            rest = names[bisect_right(names, after) :]
            return rest[:limit], len(rest) > limit
        found: list[str] = []
        query = {"disk_id": disk_id, "parent": directory, "name": {"$gt": after}}
        cursor = self._directories.find(query).sort([("name", 1)])
        while known := await reach(lambda: cursor.to_list(_AT_ONCE)):
            there = await self._there([one["witness"] for one in known])
            for one in known:
                if one["witness"] in there or await self._holds_any(disk_id, f"{directory}{one['name']}/"):
                    if len(found) == limit:
                        await cursor.close()
                        return found, True
                    found.append(one["name"])
        return found, False

    async def also_directories(self, files: Sequence[Document]) -> set[str]:
        """Return the ids of those of these files that stand where there is, or was, a directory as well."""
        ids = [f"{file['_id']}/" for file in files]
        found = await find(self._directories, {"_id": {"$in": ids}}, fields=())
        return {directory["_id"].removesuffix("/") for directory in found}

    async def _there(self, ids: Sequence[str]) -> set[str]:
        return {file["_id"] for file in await find(self._files, {"_id": {"$in": list(ids)}}, fields=())}

    async def _holds_any(self, disk_id: str, directory: str) -> bool:
        query = {"disk_id": disk_id, "path": {"$gte": directory, "$lt": _end(directory)}}
        return bool(await find(self._files, query, limit=1, fields=()))


def _end(directory: str) -> str:
    """Return what comes after all paths in a directory: it ends with a slash, and 0 is the next character."""
    return f"{directory[:-1]}0"
