"""Reading one's own writes, through another gateway too, while ingest writes only where somebody says they wait."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.gateway.clients import Api
from tests.gateway.conftest import Serve

import craftlog.ingest.app
from craftlog.gateway.auth import DEFAULT_TOKEN
from craftlog.runtime.settings import Settings
from craftlog.testing.backing import Backing, backing, running
from craftlog.testing.servers import S3

FOR_EVER = 3600.0


@pytest.fixture
async def world(
    tmp_path: Path, mongo_url: str, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Backing[Settings]]:
    """Give what a gateway stands on, with an ingest that rests for ever."""
    monkeypatch.setattr(craftlog.ingest.app, "_REST", FOR_EVER)
    async with (
        backing(Backing, Settings, tmp_path, mongo_url, s3) as world,
        craftlog.ingest.app.start(world.settings, world.log) as parts,
        running(projector.run for projector in parts.projectors),
    ):
        yield world


@pytest.fixture
async def gateways(world: Backing[Settings], serve: Serve) -> tuple[Api, Api]:
    """Give two gateways."""
    named = {
        name: str(value.get_secret_value() if isinstance(value, SecretStr) else value)
        for name, value in world.settings.model_dump(exclude_none=True).items()
    }
    first, second = [await asyncio.to_thread(serve, DEFAULT_TOKEN, **named) for _ in range(2)]
    return Api(first), Api(second)


def use_a_session(writer: Api, reader: Api) -> None:
    session = writer.make("session")
    assert session in [one["id"] for one in reader.get("/session")["items"]]
    for number in range(1, 4):
        writer.append(session, str(number))
        assert len(reader.messages(session)) == number
    writer.put(f"/session/{session}/configs", json={"configs": {"a": 1}})
    assert reader.get(f"/session/{session}/configs")["configs"] == {"a": 1}
    copy = writer.post(f"/session/{session}/copy", 201)["new_session_id"]
    assert len(reader.messages(copy)) == 3
    key = {"Idempotency-Key": "one"}
    assert writer.append(session, "once", **key) == reader.append(session, "once", **key)
    writer.delete(f"/session/{session}")
    reader.get(f"/session/{session}/messages", expect=404, format="acontext")
    assert session not in [one["id"] for one in reader.get("/session")["items"]]


def use_a_disk(writer: Api, reader: Api) -> None:
    disk = writer.make("disk")
    file = {"file_path": "/a.txt"}
    for content in (b"first", b"second"):
        writer.upload(disk, "a.txt", content)
        found = reader.http.get(f"/api/v1/disk/{disk}/artifact/download", params=file)
        assert (found.status_code, found.content) == (200, content)
    writer.put(f"/disk/{disk}/artifact", json={**file, "meta": '{"a": 1}'})
    assert reader.get(f"/disk/{disk}/artifact", **file)["artifact"]["meta"]["a"] == 1
    writer.upload(disk, "b.txt", b"third")
    assert len(reader.get(f"/disk/{disk}/artifact/ls")["artifacts"]) == 2
    assert len(reader.get(f"/disk/{disk}/artifact/glob", query="*.txt")) == 2
    writer.delete(f"/disk/{disk}/artifact", **file)
    reader.get(f"/disk/{disk}/artifact", expect=404, **file)
    writer.delete(f"/disk/{disk}")
    reader.get(f"/disk/{disk}/artifact/ls", expect=404)


def use_a_space(writer: Api, reader: Api) -> None:
    space = writer.make("space")
    assert space in [one["id"] for one in reader.get("/space")["items"]]
    for number in range(3):
        writer.put(f"/space/{space}/configs", json={"configs": {"a": number}})
        assert reader.get(f"/space/{space}/configs")["configs"] == {"a": number}


def use_a_project(writer: Api, reader: Api) -> None:
    for number in range(3):
        writer.patch("/project/configs", json={"a": number})
        assert reader.get("/project/configs")["a"] == number


async def test_whoever_reads_has_it_written(gateways: tuple[Api, Api]) -> None:
    for use in (use_a_session, use_a_disk, use_a_space, use_a_project):
        for writer, reader in (gateways, gateways[::-1]):
            await asyncio.to_thread(use, writer, reader)
