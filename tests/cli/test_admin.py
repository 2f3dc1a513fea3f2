"""`craftlog project` and `craftlog key`, against a running Craftlog of which they know the data folder."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from craftlog.cli.admin import DEFAULT_PROJECT
from craftlog.cli.child import program
from craftlog.cli.stack import Stack as Parts
from craftlog.gateway import auth
from craftlog.testing.stack import Stack

DEADLINE = 60.0


def craftlog(*arguments: str, status: int = 0, **env: str) -> str:
    """Run a command; return what it prints, or what it says is wrong where it is to fail."""
    ended = subprocess.run(
        [program("craftlog"), *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        env={**os.environ, **env},
    )
    assert ended.returncode == status, ended.stderr
    return ended.stderr if status else ended.stdout


def ping(stack: Stack, key: str) -> int:
    return httpx.get(f"{stack.base_url}/api/v1/ping", headers={"Authorization": f"Bearer {key}"}).status_code


class TestCommands:
    def test_make_a_project_and_a_key_to_it_and_revoke_it(self, stack: Stack) -> None:
        data = ("--data", str(stack.data))
        project = craftlog("project", "create", "research", *data).strip()
        assert f"{project}  " in craftlog("project", "list", *data)
        key = craftlog("key", "create", "crawler", "--project", project, *data).strip()
        assert ping(stack, key) == 200
        [line] = craftlog("key", "list", "--project", project, *data).splitlines()
        key_id, _, revoked_at, name = line.split("  ")
        assert (revoked_at, name) == ("-", "crawler")
        assert craftlog("key", "revoke", key_id, "--project", project, *data) == ""
        assert ping(stack, key) == 401
        assert "  -  " not in craftlog("key", "list", "--project", project, *data)

    def test_are_about_the_default_project_unless_told_otherwise(self, stack: Stack) -> None:
        assert DEFAULT_PROJECT == auth.DEFAULT_PROJECT
        key = craftlog("key", "create", "mine", "--data", str(stack.data)).strip()
        headers = {"Authorization": f"Bearer {key}"}
        made = httpx.post(f"{stack.base_url}/api/v1/session", headers=headers).json()["data"]
        assert made["project_id"] == DEFAULT_PROJECT

    def test_print_json(self, stack: Stack) -> None:
        def said(*arguments: str) -> Any:
            return json.loads(craftlog(*arguments, "--json", "--data", str(stack.data)))

        project = said("project", "create", "with limits")
        assert project in said("project", "list")
        limits = ("--requests-per-second", "0.5", "--burst", "3", "--body-bytes", "1000")
        issued = said("key", "create", "crawler", "--project", project["id"], *limits)
        assert (issued["requests_per_second"], issued["burst"], issued["body_bytes"]) == (0.5, 3, 1000)
        key = issued.pop("key")
        assert said("key", "list", "--project", project["id"]) == [issued]
        assert [ping(stack, key) for _ in range(4)] == [200, 200, 200, 429]

    def test_need_no_data_folder_where_they_are_told_the_rest(self, stack: Stack, tmp_path: Path) -> None:
        url = ("--url", stack.base_url, "--data", str(tmp_path / "none"))
        listed = craftlog("project", "list", *url, CRAFTLOG_ADMIN_TOKEN=stack.admin_token)
        assert DEFAULT_PROJECT in listed
        assert craftlog("project", "list", *url, "--admin-token", stack.admin_token) == listed
        assert not (tmp_path / "none").exists()


class TestRefusals:
    def test_say_what_is_wrong(self, stack: Stack, tmp_path: Path) -> None:
        data = ("--data", str(stack.data))
        unknown = "00000000-0000-4000-8000-00000000dead"
        assert "404 there is no such project" in craftlog("key", "create", "x", "--project", unknown, *data, status=1)
        assert "400 name: must be" in craftlog("project", "create", "", *data, status=1)
        assert "there is no admin token" in craftlog("project", "list", "--data", str(tmp_path), status=1)
        assert "401 Unauthorized" in craftlog("project", "list", *data, "--admin-token", "wrong", status=1)
        nobody = ("--url", "http://127.0.0.1:9", "--admin-token", "x")
        assert "does not answer" in craftlog("project", "list", *nobody, status=1)


class TestUp:
    @pytest.mark.parametrize("name", ["CRAFTLOG_ADMIN_TOKEN", "CRAFTLOG_API_KEY_PEPPER"])
    def test_keeps_what_it_made_and_takes_what_it_is_given(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def told() -> str:
            [_, [gateway]] = Parts(tmp_path, "127.0.0.1", 8029).groups(["gateway"])
            return gateway.env[name]

        made = told()
        assert len(made) >= 32
        assert told() == made
        monkeypatch.setenv(name, "given")
        assert told() == "given"
        monkeypatch.setenv(name, "")
        assert told() == made

    def test_tells_them_to_the_gateway_alone(self, tmp_path: Path) -> None:
        _, services = Parts(tmp_path, "127.0.0.1", 8029).groups()
        knowing = [child.name for child in services if "CRAFTLOG_ADMIN_TOKEN" in child.env]
        assert knowing == ["gateway"]
