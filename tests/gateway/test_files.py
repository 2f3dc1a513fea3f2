"""What is asked of the files on a disk, on a real server with as little in it as each question needs."""

from collections.abc import Sequence

import pytest

from craftlog.contracts.readmodels import ARTIFACTS, DIRECTORIES, Document
from craftlog.gateway import files as module
from craftlog.gateway.files import Files
from craftlog.runtime.mongo import Database

DISK = {"_id": "disk", "directories": True}


async def stored(database: Database, *paths: str, disk: str = "disk") -> None:
    for whole in paths:
        path, _, name = whole.rpartition("/")
        file = {"_id": f"{disk}:{whole}", "disk_id": disk, "path": f"{path}/", "filename": name, "meta": {}}
        await database[ARTIFACTS].insert_one(file)


async def known(database: Database, parent: str, name: str, witness: str) -> None:
    directory = {"disk_id": "disk", "parent": parent, "name": name, "witness": f"disk:{witness}"}
    await database[DIRECTORIES].insert_one({"_id": f"disk:{parent}{name}/", **directory})


async def below(files: Files, directory: str, after: tuple[str, str] | None = None) -> list[str]:
    return [one["path"] + one["filename"] async for some in files.below("disk", directory, after) for one in some]


class TestDirectories:
    async def test_are_those_whose_last_file_is_there_or_any_other(self, database: Database):
        await stored(database, "/a/1", "/b/deep/2", "/c!/3")
        for name, witness in (("a", "/a/1"), ("b", "/b/gone"), ("c", "/c/gone")):
            await known(database, "/", name, witness)
        assert await Files(database).directories(DISK, "/", 10) == (["a", "b"], False)
        assert await Files(database).directories(DISK, "/a/", 10) == ([], False)

    async def test_of_a_disk_from_before_the_list_are_found_in_the_paths(self, database: Database):
        await stored(database, "/x/a/1", "/x/b/c/2", "/x/3", "/xy/4", "/5")
        files = Files(database)
        assert await files.directories({"_id": "disk"}, "/x/", 10) == (["a", "b"], False)
        assert await files.directories({"_id": "disk"}, "/", 10) == (["x", "xy"], False)

    @pytest.mark.parametrize("head", [DISK, {"_id": "disk"}])
    @pytest.mark.parametrize("limit", [1, 2, 3, 6, 7])
    async def test_go_on_where_the_last_ones_ended(
        self, database: Database, monkeypatch: pytest.MonkeyPatch, head: Document, limit: int
    ):
        monkeypatch.setattr(module, "_AT_ONCE", 2)
        there = ["a", "a!", "b", "c", "é", "😀"]
        await stored(database, *(f"/x/{name}/1" for name in there))
        for name in ["gone", "zz", *there]:
            await known(database, "/x/", name, f"/x/{name}/1")
        found, after, more = list[str](), "", True
        while more:
            names, more = await Files(database).directories(head, "/x/", limit, after)
            assert len(names) == limit or not more
            assert names[0] > after
            found += names
            after = names[-1]
        assert found == there


class TestBelow:
    WHOLE: Sequence[str] = ("/a", "/b/!", "/b/c", "/b!/x", "/b/c/d", "/bb/e", "/b/é")

    @pytest.fixture
    async def files(self, database: Database) -> Files:
        await stored(database, *self.WHOLE)
        await stored(database, "/b/other", disk="other")
        return Files(database)

    async def test_is_a_directory_with_all_in_it_by_path_and_name(self, files: Files):
        assert await below(files, "/") == ["/a", "/b!/x", "/b/!", "/b/c", "/b/é", "/b/c/d", "/bb/e"]
        assert await below(files, "/b/") == ["/b/!", "/b/c", "/b/é", "/b/c/d"]
        assert await below(files, "/nothing/") == []

    async def test_goes_on_after_any_place_whether_a_file_is_there_or_not(self, files: Files):
        whole = await below(files, "/")
        for at, last in enumerate(whole):
            path, _, name = last.rpartition("/")
            assert await below(files, "/", (f"{path}/", name)) == whole[at + 1 :]
        assert await below(files, "/", ("/b/", "b")) == ["/b/c", "/b/é", "/b/c/d", "/bb/e"]
        assert await below(files, "/b/", ("/b/", "é")) == ["/b/c/d"]

    async def test_has_no_meta_which_may_be_large(self, files: Files):
        found: list[Document] = [one async for some in files.below("disk", "/") for one in some]
        assert not any("meta" in one for one in found)


class TestAlsoDirectories:
    async def test_are_the_files_of_whose_name_there_is_a_directory(self, database: Database):
        await stored(database, "/a", "/b")
        await known(database, "/", "a", "/a/x")
        files = Files(database)
        found = [one async for some in files.below("disk", "/") for one in some]
        assert await files.also_directories(found) == {"disk:/a"}
