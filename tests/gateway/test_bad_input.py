"""Whatever is sent, a request is answered by what is wrong with it, and changes nothing."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

UNKNOWN = "00000000-0000-4000-8000-00000000dead"
TOO_LARGE = b'{"blob": {"role": "user", "content": "' + b"x" * 20_000_000 + b'"}}'
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
MISNAMED = b"--x\r\nContent-Disposition: form-data; name=file; filename*=UTF-8''a%zz\r\n\r\n\r\n--x--\r\n"
Given = tuple[str, str]  # a session and a disk
Send = Callable[[httpx.Client, Given], httpx.Response]


@pytest.fixture(scope="module")
def given(http: httpx.Client) -> Given:
    """Give a session with one message, and a disk with one file."""
    session = http.post("/api/v1/session").json()["data"]["id"]
    disk = http.post("/api/v1/disk").json()["data"]["id"]
    http.post(f"/api/v1/session/{session}/messages", json={"blob": {"role": "user", "content": "hello"}})
    http.post(f"/api/v1/disk/{disk}/artifact", files={"file": ("a.txt", b"hello")})
    return session, disk


def raw(method: str, path: str, content: bytes = b"", **headers: str) -> Send:
    def send(http: httpx.Client, given: Given) -> httpx.Response:
        session, disk = given
        at = "/api/v1" + path.replace("SESSION", session).replace("DISK", disk)
        return http.request(method, at, content=content, headers={**JSON, **headers})

    return send


def message(value: Any) -> Send:
    return raw("POST", "/session/SESSION/messages", json.dumps({"blob": value}).encode())


def body(content: bytes) -> Send:
    return raw("POST", "/session/SESSION/messages", content)


def upload(content: bytes = b"x", name: str = "a.txt", mime: str = "text/plain", **fields: str) -> Send:
    def send(http: httpx.Client, given: Given) -> httpx.Response:
        return http.post(f"/api/v1/disk/{given[1]}/artifact", files={"file": (name, content, mime)}, data=fields)

    return send


def deep(levels: int) -> bytes:
    return b'{"blob": {"role": "user", "content": ' + b"[" * levels + b"]" * levels + b"}}"


def cursor(*place: str) -> str:
    return urlsafe_b64encode(json.dumps(place).encode()).decode()


def chunked(http: httpx.Client, given: Given) -> httpx.Response:
    def chunks() -> Iterator[bytes]:
        for start in range(0, len(TOO_LARGE), 1_000_000):
            yield TOO_LARGE[start : start + 1_000_000]

    return http.post(f"/api/v1/session/{given[0]}/messages", content=chunks(), headers=JSON)


CASES: list[tuple[str, Send, int, str]] = [
    ("no body", body(b""), 400, "body: is empty"),
    ("broken JSON", body(b'{"blob": {'), 400, "body: is not JSON"),
    ("not an object", body(b"[]"), 400, "body: must be an object"),
    ("no message", body(b"{}"), 400, "blob: must be an object"),
    ("null for a message", message(None), 400, "blob: must be an object"),
    ("wrong type of content", message({"role": "user", "content": 7}), 400, "blob.content: must be"),
    ("wrong role", message({"role": "robot", "content": "x"}), 400, "blob.role: must be one of"),
    ("unknown part", message({"role": "user", "content": [{"type": "hologram"}]}), 400, "blob.content[0].type"),
    ("other format", body(b'{"format": "morse", "blob": {}}'), 400, "format: must be one of openai"),
    ("20 MB", body(TOO_LARGE), 413, "body: 20000"),
    ("20 MB of unknown length", chunked, 413, "body: more than 16777216 bytes"),
    ("65 bit integer", message({"role": "user", "content": "x", "n": {"k": 2**64}}), 400, "blob.n.k: is an integer"),
    ("endless integer", body(b'{"blob": ' + b"9" * 5000 + b"}"), 400, "over 64 bit"),
    ("not a number", body(b'{"blob": {"role": "user", "content": "x", "n": NaN}}'), 400, "blob.n: is not a finite"),
    ("NUL in a key", body(b'{"blob": {"role": "user", "a\\u0000b": 1}}'), 400, "blob.a\\0b: a key must not hold NUL"),
    ("lone surrogate", body(b'{"blob": {"role": "user", "content": "\\ud800"}}'), 400, "blob.content: holds a lone"),
    ("no UTF-8", body(b'{"blob": "\xff"}'), 400, "body: is not UTF-8"),
    ("depth 1,000", body(deep(1_000)), 400, "nests deeper than 64"),
    ("depth 100,000", body(deep(100_000)), 400, "blob.content: nests deeper than 64"),
    ("extras too large for an event", message({"role": "user", "content": "x", "n": "y" * 300_000}), 413, "blob: "),
    ("bad key", raw("POST", "/session/SESSION/messages", b'{"blob": {"role": "user", "content": "x"}}', **{
        "Idempotency-Key": "a b"}), 400, "Idempotency-Key: must be"),
    ("session that is no id", raw("POST", "/session/7/messages", b'{"blob": {"role": "user", "content": "x"}}'), 400,
     "session_id: must be a UUID"),
    ("unknown session", raw("POST", f"/session/{UNKNOWN}/messages", b'{"blob": {"role": "user", "content": "x"}}'), 404,
     "there is no such session"),
    ("large message to an unknown session", raw("POST", f"/session/{UNKNOWN}/messages", json.dumps(
        {"blob": {"role": "user", "content": "x" * 300_000}}).encode()), 404, "session_id: there is no session"),
    ("read of an unknown session", raw("GET", f"/session/{UNKNOWN}/messages"), 404, "there is no session"),
    ("session with NUL in its path", raw("GET", "/session/a%00b/configs"), 400, "session_id: must be a UUID"),
    ("negative limit", raw("GET", "/session/SESSION/messages?limit=-1"), 400, "limit: "),
    ("limit over 200", raw("GET", "/session/SESSION/messages?limit=201"), 400, "limit: "),
    ("limit of 65 bits", raw("GET", f"/session/SESSION/messages?limit={2**64}"), 400, "limit: "),
    ("limit that is no number", raw("GET", "/session/SESSION/task?limit=abc"), 400, "limit: "),
    ("no limit at all", raw("GET", "/session?limit=0"), 400, "limit: "),
    ("flag that is none", raw("GET", "/session?time_desc=perhaps"), 400, "time_desc: "),
    ("cursor of somebody else", raw("GET", "/session?cursor=abc"), 400, "cursor: is none of ours"),
    ("cursor of another list", raw("GET", "/session/SESSION/messages?limit=1&cursor=WyJhIl0"), 400, "cursor: "),
    ("space filter that is no id", raw("GET", "/session?space_id=7"), 400, "space_id: must be a UUID"),
    ("cursor with a lone surrogate", raw("GET", f"/session?cursor={cursor('2026-01-01T00:00:00', chr(0xD800))}"), 400,
     "cursor: is none of ours"),
    ("cursor of no file", raw("GET", f"/disk/DISK/artifact/ls?cursor={cursor(chr(0xD800))}"), 400, "cursor: "),
    ("cursor before time", raw("GET", f"/session?cursor={cursor('0001-01-01T00:00:00+23:59', 'x')}"), 400, "cursor: "),
    ("unknown read format", raw("GET", "/session/SESSION/messages?format=yaml"), 400, "format: "),
    ("edit strategies", raw("GET", "/session/SESSION/messages?edit_strategies=[1]"), 400, "edit_strategies[0]: "),
    ("configs that are no object", raw("POST", "/session", b'{"configs": []}'), 400, "configs: must be an object"),
    ("flag of another type", raw("POST", "/session", b'{"disable_task_tracking": 1}'), 400, "disable_task_tracking: "),
    ("space that is no id", raw("POST", "/session", b'{"space_id": "x"}'), 400, "space_id: must be a UUID"),
    ("unknown space", raw("POST", "/session", json.dumps({"space_id": UNKNOWN}).encode()), 404, "space_id: there is"),
    ("empty JSON", raw("POST", "/session", b""), 400, "body: is empty"),
    ("large configs", raw("POST", "/session", json.dumps({"configs": {"a": "x" * 70_000}}).encode()), 413, "body: "),
    ("connect to nothing", raw("POST", "/session/SESSION/connect_to_space", b"{}"), 400, "space_id: "),
    ("connect to an unknown space", raw("POST", "/session/SESSION/connect_to_space", json.dumps(
        {"space_id": UNKNOWN}).encode()), 404, "space_id: there is no"),
    ("flush of an unknown session", raw("POST", f"/session/{UNKNOWN}/flush"), 404, "there is no such session"),
    ("deletion of an unknown session", raw("DELETE", f"/session/{UNKNOWN}"), 404, "there is no such session"),
    ("search in an unknown space", raw("GET", f"/space/{UNKNOWN}/experience_search?query=x"), 404, "space_id: "),
    ("search for nothing", raw("GET", f"/space/{UNKNOWN}/experience_search"), 400, "query: is missing"),
    ("search too far", raw("GET", f"/space/{UNKNOWN}/experience_search?query=x&semantic_threshold=3"), 400,
     "semantic_threshold: "),
    ("agentic search", raw("GET", f"/space/{UNKNOWN}/experience_search?query=x&mode=agentic"), 400, "mode: "),
    ("blocks of an unknown space", raw("GET", f"/space/{UNKNOWN}/block"), 404, "space_id: "),
    ("no file", raw("POST", "/disk/DISK/artifact", b"{}"), 400, "body: must be multipart/form-data"),
    ("large file", upload(b"x" * 17_000_000), 413, "16777216"),
    ("content type beyond ASCII", upload(mime="text/plaín"), 400, "file: has a content type"),
    ("name that is not well-formed", raw("POST", "/disk/DISK/artifact", MISNAMED, **FORM), 400,
     "file: has a filename* that is not UTF-8''"),
    ("path upwards", upload(file_path="/a/../b/"), 400, "file_path: must not hold two dots"),
    ("NUL in a directory", upload(file_path="/a\0b/"), 400, "file_path: must not hold NUL"),
    ("endless path", upload(file_path="/" + "a" * 2000 + "/"), 400, "file_path: is longer"),
    ("meta that is no JSON", upload(meta="{"), 400, "meta: is not JSON"),
    ("meta that is no object", upload(meta="[]"), 400, "meta: must be an object"),
    ("meta with our own name", upload(meta='{"__artifact_info__": 1}'), 400, "meta.__artifact_info__: "),
    ("meta with a 65 bit integer", upload(meta='{"a": {"b": 18446744073709551616}}'), 400, "meta.a.b: is an integer"),
    ("file without a path", raw("GET", "/disk/DISK/artifact"), 400, "file_path: is missing"),
    ("NUL in a path", raw("GET", "/disk/DISK/artifact?file_path=/a%00b"), 400, "file_path: must not hold NUL"),
    ("unknown file", raw("GET", "/disk/DISK/artifact?file_path=/b.txt"), 404, "file_path: there is no file /b.txt"),
    ("removal of an unknown file", raw("DELETE", "/disk/DISK/artifact?file_path=/b.txt"), 404, "there is no file"),
    ("half a directory", raw("GET", "/disk/DISK/artifact/ls?path=/a"), 400, "path: must begin and end with a slash"),
    ("endless loan", raw("GET", "/disk/DISK/artifact?file_path=/a.txt&expire=99999999999999999999"), 400, "expire: "),
    ("unknown disk", raw("GET", f"/disk/{UNKNOWN}/artifact/ls"), 404, "there is no disk"),
    ("deletion of an unknown disk", raw("DELETE", f"/disk/{UNKNOWN}"), 404, "there is no such disk"),
    ("unknown route", raw("GET", "/nothing"), 404, "Not Found"),
    ("unknown method", raw("PATCH", "/session/SESSION/messages"), 405, "Method Not Allowed"),
]  # fmt: skip


class TestBadInput:
    @pytest.mark.parametrize(("send", "status", "words"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
    def test_is_refused_by_its_name_and_changes_nothing(
        self, http: httpx.Client, given: Given, send: Send, status: int, words: str
    ) -> None:
        before = everything(http, given)
        answer = send(http, given)
        assert answer.status_code == status
        said = answer.json()
        assert said["code"] == status
        assert words in said["msg"]
        assert said["error"]
        assert everything(http, given) == before

    def test_goes_unnoticed_by_health(self, http: httpx.Client) -> None:
        assert http.get("/health").json()["msg"] == "ok"


class TestAuthorization:
    @pytest.mark.parametrize(
        "header", [None, "", "Bearer", "Bearer sk-ac-wrong", "bearer sk-ac-your-root-api-bearer-token", "Basic x"]
    )
    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/ping"), ("GET", "/session"), ("POST", "/disk"), ("POST", f"/session/{uuid4()}/messages")],
    )
    def test_is_needed(self, http: httpx.Client, method: str, path: str, header: str | None) -> None:
        headers = {} if header is None else {"Authorization": header}
        answer = httpx.request(method, http.base_url.join(f"/api/v1{path}"), headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {"code": 401, "msg": "Unauthorized", "error": "unauthorized"}
        assert answer.headers["www-authenticate"] == "Bearer"


def everything(http: httpx.Client, given: Given) -> list[Any]:
    session, disk = given
    # Lists wait for nothing, so they come after what does.
    paths = [
        f"/session/{session}/configs",
        f"/session/{session}/messages",
        f"/disk/{disk}/artifact/ls",
        "/session?limit=200",
        "/space?limit=200",
        "/disk?limit=200",
    ]
    return [http.get(f"/api/v1{path}").json() for path in paths]
