"""Disks and artifacts, and the tools with which agents use them."""

from typing import Any

import httpx
import pytest
from tests.conformance.sdks import EVERY, NEW, NPM, Sdk, SdkError, driven, pages, upload

ITSELF = "__artifact_info__"
TOOLS = [name for name in EVERY if name.endswith("-sync") or name in {*NEW, NPM}]


@pytest.fixture
def disk(sdk: Sdk) -> str:
    made: dict[str, str] = sdk("disks.create")
    return made["id"]


def put(sdk: Sdk, disk: str, path: str, content: bytes, *mime: str, **more: Any) -> dict[str, Any]:
    folder, _, name = path.rpartition("/")
    stored: dict[str, Any] = sdk(
        "disks.artifacts.upsert", disk, file=upload(name, content, *mime), file_path=f"{folder}/", **more
    )
    return stored


@driven("disks.create", "disks.list", "disks.delete")
def test_disks_are_listed_until_they_are_deleted(sdk: Sdk) -> None:
    made = [sdk("disks.create")["id"] for _ in range(3)]
    newest = sdk("disks.list", limit=3, time_desc=True)
    assert [disk["id"] for disk in newest["items"]] == made[::-1]
    assert [disk["id"] for disk in pages(sdk, "disks.list", limit=2)][-3:] == made
    sdk("disks.delete", made[0])
    assert made[0] not in [disk["id"] for disk in pages(sdk, "disks.list", limit=200)]


@driven("disks.artifacts.upsert", "disks.artifacts.get")
def test_a_file_comes_back_as_it_was_put(sdk: Sdk, disk: str) -> None:
    content = b'{"tea": "\xc3\xa9arl"}'
    stored = put(sdk, disk, "/notes/tea.json", content, "application/json", meta={"by": "me"})
    info = {"path": "/notes/", "filename": "tea.json", "mime": "application/json", "size": len(content)}
    assert (stored["disk_id"], stored["path"], stored["filename"]) == (disk, "/notes/", "tea.json")
    assert stored["meta"] == {"by": "me", ITSELF: info}
    got = sdk(
        "disks.artifacts.get",
        disk,
        file_path="/notes/",
        filename="tea.json",
        with_public_url=True,
        with_content=True,
        expire=60,
    )
    assert got["artifact"] == stored
    assert got["content"] == {"type": "json", "raw": content.decode()}
    assert httpx.URL(got["public_url"]).params["X-Amz-Expires"] == "60"
    assert httpx.get(got["public_url"]).content == content


@driven("disks.artifacts.get")
def test_a_file_comes_without_what_nobody_wants(sdk: Sdk, disk: str) -> None:
    put(sdk, disk, "/a.txt", b"hello")
    got = sdk("disks.artifacts.get", disk, file_path="/", filename="a.txt", with_public_url=False, with_content=False)
    assert got.get("public_url") is None
    assert got.get("content") is None
    assert got["artifact"]["meta"][ITSELF]["mime"] == "application/octet-stream"


@driven("disks.artifacts.upsert")
def test_a_file_put_twice_is_the_second(sdk: Sdk, disk: str) -> None:
    put(sdk, disk, "/a.txt", b"one", "text/plain", meta={"n": 1})
    put(sdk, disk, "/a.txt", b"two", "text/plain")
    got = sdk("disks.artifacts.get", disk, file_path="/", filename="a.txt")
    assert got["content"]["raw"] == "two"
    assert got["artifact"]["meta"].keys() == {ITSELF}
    assert len(sdk("disks.artifacts.list", disk)["artifacts"]) == 1


@driven("disks.artifacts.update")
def test_the_meta_of_a_file_is_replaced(sdk: Sdk, disk: str) -> None:
    stored = put(sdk, disk, "/notes/a.txt", b"one", meta={"old": 1})
    updated = sdk("disks.artifacts.update", disk, file_path="/notes", filename="a.txt", meta={"new": [2]})["artifact"]
    assert updated["meta"] == {"new": [2], ITSELF: stored["meta"][ITSELF]}
    assert sdk("disks.artifacts.get", disk, file_path="/notes", filename="a.txt")["artifact"] == updated


@driven("disks.artifacts.delete")
def test_a_deleted_file_is_gone(sdk: Sdk, disk: str) -> None:
    put(sdk, disk, "/a.txt", b"one")
    assert sdk("disks.artifacts.delete", disk, file_path="/", filename="a.txt") is None
    with pytest.raises(SdkError) as refused:
        sdk("disks.artifacts.get", disk, file_path="/", filename="a.txt")
    assert refused.value.status == 404


@driven("disks.artifacts.list")
def test_a_directory_lists_its_files_and_the_directories_in_it_sorted(sdk: Sdk, disk: str) -> None:
    for path in ("/b.txt", "/a.txt", "/y/c.txt", "/x/d.txt", "/x/deep/e.txt"):
        put(sdk, disk, path, b"one")
    root = sdk("disks.artifacts.list", disk)
    assert [file["filename"] for file in root["artifacts"]] == ["a.txt", "b.txt"]
    assert root["directories"] == ["x", "y"]
    below = sdk("disks.artifacts.list", disk, path="/x/")
    assert [file["filename"] for file in below["artifacts"]] == ["d.txt"]
    assert below["directories"] == ["deep"]


@driven("disks.artifacts.glob_artifacts", "disks.artifacts.grep_artifacts", by=NEW)
def test_files_are_found_by_their_path_and_by_what_they_say(sdk: Sdk, disk: str) -> None:
    put(sdk, disk, "/src/one.py", b"def one():\n    return 1  # TODO two\n")
    put(sdk, disk, "/src/deep/two.py", b"def two():\n    return 2\n")
    put(sdk, disk, "/readme.md", b"nothing to do\n")

    def found(method: str, query: str, **more: Any) -> list[str]:
        return [file["path"] + file["filename"] for file in sdk(f"disks.artifacts.{method}", disk, query=query, **more)]

    assert found("glob_artifacts", "**/*.py") == ["/src/one.py", "/src/deep/two.py"]
    assert found("glob_artifacts", "**/*.py", limit=1) == ["/src/one.py"]
    assert found("glob_artifacts", "*.rs") == []
    assert found("grep_artifacts", "TODO.*two") == ["/src/one.py"]
    assert found("grep_artifacts", "return [12]") == ["/src/one.py", "/src/deep/two.py"]


@driven(*(f"DISK_TOOLS.{tool}" for tool in ("write_file", "read_file", "replace_string", "list_artifacts")), by=TOOLS)
def test_an_agent_writes_reads_and_edits_with_its_tools(sdk: Sdk, disk: str) -> None:
    def use(tool: str, **arguments: Any) -> str:
        return str(sdk(f"DISK_TOOLS.{tool}", disk, arguments))

    assert "'/notes/'" in use("write_file", filename="a.md", file_path="/notes/", content="one\ntwo\nthree\ntwo")
    read = use("read_file", filename="a.md", file_path="/notes/", line_offset=1, line_limit=2)
    assert read == "[/notes/a.md - showing L1-3 of 4 lines]\ntwo\nthree"
    replaced = use("replace_string", filename="a.md", file_path="/notes", old_string="three", new_string="four")
    assert "Found 1 old_string" in replaced
    assert use("read_file", filename="a.md", file_path="notes").endswith("\none\ntwo\nfour\ntwo")
    assert "not found" in use("replace_string", filename="a.md", file_path="/notes", old_string="x", new_string="y")
    assert "notes" in use("list_artifacts", file_path="/")
    assert "a.md" in use("list_artifacts", file_path="/notes")
    for name, text in (("a.json", '{"a":1}'), ("a.csv", "a,b\n1,2"), ("a.py", "print()"), ("a.yml", "a: 1")):
        use("write_file", filename=name, content=text)
        assert use("read_file", filename=name).endswith(f"\n{text}")


@driven("DISK_TOOLS.download_file", by=[*NEW, NPM])
def test_an_agent_gets_a_url_to_download_a_file_from(sdk: Sdk, disk: str) -> None:
    put(sdk, disk, "/a.bin", b"\0\1")
    said = sdk("DISK_TOOLS.download_file", disk, {"filename": "a.bin", "expire": 60})
    assert httpx.get(said.split("\n")[1]).content == b"\0\1"


@driven("DISK_TOOLS.glob_artifacts", "DISK_TOOLS.grep_artifacts", by=NEW)
def test_an_agent_finds_files_with_its_tools(sdk: Sdk, disk: str) -> None:
    put(sdk, disk, "/src/one.py", b"# TODO\n")
    assert sdk("DISK_TOOLS.glob_artifacts", disk, {"query": "**/*.py"}).endswith("\n/src/one.py")
    assert sdk("DISK_TOOLS.grep_artifacts", disk, {"query": "TODO"}).endswith("\n/src/one.py")
    assert "No matches" in sdk("DISK_TOOLS.grep_artifacts", disk, {"query": "FIXME"})
