"""Projects and keys, as whoever runs a deployment manages them, and what a key then opens and how often."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.gateway.clients import Api
from tests.gateway.conftest import NOWHERE, Serve, client

from craftlog.gateway.app import GatewaySettings
from craftlog.gateway.auth import DEFAULT_PROJECT
from craftlog.gateway.door import PREFIX
from craftlog.testing.stack import Stack

SECRETS = {"admin_token": "admin" * 8, "api_key_pepper": "pepper" * 8}
UNKNOWN = "00000000-0000-4000-8000-00000000dead"
RETRY_AFTER = 3  # seconds, of a key that may send a request every two


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Iterator[Api]:
    with client(stack.base_url, stack.admin_token) as http:
        yield Api(http, "/admin/v1/project")


@pytest.fixture
def project(admin: Api) -> str:
    made: str = admin.post("", expect=201, json={"name": "research"})["id"]
    return made


def issue(admin: Api, project: str, **limits: Any) -> dict[str, Any]:
    issued: dict[str, Any] = admin.post(f"/{project}/key", expect=201, json={"name": "crawler", **limits})
    return issued


@pytest.fixture
def holder(stack: Stack, admin: Api, project: str) -> Iterator[Api]:
    with client(stack.base_url, issue(admin, project)["key"]) as http:
        yield Api(http)


class TestProjects:
    def test_are_shown_and_listed_as_soon_as_they_are_made(self, admin: Api) -> None:
        name = f"Größe {uuid4()}"
        made = admin.post("", expect=201, json={"name": f" {name} "})
        assert made["name"] == name
        assert admin.get(f"/{made['id']}") == made
        assert made in admin.pages("", limit=3)
        assert admin.get("", limit=1, time_desc=True)["items"] == [made]

    def test_have_the_one_of_the_token_that_works_from_the_start_among_them(self, admin: Api) -> None:
        assert admin.get(f"/{DEFAULT_PROJECT}")["name"] == "default"

    @pytest.mark.parametrize("name", [None, "", "  ", "x" * 101, "a\nb", 7, ["a"]])
    def test_need_a_name(self, admin: Api, name: object) -> None:
        assert admin.http.post("/admin/v1/project", json={"name": name}).json()["msg"].startswith("name: must be")

    def test_that_are_not_there_are_404(self, admin: Api) -> None:
        admin.get(f"/{UNKNOWN}", expect=404)
        admin.get(f"/{UNKNOWN}/key", expect=404)
        admin.post(f"/{UNKNOWN}/key", expect=404, json={"name": "crawler"})
        admin.delete(f"/{UNKNOWN}/key/{UNKNOWN}", expect=404)


class TestKeys:
    def test_open_their_project_and_nothing_else(self, admin: Api, project: str, holder: Api) -> None:
        session = holder.post("/session", expect=201)
        assert session["project_id"] == project
        assert holder.append(session["id"], "hello")["session_id"] == session["id"]
        assert [one["id"] for one in holder.get("/session")["items"]] == [session["id"]]
        assert holder.http.get("/admin/v1/project").status_code == 401
        assert admin.http.get(f"{PREFIX}/session").status_code == 401

    def test_open_the_default_project_too(self, admin: Api, stack: Stack) -> None:
        with client(stack.base_url, issue(admin, DEFAULT_PROJECT)["key"]) as http:
            assert Api(http).post("/session", expect=201)["project_id"] == DEFAULT_PROJECT

    def test_are_shown_once_and_listed_without_what_opens(self, admin: Api, project: str) -> None:
        issued = issue(admin, project, requests_per_second=1.5, burst=3, body_bytes=1000)
        key = issued.pop("key")
        assert key.startswith("sk-ac-")
        assert admin.get(f"/{project}/key") == {"items": [issued]}
        assert {name for name in issued if issued[name] is not None} == {
            *("id", "name", "created_at", "requests_per_second", "burst", "body_bytes")
        }

    def test_that_were_revoked_are_refused_from_the_next_request_on(
        self, admin: Api, project: str, stack: Stack
    ) -> None:
        first, second = issue(admin, project), issue(admin, project)
        with client(stack.base_url, first["key"]) as http, client(stack.base_url, second["key"]) as other:
            session = Api(http).make("session")
            for _ in range(2):
                admin.delete(f"/{project}/key/{first['id']}")
                Api(http).get("/ping", expect=401)
                Api(http).append(session, "too late", expect=401)
            Api(other).get("/ping")
        revoked, kept = admin.get(f"/{project}/key")["items"]
        assert (revoked["revoked_at"] is not None, kept["revoked_at"]) == (True, None)
        admin.delete(f"/{project}/key/{UNKNOWN}", expect=404)

    def test_of_another_project_are_not_revoked_by_their_id(self, admin: Api, project: str, stack: Stack) -> None:
        issued = issue(admin, project)
        admin.delete(f"/{DEFAULT_PROJECT}/key/{issued['id']}", expect=404)
        with client(stack.base_url, issued["key"]) as http:
            Api(http).get("/ping")

    @pytest.mark.parametrize(
        ("limits", "field"),
        [
            ({"requests_per_second": 0}, "requests_per_second"),
            ({"requests_per_second": -1}, "requests_per_second"),
            ({"requests_per_second": True}, "requests_per_second"),
            ({"requests_per_second": "5"}, "requests_per_second"),
            ({"requests_per_second": 1e300}, "requests_per_second"),
            ({"requests_per_second": 1e-310}, "requests_per_second"),
            ({"requests_per_second": 5, "burst": 0}, "burst"),
            ({"requests_per_second": 5, "burst": 1.5}, "burst"),
            ({"burst": 5}, "burst"),
            ({"body_bytes": 0.5}, "body_bytes"),
            ({"body_bytes": []}, "body_bytes"),
        ],
    )
    def test_with_limits_that_are_none_are_refused(
        self, admin: Api, project: str, limits: dict[str, Any], field: str
    ) -> None:
        answer = admin.http.post(f"/admin/v1/project/{project}/key", json={"name": "crawler", **limits})
        assert (answer.status_code, answer.json()["msg"].split(":")[0]) == (400, field)
        assert admin.get(f"/{project}/key") == {"items": []}

    def test_are_nowhere_in_the_log_the_read_models_or_what_the_services_say(
        self, admin: Api, project: str, stack: Stack
    ) -> None:
        issued = issue(admin, project)
        key = issued["key"]
        with client(stack.base_url, key) as http:
            session = Api(http).make("session")
            Api(http).append(session, "hello")
            Api(http).append(session, "", expect=201)
            http.post(f"{PREFIX}/session/{session}/messages", content=b"{")
            http.post(f"{PREFIX}/disk/{UNKNOWN}/artifact", files={"file": ("a", b"b")})
            admin.delete(f"/{project}/key/{issued['id']}")
            Api(http).append(session, "hello", expect=401)
            http.get(f"{PREFIX}/ping", headers={"Authorization": f"Bearer {key}x"})
        secrets = [key, key.removeprefix("sk-ac-"), stack.admin_token, stack.gateway_env["CRAFTLOG_API_KEY_PEPPER"]]
        paths = [path for path in stack.data.rglob("*") if path.is_file() and path.name != "secrets.json"]
        assert [path for path in paths for secret in secrets if secret.encode() in path.read_bytes()] == []
        assert (stack.data / "secrets.json").stat().st_mode & 0o777 == 0o600


class TestAdminToken:
    def routes(self, http: httpx.Client) -> list[tuple[str, str]]:
        paths = http.get("/openapi.json").json()["paths"]
        return [
            (method.upper(), path.replace("{project_id}", UNKNOWN).replace("{key_id}", UNKNOWN))
            for path, methods in paths.items()
            for method in methods
            if path.startswith("/admin/")
        ]

    def test_is_needed_on_every_admin_route(self, http: httpx.Client, stack: Stack) -> None:
        routes = self.routes(http)
        assert len(routes) >= 6
        for method, path in routes:
            for header in ({}, {"Authorization": f"Bearer {stack.token}"}, {"Authorization": stack.admin_token}):
                answer = httpx.request(method, f"{stack.base_url}{path}", headers=header)
                assert answer.json() == {"code": 401, "msg": "Unauthorized", "error": "unauthorized"}

    def test_shows_in_health_what_others_are_not_told(self, http: httpx.Client, admin: Api) -> None:
        assert "stalled" in admin.http.get("/health").json()["data"]["services"]["ingest"]
        assert "stalled" not in http.get("/health").json()["data"]["services"]["ingest"]

    def test_is_what_makes_the_routes_be_there(self, serve: Serve, nats_url: str) -> None:
        http = serve("sk-ac-your-root-api-bearer-token", nats_url=nats_url, mongo_url=NOWHERE)
        assert self.routes(http) == []
        assert http.get("/admin/v1/project").status_code == 404

    @pytest.mark.parametrize(
        "settings",
        [
            {"CRAFTLOG_ADMIN_TOKEN": "admin" * 8},
            {"CRAFTLOG_ADMIN_TOKEN": "guessed", "CRAFTLOG_API_KEY_PEPPER": "pepper" * 8},
            {"CRAFTLOG_ADMIN_TOKEN": "admin" * 8, "CRAFTLOG_API_KEY_PEPPER": "your-secret-pepper"},
        ],
    )
    def test_and_pepper_that_are_missing_or_short_are_refused_at_the_start_and_not_named(
        self, settings: dict[str, str]
    ) -> None:
        ended = subprocess.run(
            [sys.executable, "-m", "craftlog.gateway"], env=settings, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 1
        assert "pepper" in ended.stderr.lower() or "admin_token" in ended.stderr
        assert not any(value in ended.stderr for value in settings.values())


class TestIdempotency:
    def test_makes_one_project_of_several_requests(self, admin: Api) -> None:
        once = {"Idempotency-Key": str(uuid4())}
        made = admin.post("", expect=201, json={"name": "one"}, **once)
        assert admin.post("", expect=201, json={"name": "one"}, **once) == made
        admin.post("", expect=409, json={"name": "two"}, **once)
        assert admin.post("", expect=201, json={"name": "one"})["id"] != made["id"]

    def test_issues_one_key_and_says_which(self, admin: Api, project: str) -> None:
        once, path = {"Idempotency-Key": str(uuid4())}, f"/admin/v1/project/{project}/key"
        issued = admin.post(f"/{project}/key", expect=201, json={"name": "one"}, **once)
        again = admin.http.post(path, json={"name": "one"}, headers=once)
        assert (again.status_code, issued["id"] in again.json()["msg"]) == (409, True)
        assert len(admin.get(f"/{project}/key")["items"]) == 1
        admin.delete(f"/{project}/key/{issued['id']}")
        assert admin.http.post(path, json={"name": "one"}, headers=once).status_code == 409
        admin.post(f"/{project}/key", expect=400, json={"name": "one"}, **{"Idempotency-Key": "a b"})


class TestDefaultToken:
    def test_is_refused_at_the_start_where_others_are_let_in(self) -> None:
        settings = {"CRAFTLOG_HOST": "0.0.0.0"}  # noqa: S104 - what is refused
        ended = subprocess.run(
            [sys.executable, "-m", "craftlog.gateway"], env=settings, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 1
        assert "CRAFTLOG_HOST 0.0.0.0 lets others in: set CRAFTLOG_API_TOKEN" in ended.stderr

    @pytest.mark.parametrize("settings", [{"host": "127.0.0.1"}, {"host": "0.0.0.0", "api_token": "sk-ac-mine"}])  # noqa: S104 - the same
    def test_is_no_matter_else(self, settings: dict[str, str]) -> None:
        assert GatewaySettings.model_validate(settings).host == settings["host"]


class TestLimits:
    def test_of_requests_are_answered_with_when_to_ask_again_and_that_is_true(
        self, admin: Api, project: str, stack: Stack
    ) -> None:
        limited = issue(admin, project, requests_per_second=1 / RETRY_AFTER, burst=3)["key"]
        with client(stack.base_url, limited) as http, client(stack.base_url, issue(admin, project)["key"]) as other:
            session = Api(http).make("session")
            Api(http).append(session, "hello")
            Api(http).get("/session")
            for answer in (
                http.post(f"{PREFIX}/session/{session}/messages", json={"blob": {"role": "user", "content": "x"}}),
                http.get(f"{PREFIX}/session"),
                http.get(f"{PREFIX}/no/such/route"),
            ):
                assert (answer.status_code, answer.json()["code"]) == (429, 429)
                assert answer.headers["retry-after"] == str(RETRY_AFTER)
            assert [http.get(path).status_code for path in ("/health", "/live")] == [200, 200]
            assert [other.get(f"{PREFIX}/session").status_code for _ in range(5)] == [200] * 5
            time.sleep(RETRY_AFTER)
            Api(http).append(session, "there")
            Api(http).append(session, "again", expect=429)

    @pytest.mark.parametrize("path", ["/session/{}/messages", "/disk/{}/artifact"])
    def test_are_known_before_the_body_is_sent(self, admin: Api, project: str, stack: Stack, path: str) -> None:
        spent = issue(admin, project, requests_per_second=0.01)["key"]
        small = issue(admin, project, body_bytes=100)["key"]
        with client(stack.base_url, spent) as http:
            Api(http).get("/ping")
        for key, status in ((spent, b"429"), (small, b"413"), ("sk-ac-wrong", b"401")):
            with socket.create_connection(("127.0.0.1", stack.port), timeout=30) as connection:
                connection.sendall(
                    f"POST {PREFIX}{path.format(UNKNOWN)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
                    "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n".encode()
                )
                assert connection.recv(1000).split(b" ")[1] == status

    def test_of_a_body_hold_whatever_it_says_of_its_length(self, admin: Api, project: str, stack: Stack) -> None:
        with client(stack.base_url, issue(admin, project, body_bytes=2000)["key"]) as http:
            session, disk = Api(http).make("session"), Api(http).make("disk")
            messages, artifacts = f"{PREFIX}/session/{session}/messages", f"{PREFIX}/disk/{disk}/artifact"
            message = json.dumps({"blob": {"role": "user", "content": "x" * 2000}}).encode()
            as_json, pieces = {"Content-Type": "application/json"}, [b'{"configs": {"a": "', b"x" * 2000, b'"}}']
            answers = [
                http.post(messages, content=message, headers=as_json),
                http.post(messages, content=iter([message]), headers=as_json),
                http.post(messages, files={"payload": (None, message), "f": ("f", b"x")}),
                http.post(artifacts, files={"file": ("a.txt", b"x" * 2000)}),
                http.post(f"{PREFIX}/session", content=iter(pieces), headers=as_json),
            ]
            assert [answer.status_code for answer in answers] == [413] * len(answers)
            assert all(answer.json()["msg"].startswith("body: ") for answer in answers)
            Api(http).append(session, "x" * 1900)
            Api(http).upload(disk, "a.txt", b"x" * 1500)

    def test_of_a_deployment_hold_for_every_key_that_has_none_of_its_own(self, serve: Serve, nats_url: str) -> None:
        limits = {"requests_per_second": "0.01", "burst": "2", "body_bytes": "1000"}
        http = serve("sk-ac-mine", api_token="sk-ac-mine", nats_url=nats_url, mongo_url=NOWHERE, **SECRETS, **limits)  # noqa: S106
        admin = Api(client(str(http.base_url), SECRETS["admin_token"]), "/admin/v1/project")
        with admin.http:
            plain = issue(admin, DEFAULT_PROJECT)["key"]
            generous = issue(admin, DEFAULT_PROJECT, requests_per_second=1000, body_bytes=10_000)["key"]
        for key, let in (("sk-ac-mine", 2), (plain, 2), (generous, 20)):
            headers = {"Authorization": f"Bearer {key}"}
            statuses = [http.get(f"{PREFIX}/ping", headers=headers).status_code for _ in range(20)]
            assert statuses == [200] * let + [429] * (20 - let)
        large = http.post(f"{PREFIX}/session", json={"configs": {"a": "x" * 2000}}, headers=headers)
        assert large.status_code == 201


class TestWithoutReadModels:
    def test_keys_are_issued_used_and_revoked_all_the_same(self, serve: Serve, nats_url: str) -> None:
        settings = {"nats_url": nats_url, "mongo_url": NOWHERE, "s3_endpoint": "127.0.0.1:9", **SECRETS}
        http = serve("sk-ac-your-root-api-bearer-token", **settings)
        with client(str(http.base_url), SECRETS["admin_token"]) as operator:
            admin = Api(operator, "/admin/v1/project")
            issued = issue(admin, DEFAULT_PROJECT)
            beside = Api(serve(issued["key"], **settings))
            beside.append(beside.make("session"), "hello")
            admin.delete(f"/{DEFAULT_PROJECT}/key/{issued['id']}")
            assert admin.http.get("/admin/v1/project").status_code == 503
