"""The gateway against its own OpenAPI document: whatever is asked, it answers as the document says, and never 500."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.conversations import PHONE

from craftlog.gateway.auth import DEFAULT_PROJECT
from craftlog.testing.stack import Stack

HERE = Path(__file__).parent
# How often an id in a path is that of something which is there; a chance of 1 would leave out those that are not.
MOSTLY = 0.8
FILE = "/a.json"


@pytest.fixture
def ids(stack: Stack) -> dict[str, str]:
    """Give something of every kind, by the name of its id in paths."""
    headers = {"Authorization": f"Bearer {stack.token}"}
    with httpx.Client(base_url=f"{stack.base_url}/api/v1", headers=headers, timeout=60) as http:

        def made(path: str, **sent: Any) -> dict[str, Any]:
            data: dict[str, Any] = http.post(path, **sent).raise_for_status().json()["data"]
            return data

        space = made("/space")["id"]
        session = made("/session", json={"space_id": space})["id"]
        for message in PHONE:
            made(f"/session/{session}/messages", json={"blob": message})
        disk = made("/disk")["id"]
        made(f"/disk/{disk}/artifact", files={"file": (FILE[1:], b"{}", "application/json")})
    return {
        "path.session_id": session,
        "path.space_id": space,
        "body.space_id": space,
        "path.disk_id": disk,
        "query.file_path": FILE,
        "path.project_id": DEFAULT_PROJECT,
    }


def test_every_answer_is_one_of_those_that_the_document_names(
    stack: Stack, ids: dict[str, str], tmp_path: Path
) -> None:
    settings = tmp_path / "schemathesis.toml"
    document = httpx.get(f"{stack.base_url}/openapi.json").json()
    settings.write_text("\n".join([(HERE / "schemathesis.toml").read_text(), *bound(document, ids, stack.admin_token)]))
    program = [str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(settings), "run", "--no-color"]
    done = subprocess.run(
        [*program, f"{stack.base_url}/openapi.json", "-H", f"Authorization: Bearer {stack.token}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr


def bound(document: dict[str, Any], ids: dict[str, str], admin_token: str) -> list[str]:
    """Return settings by which what a route names is mostly there, but where it would be removed."""
    lines = ["[dictionaries]", *(f'"{name}" = {{ values = [{json.dumps(value)}] }}' for name, value in ids.items())]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            own = [f'headers = {{ Authorization = "Bearer {admin_token}" }}'] if is_for_admins(operation) else []
            named = {f"{one['in']}.{one['name']}" for one in operation.get("parameters", ())} | {"body.space_id"}
            if method != "delete":
                bindings = {name: f'{{ dictionary = "{name}", probability = {MOSTLY} }}' for name in named & ids.keys()}
                own += [f'parameters."{name}" = {binding}' for name, binding in sorted(bindings.items())]
            if own:
                lines += ["[[operations]]", f'include-name = "{method.upper()} {path}"', *own]
    return lines


def is_for_admins(operation: dict[str, Any]) -> bool:
    return {"admin": []} in operation.get("security", ())
