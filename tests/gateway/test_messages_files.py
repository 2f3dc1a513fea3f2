"""Messages that come with files: kept once a session, given out by URL in every format, gone with the session."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.gateway.clients import Api
from tests.gateway.test_routes import settings_of

from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.auth import DEFAULT_PROJECT
from craftlog.runtime.objects import Objects, prefix_of
from craftlog.testing.stack import Stack

PNG = b"\x89PNG\r\n\x1a\n and so on"
PATIENCE = 20.0
Sent = tuple[str, bytes, str]


@pytest.fixture(scope="module")
def api(http: httpx.Client) -> Api:
    return Api(http)


def parts(*fields: str, kind: str = "image") -> dict[str, Any]:
    named = [{"type": kind, "file_field": field, "text": None, "meta": None} for field in fields]
    return {"format": "acontext", "blob": {"role": "user", "parts": [{"type": "text", "text": "Look!"}, *named]}}


def send(api: Api, session: str, payload: Any, files: dict[str, Sent] | None = None, **headers: str) -> httpx.Response:
    data = {"payload": payload if isinstance(payload, str) else json.dumps(payload)}
    path = f"/api/v1/session/{session}/messages"
    return api.http.post(path, data=data, files=files or {"": ("", b"")}, headers=headers)


def stored(api: Api, session: str, payload: Any, files: dict[str, Sent], **headers: str) -> Any:
    answer = send(api, session, payload, files, **headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


def kept(stack: Stack, session: str) -> list[str]:
    """Return the keys of a session's objects."""
    objects, prefix = Objects(settings_of(stack)), prefix_of(Address(Kind.SESSION, DEFAULT_PROJECT, session))
    found = objects._client.list_objects(objects.bucket, prefix=prefix, recursive=True)
    return [str(one.object_name).removeprefix(prefix) for one in found]


class TestTypes:
    def test_of_the_same_bytes_are_each_their_own(self, api: Api) -> None:
        session = api.make("session")
        sent = {"one": ("a.txt", b"same", "text/plain"), "two": ("a.csv", b"same", "text/csv")}
        stored(api, session, parts("one", "two"), sent)
        item = api.get(f"/session/{session}/messages", format="gemini")["items"][0]
        links = [part["fileData"] for part in item["parts"] if "fileData" in part]
        assert [link["mimeType"] for link in links] == ["text/plain", "text/csv"]
        assert [httpx.get(link["fileUri"]).headers["content-type"] for link in links] == ["text/plain", "text/csv"]
        public = api.get(f"/session/{session}/messages", format="acontext")["public_urls"]
        assert [httpx.get(one["url"]).headers["content-type"] for one in public.values()] == ["text/plain"]


class TestFiles:
    def test_are_stored_beside_what_is_said_of_them(self, api: Api) -> None:
        session = api.make("session")
        files = {"one": ("dir/über.png", PNG, "image/png"), "two": ("notes", b"hello", "text/plain; charset=utf-8")}
        said = stored(api, session, parts("one", "two"), files)
        text, one, two = said["parts"]
        assert text == {"type": "text", "text": "Look!"}
        assert (one["type"], one["filename"], two["filename"]) == ("image", "über.png", "notes")
        hashed = sha256(PNG).hexdigest()
        assert one["asset"].pop("etag")
        assert one["asset"].pop("bucket")
        assert one["asset"] == {
            "s3_key": f"{DEFAULT_PROJECT}/session/{session}/{hashed}",
            "sha256": hashed,
            "mime": "image/png",
            "size_b": len(PNG),
        }
        assert two["asset"]["mime"] == "text/plain; charset=utf-8"
        assert said["meta"] == {"source_format": "acontext"}
        read = api.get(f"/session/{session}/messages", format="acontext")["items"]
        assert [item["parts"][2] for item in read] == [two]

    def test_can_be_downloaded_for_a_day(self, api: Api) -> None:
        session = api.make("session")
        stored(api, session, parts("f", "g"), {"f": ("a.png", PNG, "image/png"), "g": ("b.png", b"", "image/png")})
        urls = api.get(f"/session/{session}/messages", format="acontext")["public_urls"]
        assert urls.keys() == {sha256(PNG).hexdigest(), sha256(b"").hexdigest()}
        link = urls[sha256(PNG).hexdigest()]
        assert link.keys() == {"url", "expire_at"}
        download = httpx.get(link["url"])
        assert (download.content, download.headers["content-type"]) == (PNG, "image/png")
        assert "X-Amz-Expires=86400" in link["url"]
        without = api.get(f"/session/{session}/messages", format="acontext", with_asset_public_url="false")
        assert without["public_urls"] is None

    @pytest.mark.parametrize(
        ("format_", "where"),
        [
            ("openai", lambda item: item["content"][1]["image_url"]["url"]),
            ("anthropic", lambda item: item["content"][1]["source"]["url"]),
            ("gemini", lambda item: item["parts"][1]["fileData"]["fileUri"]),
        ],
    )
    def test_are_in_every_providers_format_a_url(self, api: Api, format_: str, where: Any) -> None:
        session = api.make("session")
        stored(api, session, parts("f"), {"f": ("a.png", PNG, "image/png")})
        page = api.get(f"/session/{session}/messages", format=format_)
        assert page["public_urls"] is None
        assert httpx.get(where(page["items"][0])).content == PNG

    def test_of_the_same_bytes_are_kept_once_a_session(self, api: Api, stack: Stack) -> None:
        session, other = api.make("session"), api.make("session")
        for one in (session, session, other):
            stored(api, one, parts("f", "g"), {"f": ("a.png", PNG, "image/png"), "g": ("b.jpg", PNG, "image/jpeg")})
        assert kept(stack, session) == kept(stack, other) == [sha256(PNG).hexdigest()]
        first, second = api.messages(session)
        assert [part["asset"]["mime"] for part in second["parts"][1:]] == ["image/png", "image/jpeg"]
        assert first["parts"] == second["parts"]

    def test_may_be_many(self, api: Api, stack: Stack) -> None:
        session, names = api.make("session"), [f"f{number}" for number in range(150)]
        said = stored(api, session, parts(*names), {name: (name, name.encode(), "text/plain") for name in names})
        assert [part["filename"] for part in said["parts"][1:]] == names
        assert [part["asset"]["sha256"] for part in said["parts"][1:]] == [
            sha256(name.encode()).hexdigest() for name in names
        ]
        assert len(kept(stack, session)) == 150

    def test_may_be_large_and_many_at_once(self, api: Api) -> None:
        session, size = api.make("session"), 16 * 1024 * 1024
        with ThreadPoolExecutor(4) as threads:
            sent = [
                threads.submit(stored, api, session, parts("f"), {"f": ("a", bytes([n]) * size, "image/png")})
                for n in range(6)
            ]
            hashes = {one.result()["parts"][1]["asset"]["sha256"] for one in sent}
        assert hashes == {sha256(bytes([n]) * size).hexdigest() for n in range(6)}

    def test_of_a_message_too_large_for_an_event_are_there_all_the_same(self, api: Api, stack: Stack) -> None:
        session, payload = api.make("session"), parts("f")
        payload["blob"]["parts"][0]["text"] = "x" * 400_000
        said = stored(api, session, payload, {"f": ("a.png", PNG, "image/png")})
        assert api.messages(session)[0]["parts"] == said["parts"]
        assert len(kept(stack, session)) == 2

    def test_of_a_deleted_session_are_erased(self, api: Api, stack: Stack) -> None:
        session, other = api.make("session"), api.make("session")
        for one in (session, other):
            stored(api, one, parts("f"), {"f": ("a.png", PNG, "image/png")})
        url = api.get(f"/session/{session}/messages", format="acontext")["public_urls"][sha256(PNG).hexdigest()]["url"]
        api.delete(f"/session/{session}")
        deadline = time.monotonic() + PATIENCE
        while kept(stack, session):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert httpx.get(url).status_code == 404
        assert kept(stack, other) == [sha256(PNG).hexdigest()]

    def test_are_not_kept_for_a_session_that_is_not_there(self, api: Api, stack: Stack) -> None:
        nowhere = str(uuid4())
        assert send(api, nowhere, parts("f"), {"f": ("a.png", PNG, "image/png")}).status_code == 404
        assert kept(stack, nowhere) == []


class TestForm:
    def test_without_files_is_the_message_in_it(self, api: Api) -> None:
        session = api.make("session")
        answer = api.http.post(
            f"/api/v1/session/{session}/messages",
            files={"payload": (None, json.dumps({"blob": {"role": "user", "content": "hello"}}))},
        )
        assert answer.status_code == 201
        assert answer.json()["data"]["parts"] == [{"type": "text", "text": "hello"}]

    @pytest.mark.parametrize(
        ("payload", "files", "status", "words"),
        [
            (parts("f"), {"g": ("a", b"x", "image/png")}, 400, "blob.parts[1].file_field: missing file f"),
            (parts("f"), dict.fromkeys("fg", ("a", b"x", "image/png")), 400, "g: no part of the message names"),
            ({"blob": {"role": "user", "content": "x"}}, {"f": ("a", b"x", "image/png")}, 400, "f: no part of the"),
            ("", {"f": ("a", b"x", "image/png")}, 400, "payload: is missing"),
            ("{", {"f": ("a", b"x", "image/png")}, 400, "payload: is not JSON"),
            ("[]", {"f": ("a", b"x", "image/png")}, 400, "payload: must be an object"),
            ("{}", {"f": ("a", b"x", "image/png")}, 400, "blob: must be an object"),
            ({**parts("f"), "format": "morse"}, {"f": ("a", b"x", "image/png")}, 400, "format: must be one of"),
            (parts("f"), {"f": ("a", b"x", "image/pngé")}, 400, "f: has a content type"),
            (parts("f"), {"f": ("a", bytes(16 * 1024 * 1024 + 1), "image/png")}, 413, "f: more than 16777216 bytes"),
            (parts(*"abcde"), {n: ("a", bytes(15 << 20), "image/png") for n in "abcde"}, 413, "body: 7864"),
        ],
    )
    def test_is_refused_by_what_is_wrong_with_it_and_leaves_nothing(
        self, api: Api, stack: Stack, payload: Any, files: dict[str, Sent], status: int, words: str
    ) -> None:
        session = api.make("session")
        answer = send(api, session, payload, files)
        assert answer.status_code == status, answer.text
        assert words in answer.json()["msg"]
        assert api.messages(session) == []
        assert kept(stack, session) == []

    def test_with_two_files_of_one_name_is_refused(self, api: Api) -> None:
        session, file = api.make("session"), ("f", ("a.png", PNG, "image/png"))
        sent = [("payload", (None, json.dumps(parts("f")))), file, file]
        answer = api.http.post(f"/api/v1/session/{session}/messages", files=sent)
        assert (answer.status_code, answer.json()["msg"]) == (400, "f: there are two files of this name")

    def test_is_needed_for_a_part_that_names_a_file(self, api: Api) -> None:
        session = api.make("session")
        answer = api.http.post(f"/api/v1/session/{session}/messages", json=parts("f"))
        assert (answer.status_code, answer.json()["msg"]) == (400, "blob.parts[1].file_field: missing file f")


class TestIdempotencyKey:
    def test_of_a_form_stands_for_what_is_said_and_the_files(self, api: Api) -> None:
        session, key = api.make("session"), {"Idempotency-Key": "one"}
        file = ("a.png", PNG, "image/png")
        first = stored(api, session, parts("f"), {"f": file}, **key)
        for _ in range(2):
            assert stored(api, session, parts("f"), {"f": file}, **key) == first
        for other in (("b.png", PNG, "image/png"), ("a.png", PNG + b"x", "image/png"), ("a.png", PNG, "image/gif")):
            assert send(api, session, parts("f"), {"f": other}, **key).status_code == 409
        payload = parts("f")
        payload["blob"]["parts"].reverse()
        assert send(api, session, payload, {"f": file}, **key).status_code == 409
        assert len(api.messages(session)) == 1
