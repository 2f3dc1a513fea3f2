"""`craftlog project` and `craftlog key`: who may use a running Craftlog, and how much."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer

from craftlog.cli.client import ApiRefusedError, data_of
from craftlog.cli.failing import failed
from craftlog.cli.folder import kept_secret, kept_url
from craftlog.cli.stack import GATEWAY_SECRETS

# The project of the token that works from the start; the gateway knows it under the same id.
DEFAULT_PROJECT: Final = "00000000-0000-4000-8000-000000000001"
ADMIN_VARIABLE: Final = "CRAFTLOG_ADMIN_TOKEN"
_TIMEOUT: Final = 10.0
_MOST: Final = 200

projects = typer.Typer(no_args_is_help=True, help="Projects: each sees nothing of the others.")
keys = typer.Typer(no_args_is_help=True, help="API keys: each opens one project.")

Data = Annotated[Path, typer.Option(help="Data folder of the running Craftlog, where its address and admin token are.")]
Url = Annotated[str, typer.Option(help="Where Craftlog serves; from the data folder unless given.")]
Token = Annotated[str, typer.Option(envvar=ADMIN_VARIABLE, help="Admin token; from the data folder unless given.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Project = Annotated[str, typer.Option(help="Project id; that of the default project unless given.")]
Json = dict[str, Any]


@projects.command("create")
def create_project(
    name: str, *, data: Data = Path(".craftlog"), url: Url = "", admin_token: Token = "", as_json: AsJson = False
) -> None:
    """Create a project and print its id."""
    made = _Admin(data, url, admin_token).ask("POST", "", {"name": name})
    print(json.dumps(made) if as_json else made["id"])


@projects.command("list")
def list_projects(
    *, data: Data = Path(".craftlog"), url: Url = "", admin_token: Token = "", as_json: AsJson = False
) -> None:
    """List projects: id, when it was created, name."""
    found = _Admin(data, url, admin_token).pages("")
    _print(found, ("id", "created_at", "name"), as_json=as_json)


@keys.command("create")
def create_key(
    name: str,
    *,
    project: Project = DEFAULT_PROJECT,
    requests_per_second: Annotated[float | None, typer.Option(help="Requests a second in the long run.")] = None,
    burst: Annotated[int | None, typer.Option(help="Requests at once; one second's worth unless given.")] = None,
    body_bytes: Annotated[int | None, typer.Option(help="Bytes that the body of a request may have.")] = None,
    data: Data = Path(".craftlog"),
    url: Url = "",
    admin_token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Issue a key and print it: this is the only time that it can be seen. Limits are those of the deployment."""
    limits = {"requests_per_second": requests_per_second, "burst": burst, "body_bytes": body_bytes}
    issued = _Admin(data, url, admin_token).ask("POST", f"/{project}/key", {"name": name, **limits})
    print(json.dumps(issued) if as_json else issued["key"])


@keys.command("list")
def list_keys(
    *,
    project: Project = DEFAULT_PROJECT,
    data: Data = Path(".craftlog"),
    url: Url = "",
    admin_token: Token = "",
    as_json: AsJson = False,
) -> None:
    """List a project's keys: id, when it was issued, when it was revoked, name."""
    found = _Admin(data, url, admin_token).ask("GET", f"/{project}/key")["items"]
    _print(found, ("id", "created_at", "revoked_at", "name"), as_json=as_json)


@keys.command("revoke")
def revoke_key(
    key_id: str,
    *,
    project: Project = DEFAULT_PROJECT,
    data: Data = Path(".craftlog"),
    url: Url = "",
    admin_token: Token = "",
) -> None:
    """Revoke a key by its id: nobody gets in with it any more."""
    _Admin(data, url, admin_token).ask("DELETE", f"/{project}/key/{key_id}")


class _Admin:
    """The admin API of a running gateway. A refusal ends the command with what was wrong."""

    def __init__(self, data: Path, url: str, token: str) -> None:
        url = url or kept_url(data) or "http://127.0.0.1:8029"
        known = token or kept_secret(data, GATEWAY_SECRETS[ADMIN_VARIABLE])
        if not known:
            raise failed(f"there is no admin token in {data}; start craftlog up there, or give --data or --admin-token")
        self._url = f"{url.rstrip('/')}/admin/v1/project"
        self._headers = {"Authorization": f"Bearer {known}"}

    def ask(self, method: str, path: str, body: Json | None = None, **params: str | int) -> Any:
        """Return the ``data`` of the answer."""
        try:
            answer = httpx.request(
                method, self._url + path, json=body, params=params, headers=self._headers, timeout=_TIMEOUT
            )
            return data_of(method, path, answer)
        except httpx.TransportError as error:
            raise failed(f"{self._url} does not answer: {error or type(error).__name__}") from error
        except ApiRefusedError as error:
            raise failed(str(error)) from error

    def pages(self, path: str) -> list[Json]:
        """Return the items of all pages."""
        page = self.ask("GET", path, limit=_MOST)
        items: list[Json] = page["items"]
        while page["has_more"]:
            page = self.ask("GET", path, limit=_MOST, cursor=page["next_cursor"])
            items += page["items"]
        return items


def _print(items: list[Json], columns: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(items))
        return
    for item in items:
        print("  ".join(item[column] or "-" for column in columns))
