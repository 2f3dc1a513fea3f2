"""Disks and files as clients see them, against the whole of Craftlog."""

import asyncio
import io
import json
import subprocess
import sys
import time
import zipfile
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as always
from hypothesis import strategies as st
from tests.gateway.clients import Api
from tests.gateway.conftest import Serve

from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import files, routes_artifact
from craftlog.gateway.auth import DEFAULT_PROJECT
from craftlog.gateway.handlers import Gateway
from craftlog.runtime.objects import Objects, prefix_of
from craftlog.runtime.settings import Settings
from craftlog.testing.stack import Stack
from craftlog.testing.waiting import until


@pytest.fixture(scope="module")
def api(http: httpx.Client) -> Api:
    return Api(http)


@pytest.fixture
def disk(api: Api) -> str:
    return api.make("disk")


def ls(api: Api, disk: str, path: str = "/") -> tuple[list[str], list[str]]:
    found = api.get(f"/disk/{disk}/artifact/ls", path=path)
    return [file["filename"] for file in found["artifacts"]], found["directories"]


class TestDisks:
    @pytest.mark.parametrize("newest_first", [False, True])
    @pytest.mark.parametrize("limit", [1, 4, 200])
    def test_have_each_its_place_in_the_pages_of_their_list(self, api: Api, limit: int, newest_first: bool) -> None:  # noqa: FBT001
        made = [api.make("disk") for _ in range(9)]
        found = [one["id"] for one in api.pages("/disk", limit=limit, time_desc=newest_first)]
        assert len(found) == len(set(found))
        assert [one for one in found if one in made] == (made[::-1] if newest_first else made)

    @pytest.mark.parametrize(
        "sent", [{}, {"content": b"{", "headers": {"Content-Type": "application/json"}}, {"json": [1]}]
    )
    def test_begin_whatever_the_body_is(self, http: httpx.Client, sent: dict[str, Any]) -> None:
        answer = http.post("/api/v1/disk", **sent)
        assert answer.status_code == 201
        assert answer.json()["data"].keys() == {"id", "project_id", "created_at", "updated_at"}


class TestLs:
    def test_goes_on_where_a_page_ended(self, api: Api, disk: str) -> None:
        names = sorted(["é", "a", "b b", "ab", "😀"])
        for name in names:
            api.upload(disk, name, b"one")
        api.upload(disk, "other", b"one", file_path="/d/")
        found: list[str] = []
        more: dict[str, Any] = {"cursor": ""}
        while more:
            page = api.get(f"/disk/{disk}/artifact/ls", limit=2, **more)
            assert page["directories"] == ([] if found else ["d"])
            found += [file["filename"] for file in page["artifacts"]]
            more = {"cursor": page["next_cursor"]} if page["has_more"] else {}
        assert found == names
        assert "next_cursor" not in api.get(f"/disk/{disk}/artifact/ls", limit=5)
        api.get(f"/disk/{disk}/artifact/ls", 400, cursor="x")

    @pytest.mark.parametrize("count", [0, 1, 5])
    @pytest.mark.parametrize("limit", [1, 2, 10])
    async def test_goes_on_with_directories_where_one_page_has_not_room_for_all(
        self, beside: Gateway, api: Api, disk: str, monkeypatch: pytest.MonkeyPatch, count: int, limit: int
    ) -> None:
        names, ways = [f"f{n}" for n in range(count)], [f"d{n}" for n in range(5)]
        for name in names:
            api.upload(disk, name, b"one")
        for way in ways:
            api.upload(disk, "x", b"one", file_path=f"/{way}/")
        monkeypatch.setattr(routes_artifact, "_MOST_DIRECTORIES", 2)
        files_found, ways_found, pages = list[str](), list[str](), 0
        page: dict[str, Any] = {"has_more": True, "next_cursor": None}
        while page["has_more"]:
            answer = await routes_artifact.ls(
                gateway=beside, project=DEFAULT_PROJECT, disk_id=disk, limit=limit, cursor=page["next_cursor"]
            )
            page, pages = json.loads(answer.body)["data"], pages + 1
            assert pages <= len(names) + len(ways), "a cursor that stays goes on for ever"
            files_found += [file["filename"] for file in page["artifacts"]]
            ways_found += page["directories"]
        assert (files_found, ways_found) == (names, ways)
        assert pages == max(3, -(-count // limit))
        # Whoever asks for no cursor has all of them, however few files they want.
        assert api.get(f"/disk/{disk}/artifact/ls", limit=limit)["directories"] == ways

    async def test_ends_a_page_where_there_is_much_meta(
        self, beside: Gateway, api: Api, disk: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in "abc":
            api.upload(disk, name, b"one", meta=json.dumps({"k": "x" * 100}))
        await beside.heads.seen(Address(Kind.DISK, DEFAULT_PROJECT, disk))
        monkeypatch.setattr(files, "_MOST_META", 250)
        some, more = await beside.files.within(disk, "/", 10)
        assert ([file["filename"] for file in some], more) == (["a", "b"], True)
        monkeypatch.setattr(files, "_MOST_META", 1)
        some, more = await beside.files.within(disk, "/", 10, "a")
        assert ([file["filename"] for file in some], more) == (["b"], True)
        assert await beside.files.within(disk, "/", 10, "c") == ([], False)


class TestMeta:
    def test_is_replaced_as_a_whole(self, api: Api, disk: str) -> None:
        stored = api.upload(disk, "a.txt", b"one", file_path="/x/", meta='{"k": 1, "gone": 2}')
        meta = {"k": {"$a.b": [None]}, "": "é"}
        described = describe(api, disk, "x/a.txt", json.dumps(meta))["artifact"]
        assert described["meta"] == {**meta, "__artifact_info__": stored["meta"]["__artifact_info__"]}
        assert described["created_at"][:23] == stored["created_at"][:23]
        found = api.get(f"/disk/{disk}/artifact", file_path="/x/a.txt")
        assert found["artifact"] == described
        assert found["content"]["raw"] == "one"

    def test_that_is_the_same_changes_nothing(self, api: Api, disk: str) -> None:
        api.upload(disk, "a.txt", b"one", meta='{"k": 1}')
        before = api.get(f"/disk/{disk}/artifact", file_path="/a.txt", with_public_url=False)
        describe(api, disk, "/a.txt", ' {"k":1} ')
        assert api.get(f"/disk/{disk}/artifact", file_path="/a.txt", with_public_url=False) == before

    def test_of_64_kib_is_the_most(self, api: Api, disk: str) -> None:
        quotes = '"' * 32763
        most = json.dumps({"kk": quotes})
        assert len(most) == 64 * 1024
        api.upload(disk, "a.txt", b"one", meta=most)
        describe(api, disk, "/a.txt", "{}")
        assert describe(api, disk, "/a.txt", most)["artifact"]["meta"]["kk"] == quotes
        assert "meta: 65537 bytes are more than 65536" in refused(api, disk, "/a.txt", most + " ", 413)

    @pytest.mark.parametrize(
        ("meta", "status", "words"),
        [
            (None, 400, "meta: must be a string"),
            ({}, 400, "meta: must be a string"),
            ("", 400, "meta: is empty"),
            ("{", 400, "meta: is not JSON"),
            ("[]", 400, "meta: must be an object"),
            ('{"__artifact_info__": {}}', 400, "meta.__artifact_info__: "),
            ('{"a": "\\ud800"}', 400, "meta.a: holds a lone surrogate"),
            ("\ud800", 400, "meta: "),
        ],
    )
    def test_that_is_none_is_refused_and_the_old_one_stays(
        self, api: Api, disk: str, meta: Any, status: int, words: str
    ) -> None:
        api.upload(disk, "a.txt", b"one", meta='{"k": 1}')
        assert words in refused(api, disk, "/a.txt", meta, status)
        assert api.get(f"/disk/{disk}/artifact", file_path="/a.txt")["artifact"]["meta"]["k"] == 1

    def test_of_a_file_that_is_not_there_is_refused(self, api: Api, disk: str) -> None:
        assert "there is no file /b.txt" in refused(api, disk, "b.txt", "{}", 404)


def describe(api: Api, disk: str, file_path: str, meta: Any, expect: int = 200) -> Any:
    answer = api.http.put(
        f"/api/v1/disk/{disk}/artifact",
        content=json.dumps({"file_path": file_path, "meta": meta}),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == expect, answer.text
    return answer.json().get("data")


def refused(api: Api, disk: str, file_path: str, meta: Any, expect: int) -> str:
    body = json.dumps({"file_path": file_path, "meta": meta})
    answer = api.http.put(f"/api/v1/disk/{disk}/artifact", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == expect, answer.text
    said: str = answer.json()["msg"]
    return said


class TestLimit:
    def test_of_a_file_is_a_setting(self, stack: Stack, serve: Serve) -> None:
        api = Api(serve(stack.token, **settings_of(stack), artifact_bytes="1000"))
        disk = api.make("disk")
        api.upload(disk, "a", b"x" * 1000)
        answer = api.http.post(f"/api/v1/disk/{disk}/artifact", files={"file": ("b", b"x" * 1001)})
        assert (answer.status_code, answer.json()["msg"]) == (413, "file: more than 1000 bytes")

    def test_is_16_mib_unless_it_is_set(self, api: Api, disk: str) -> None:
        most = 16 * 1024 * 1024
        assert api.upload(disk, "a", bytes(most))["meta"]["__artifact_info__"]["size"] == most
        answer = api.http.post(f"/api/v1/disk/{disk}/artifact", files={"file": ("b", bytes(most + 1))})
        assert (answer.status_code, answer.json()["msg"]) == (413, f"file: more than {most} bytes")


class TestOtherGateways:
    async def test_that_end_a_disk_leave_nothing_of_what_is_still_put_on_it(
        self, stack: Stack, api: Api, serve: Serve
    ) -> None:
        other = Api(serve(stack.token, **settings_of(stack)))
        disk = api.make("disk")
        api.upload(disk, "a", b"one")
        other.delete(f"/disk/{disk}")
        # This gateway knows that the disk was there a moment ago, and has not heard of its end.
        answer = api.http.post(f"/api/v1/disk/{disk}/artifact", files={"file": ("b", b"two")})
        assert answer.status_code == 404
        objects = Objects(Settings(**settings_of(stack)))
        prefix = prefix_of(Address(Kind.DISK, DEFAULT_PROJECT, disk))

        async def is_swept() -> bool:
            where = {"bucket_name": objects.bucket, "prefix": prefix, "recursive": True}
            return not await asyncio.to_thread(lambda: list(objects._client.list_objects(**where)))

        await until(is_swept)


def settings_of(stack: Stack) -> dict[str, str]:
    return {name.removeprefix("CRAFTLOG_").lower(): value for name, value in stack.env.items()}


class TestDirectory:
    def test_has_its_own_files_and_the_names_of_the_directories_in_it_sorted(self, api: Api, disk: str) -> None:
        for path, name in (
            ("/", "b"),
            ("/", "a"),
            ("/y/", "c"),
            ("/x/z/", "d"),
            ("/x/", "é"),
            ("/x/", "Z"),
            ("/x0/", "e"),
        ):
            api.upload(disk, name, b"one", file_path=path)
        assert ls(api, disk) == (["a", "b"], ["x", "x0", "y"])
        assert ls(api, disk, "/x/") == (["Z", "é"], ["z"])
        assert ls(api, disk, "/x/z/") == (["d"], [])
        assert ls(api, disk, "/nothing/") == ([], [])

    def test_is_there_as_long_as_a_file_is_in_it_or_below(self, api: Api, disk: str) -> None:
        for path, name in (("/x/y/", "1"), ("/x/", "2"), ("/x/y/", "3")):
            api.upload(disk, name, b"one", file_path=path)
        for file in ("/x/y/3", "/x/2"):
            api.delete(f"/disk/{disk}/artifact", file_path=file)
            assert ls(api, disk) == ([], ["x"])
            assert ls(api, disk, "/x/")[1] == ["y"]
        api.delete(f"/disk/{disk}/artifact", file_path="/x/y/1")
        assert ls(api, disk) == ([], [])


class TestNames:
    @pytest.mark.parametrize(
        ("file_path", "name", "path", "stored"),
        [
            ("/notes", "a", "/", "a"),
            ("/notes/", "a", "/notes/", "a"),
            ("//a//b", "c", "//a//", "c"),
            ("", "a", "/", "a"),
            (" x/ ", "a b ", "/x/", "a b"),
            ("/%2F/", "%2F.txt", "/%2F/", "%2F.txt"),
            ("/a\\b/", "c\\d.txt", "/a\\b/", "c\\d.txt"),
            ("/", "x/y.txt", "/", "y.txt"),
            ("/", "..a..b", "/", "..a..b"),
            ("/😀/", "Überblick 😀.md", "/😀/", "Überblick 😀.md"),
            ("/./", "." * 3, "/./", "..."),
            ("/", "n" * 300, "/", "n" * 300),
            ("/" + "😀" * 1000 + "/", "😀" * 1024, "/" + "😀" * 1000 + "/", "😀" * 1024),
            ("/", 'a"b;filename=c\r\nX: y', "/", "a%22b;filename=c%0D%0AX: y"),
            ("/" + "d/" * 64, "a", "/" + "d/" * 64, "a"),
        ],
    )
    def test_are_kept_and_found_again_everywhere(
        self, api: Api, disk: str, file_path: str, name: str, path: str, stored: str
    ) -> None:
        put = api.upload(disk, name, b"one", file_path=file_path)
        assert (put["path"], put["filename"]) == (path, stored)
        found = api.get(f"/disk/{disk}/artifact", file_path=path + stored)
        assert (found["artifact"]["path"], found["artifact"]["filename"]) == (path, stored)
        assert httpx.get(found["public_url"]).content == b"one"
        assert ls(api, disk, path)[0] == [stored]
        assert download(api, disk, path + stored).content == b"one"
        assert [one["filename"] for one in api.get(f"/disk/{disk}/artifact/glob", query="*")] == [stored]
        with zipfile.ZipFile(io.BytesIO(zipped(api, disk).content)) as archive:
            assert [archive.read(entry) for entry in archive.namelist()] == [b"one"]
        api.delete(f"/disk/{disk}/artifact", file_path=path + stored)
        assert ls(api, disk, path)[0] == []

    @pytest.mark.parametrize("name", ["", " ", ".", "..", "a/..", "a\0b", "n" * 1025])
    def test_that_no_file_can_have_are_refused(self, api: Api, disk: str, name: str) -> None:
        answer = raw_upload(api, disk, name.encode())
        assert answer.status_code == 400, answer.text
        assert answer.json()["msg"].startswith("file: ")
        assert ls(api, disk) == ([], [])

    @pytest.mark.parametrize("path", ["/a/../", "/.../", "/a\0/", "/" + "d/" * 65, "/" + "n" * 1024 + "/"])
    def test_that_no_directory_can_have_are_refused(self, api: Api, disk: str, path: str) -> None:
        answer = api.http.post(f"/api/v1/disk/{disk}/artifact", files={"file": ("a", b"x")}, data={"file_path": path})
        assert answer.status_code == 400
        assert answer.json()["msg"].startswith("file_path: ")

    def test_that_are_no_utf8_are_read_as_latin_1(self, api: Api, disk: str) -> None:
        assert raw_upload(api, disk, b"\xe9.txt").json()["data"]["filename"] == "é.txt"


def raw_upload(api: Api, disk: str, name: bytes) -> httpx.Response:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\n'
    return api.http.post(
        f"/api/v1/disk/{disk}/artifact",
        content=head + b"one\r\n--x--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )


class TestContent:
    TEXT = "one\ntwo\n\nfour\n"

    @pytest.mark.parametrize(
        ("lines", "raw", "offset"),
        [
            ({"line_offset": 1, "line_limit": 2}, "two\n", 1),
            ({"line_limit": 1}, "one", 0),
            ({"line_offset": 3}, "four\n", 3),
            ({"line_offset": 9, "line_limit": 5}, "", 9),
        ],
    )
    def test_can_be_some_lines_of_a_text(
        self, api: Api, disk: str, lines: dict[str, int], raw: str, offset: int
    ) -> None:
        api.upload(disk, "a.md", self.TEXT.encode())
        found = api.get(f"/disk/{disk}/artifact", file_path="/a.md", **lines)
        assert found["content"] == {"type": "text", "raw": raw, "line_offset": offset, "total_lines": 5}

    def test_is_all_of_it_as_long_as_nobody_asks_for_lines(self, api: Api, disk: str) -> None:
        api.upload(disk, "a.md", self.TEXT.encode())
        found = api.get(f"/disk/{disk}/artifact", file_path="/a.md", line_offset="", line_limit="")
        assert found["content"] == {"type": "text", "raw": self.TEXT}

    @pytest.mark.parametrize(
        "lines",
        [{"line_offset": -1}, {"line_limit": 0}, {"line_limit": "x"}, {"line_offset": 2**63}, {"line_limit": 2**63}],
    )
    def test_cannot_be_lines_that_no_text_has(self, api: Api, disk: str, lines: dict[str, Any]) -> None:
        api.upload(disk, "a.md", self.TEXT.encode())
        api.get(f"/disk/{disk}/artifact", 400, file_path="/a.md", **lines)


class TestUrl:
    def test_ends_when_it_was_asked_to(self, api: Api, disk: str) -> None:
        api.upload(disk, "a.txt", b"one")
        long, short = (
            api.get(f"/disk/{disk}/artifact", file_path="/a.txt", expire=seconds)["public_url"] for seconds in (600, 1)
        )
        assert httpx.URL(long).params["X-Amz-Expires"] == "600"
        deadline = time.monotonic() + 30
        while httpx.get(short).status_code != 403:
            assert time.monotonic() < deadline, "it never ends"
            time.sleep(0.2)
        assert httpx.get(long).content == b"one"

    def test_says_how_the_file_is_to_be_saved_and_of_what_type_it_is_here(self, api: Api, disk: str) -> None:
        files = {"a.html": "text/html", "b é.txt": "text/plain"}
        for name, mime in files.items():
            api.http.post(f"/api/v1/disk/{disk}/artifact", files={"file": (name, b"<p>", mime)})
        for name, mime in files.items():
            url = api.get(f"/disk/{disk}/artifact", file_path=name)["public_url"]
            headers = httpx.get(url).headers
            assert headers["content-type"] == mime
            assert headers["content-disposition"].startswith("attachment; ")


class TestDownload:
    def test_gives_the_bytes_as_they_were_put(self, api: Api, disk: str) -> None:
        data = bytes(range(256)) * 4096 * 3 + b"the end"
        api.http.post(f"/api/v1/disk/{disk}/artifact", files={"file": ("é.html", data, "text/html")})
        answer = download(api, disk, "é.html")
        assert answer.content == data
        assert answer.headers["content-length"] == str(len(data))
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["content-disposition"] == "attachment; filename=\"_.html\"; filename*=UTF-8''%C3%A9.html"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "sandbox"

    def test_of_nothing_is_nothing(self, api: Api, disk: str) -> None:
        api.upload(disk, "a", b"")
        assert download(api, disk, "a").content == b""

    def test_of_what_is_not_there_is_refused(self, api: Api, disk: str) -> None:
        api.get(f"/disk/{disk}/artifact/download", 404, file_path="/a")
        api.get(f"/disk/{disk}/artifact/download", 400)


def download(api: Api, disk: str, file_path: str) -> httpx.Response:
    answer = api.http.get(f"/api/v1/disk/{disk}/artifact/download", params={"file_path": file_path})
    assert answer.status_code == 200, answer.text
    return answer


def zipped(api: Api, disk: str, path: str = "/") -> httpx.Response:
    answer = api.http.get(f"/api/v1/disk/{disk}/artifact/zip", params={"path": path})
    assert answer.status_code == 200, answer.text
    return answer


class TestZip:
    def test_has_a_directory_with_all_below_it(self, api: Api, disk: str, tmp_path: Any) -> None:
        large = bytes(range(256)) * 5000
        for path, name, data in (
            ("/", "outside", b"-"),
            ("/é 😀/", "b", b"two"),
            ("/é 😀/", "a.bin", large),
            ("/é 😀/c/", "empty", b""),
        ):
            api.upload(disk, name, data, file_path=path)
        answer = zipped(api, disk, "/é 😀/")
        assert answer.headers["content-type"] == "application/zip"
        assert answer.headers["content-disposition"].endswith("filename*=UTF-8''%C3%A9%20%F0%9F%98%80.zip")
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.testzip() is None
            read = {name: archive.read(name) for name in archive.namelist()}
        assert read == {"a.bin": large, "b": b"two", "c/empty": b""}
        (tmp_path / "a.zip").write_bytes(answer.content)
        subprocess.run([sys.executable, "-m", "zipfile", "-e", tmp_path / "a.zip", tmp_path / "out"], check=True)
        assert sorted(one.name for one in (tmp_path / "out").rglob("*")) == ["a.bin", "b", "c", "empty"]

    def test_of_an_empty_directory_is_refused(self, api: Api, disk: str) -> None:
        api.upload(disk, "a", b"one")
        assert (
            "path: there are no files in /b/"
            in api.http.get(f"/api/v1/disk/{disk}/artifact/zip", params={"path": "/b/"}).json()["msg"]
        )
        api.get(f"/disk/{disk}/artifact/zip", 400, path="/b")


class TestGlob:
    def test_finds_files_by_their_whole_path_in_order(self, api: Api, disk: str) -> None:
        for path in ("/", "/src/", "/src/deep/er/", "/doc/"):
            for name in ("b.py", "a.py", "[x]_%.md"):
                api.upload(disk, name, b"one", file_path=path)
        for query, expected in (
            ("*.py", 8),
            ("**/*.py", 8),
            ("/src/*.py", 4),
            ("src/**/a.py", 1),
            ("/src/?.py", 2),
            ("/doc/[x]_%.md", 1),
            ("/doc/%", 0),
            ("*.PY", 0),
            ("/src/b.py", 1),
        ):
            found = [one["path"] + one["filename"] for one in api.get(f"/disk/{disk}/artifact/glob", query=query)]
            assert (query, len(found)) == (query, expected)
            assert found == sorted(found)

    @pytest.mark.parametrize("route", ["glob", "grep"])
    def test_goes_on_where_it_stopped(self, api: Api, disk: str, route: str) -> None:
        put = [f"/{n % 3}/{n}.txt" for n in range(10)]
        for path in put:
            api.upload(disk, path[3:], b"text", file_path=path[:3])
        found: list[str] = []
        cursor = ""
        while True:
            answer = api.http.get(
                f"/api/v1/disk/{disk}/artifact/{route}", params={"query": "t*xt", "limit": 3, "cursor": cursor}
            )
            some = [one["path"] + one["filename"] for one in answer.json()["data"]]
            assert len(some) <= 3
            found += some
            cursor = answer.headers.get("craftlog-next-cursor", "")
            assert bool(answer.json()["msg"]) == bool(cursor)
            if not cursor:
                break
        assert found == (sorted(put) if route == "grep" else [])

    @pytest.mark.parametrize("route", ["glob", "grep"])
    @pytest.mark.parametrize(
        ("params", "words"),
        [
            ({}, "query: is missing"),
            ({"query": ""}, "query: is missing"),
            ({"query": "a" * 3000}, "query: is longer"),
            ({"query": "a", "limit": 201}, "limit: "),
            ({"query": "a", "limit": 0}, "limit: "),
            ({"query": "a", "cursor": "abc"}, "cursor: is none of ours"),
        ],
    )
    def test_of_what_cannot_be_is_refused(
        self, api: Api, disk: str, route: str, params: dict[str, Any], words: str
    ) -> None:
        answer = api.http.get(f"/api/v1/disk/{disk}/artifact/{route}", params=params)
        assert (answer.status_code, answer.json()["code"]) == (400, 400)
        assert words in answer.json()["msg"]


class TestGrep:
    def test_finds_files_by_their_text_blind_to_case_and_line_by_line(self, api: Api, disk: str) -> None:
        for name, data, mime in (
            ("a.py", b"import os\n# TODO: fix\n", "application/octet-stream"),
            ("b.md", "Été\nto do".encode(), "text/markdown"),
            ("Makefile", b"all:\n\techo todo\n", "application/octet-stream"),
            ("c.bin", b"todo\0", "application/octet-stream"),
            ("d.txt", b"todo \xff", "text/plain"),
            ("e.png", b"todo", "image/png"),
            ("f.svg", b"<svg>todo</svg>", "image/svg+xml"),
        ):
            api.http.post(f"/api/v1/disk/{disk}/artifact", files={"file": (name, data, mime)})
        for query, expected in (
            ("todo", ["Makefile", "a.py", "f.svg"]),
            ("to ?do", ["Makefile", "a.py", "b.md", "f.svg"]),
            ("^import", ["a.py"]),
            ("OS$", ["a.py"]),
            ("os.*fix", []),
            ("ÉTÉ", ["b.md"]),
            (r"\btodo\b.*fix|^\techo", ["Makefile", "a.py"]),
            ("nowhere", []),
        ):
            found = [one["filename"] for one in api.get(f"/disk/{disk}/artifact/grep", query=query)]
            assert (query, found) == (query, expected)

    def test_has_the_whole_artifact_to_show(self, api: Api, disk: str) -> None:
        stored = api.upload(disk, "a.txt", b"one", meta='{"k": 1}')
        (found,) = api.get(f"/disk/{disk}/artifact/grep", query="one")
        assert found["meta"] == stored["meta"]

    @pytest.mark.parametrize("query", ["(", "(?=a)", r"(a)\1", "a{2000}", "*", r"\pL{1000}"])
    def test_of_no_expression_is_refused(self, api: Api, disk: str, query: str) -> None:
        answer = api.http.get(f"/api/v1/disk/{disk}/artifact/grep", params={"query": query})
        assert answer.status_code == 400
        assert "query: is no regular expression of RE2: " in answer.json()["msg"]


SLOW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SEGMENTS = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=4)


class TestWhatIsListed:
    @SLOW
    @always(st.lists(st.tuples(st.lists(SEGMENTS, max_size=3), SEGMENTS, st.booleans()), max_size=6))
    def test_is_what_was_put_and_not_removed(self, api: Api, history: list[tuple[list[str], str, bool]]) -> None:
        disk, there = api.make("disk"), set[tuple[str, str]]()
        for way, name, removed in history:
            path = "".join(f"/{piece}" for piece in way).replace("..", "x") + "/"
            answer = raw_upload_to(api, disk, path, name)
            if answer.status_code == 400:
                continue
            put = answer.json()["data"]
            there.add((put["path"], put["filename"]))
            if removed:
                api.delete(f"/disk/{disk}/artifact", file_path=put["path"] + put["filename"])
                there.discard((put["path"], put["filename"]))
        seen, waiting = set[tuple[str, str]](), ["/"]
        while waiting:
            path = waiting.pop()
            files, directories = ls(api, disk, path)
            assert files == sorted(files)
            assert directories == sorted(set(directories))
            seen |= {(path, name) for name in files}
            waiting += [f"{path}{name}/" for name in directories]
        assert seen == there


def raw_upload_to(api: Api, disk: str, path: str, name: str) -> httpx.Response:
    return api.http.post(f"/api/v1/disk/{disk}/artifact", files={"file": (name, b"x")}, data={"file_path": path})
