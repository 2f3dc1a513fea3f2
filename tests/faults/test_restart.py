"""What was stored is found again, however everything ended."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.conversations import PHONE_TO_THE_END, user

from craftlog.cli.child import program
from craftlog.cli.client import Api
from craftlog.testing.stack import Stack
from craftlog.testing.waiting import until

DEADLINE = 60.0
QUERY = "gather facts on a gadget and report them before programming a promotional site"
KEY = "the-first-message"


def stop_cleanly(stack: Stack) -> None:
    assert stack.stop() == 0


def kill_the_supervisor(stack: Stack) -> None:
    stack.tell(signal.SIGKILL)
    stack.stop()


def lose_all_but_log_and_objects(stack: Stack) -> None:
    """Stop, and drop what `craftlog rebuild` drops; a running Craftlog is not touched by it."""
    argv = [program("craftlog"), "rebuild", "--data", str(stack.data)]
    refused = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert refused.returncode == 1
    assert "stop it first" in refused.stderr
    stop_cleanly(stack)
    subprocess.run(argv, capture_output=True, timeout=DEADLINE, check=True)
    assert not (stack.data / "mongo").exists()


async def fill(stack: Stack) -> dict[str, str]:
    """Store something of everything and return the ids."""
    async with Api(stack.base_url, stack.token) as api:
        ids = {f"{what}_id": str((await api.post(f"/{what}"))["id"]) for what in ("space", "disk", "session")}
        session = f"/session/{ids['session_id']}"
        await api.post(f"{session}/connect_to_space", {"space_id": ids["space_id"]})
        for at, message in enumerate(PHONE_TO_THE_END):
            await api.post(f"{session}/messages", {"blob": message}, key=KEY if at == 0 else None)
        await api.post(f"{session}/flush")

        async def is_learned() -> bool:
            return not (await api.get(f"{session}/get_learning_status"))["not_space_digested_count"]

        await until(is_learned, DEADLINE)
    async with http(stack) as client:
        file = {"file": ("report.md", b"# Titanium", "text/markdown")}
        form = {"file_path": "/reports/", "meta": '{"by": "builder"}'}
        assert (await client.post(f"/disk/{ids['disk_id']}/artifact", files=file, data=form)).status_code == 201
    return ids


async def read(stack: Stack, ids: dict[str, str]) -> dict[str, Any]:
    """Return all that there is to read."""
    session, space, disk = (f"/{what}/{ids[f'{what}_id']}" for what in ("session", "space", "disk"))
    async with Api(stack.base_url, stack.token) as api:
        of_session = ("configs", "messages", "task", "lessons", "get_learning_status")
        pages = await api.get(f"{space}/block")
        file = await api.get(f"{disk}/artifact", file_path="/reports/report.md")
        async with httpx.AsyncClient() as anybody:
            downloaded = (await anybody.get(file.pop("public_url"))).content
        return {
            **{what: await api.get(f"{session}/{what}") for what in of_session},
            **{what: await api.get(f"/{what}") for what in ("session", "space", "disk")},
            "blocks": [pages, *[await api.get(f"{space}/block", parent_id=page["id"]) for page in pages]],
            "found": await api.get(f"{space}/experience_search", query=QUERY),
            "files": await api.get(f"{disk}/artifact/ls?path=/reports/"),
            "file": (file, downloaded),
        }


async def _is_complete(stack: Stack) -> bool:
    async with httpx.AsyncClient() as client:
        said = (await client.get(f"{stack.base_url}/health")).json()
    return bool(said["msg"] == "ok")


def http(stack: Stack) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {stack.token}"}
    return httpx.AsyncClient(base_url=f"{stack.base_url}/api/v1", headers=headers)


@pytest.mark.parametrize("end", [stop_cleanly, kill_the_supervisor, lose_all_but_log_and_objects])
async def test_everything_is_found_again_and_goes_on(end: Callable[[Stack], None], tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        ids = await fill(stack)
        before = await read(stack, ids)
        assert before["messages"]["items"] == PHONE_TO_THE_END
        assert before["found"]["cited_blocks"]
        assert before["file"][1] == b"# Titanium"
        end(stack)
        stack.start()
        if end is lose_all_but_log_and_objects:
            # What was written a while ago a list does not wait for.
            await until(lambda: _is_complete(stack), DEADLINE)
        assert await read(stack, ids) == before
        async with Api(stack.base_url, stack.token) as api:
            messages = f"/session/{ids['session_id']}/messages"
            again = await api.post(messages, {"blob": PHONE_TO_THE_END[0]}, key=KEY)
            assert again["id"] == before["messages"]["ids"][0]
            more = user("One more thing: please add a picture to the page.")
            await api.post(messages, {"blob": more})
            assert (await api.get(messages))["items"] == [*PHONE_TO_THE_END, more]
            await api.post(f"/session/{ids['session_id']}/flush")
