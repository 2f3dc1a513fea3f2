"""What goes past the framework is answered as the routes answer it."""

from uuid import uuid4

import httpx
import pytest
from tests.gateway.clients import Api

FORM = {"file": ("a", b"one")}


@pytest.fixture(scope="module")
def api(http: httpx.Client) -> Api:
    return Api(http)


class TestDownloads:
    @pytest.mark.parametrize(
        "query", ["file_path=/a", "file_path=a", "", "file_path=", "file_path=b", "file_path=%00", "file_path=../x"]
    )
    def test_are_answered_as_by_the_route(self, api: Api, query: str):
        disk = api.make("disk")
        api.upload(disk, "a", b"one")
        path = f"/api/v1/disk/{disk}/artifact/download?{query}"
        short, long = api.http.get(path), api.http.get(f"{path}&other=1")
        assert said(short) == said(long)

    @pytest.mark.parametrize("disk", ["x", "%00", str(uuid4()), "{disk}"])
    def test_of_any_disk_are_answered_as_by_the_route(self, api: Api, disk: str):
        path = f"/api/v1/disk/{disk.format(disk=uuid4())}/artifact/download?file_path=/a"
        short, long = api.http.get(path), api.http.get(f"{path}&other=1")
        assert (short.status_code, short.json()["error"]) == (long.status_code, long.json()["error"])
        assert short.status_code in (400, 404)


class TestUploads:
    @pytest.mark.parametrize("disk", ["x", str(uuid4())])
    def test_to_no_disk_are_refused(self, api: Api, disk: str):
        answer = api.http.post(f"/api/v1/disk/{disk}/artifact", files=FORM)
        assert answer.status_code == (400 if disk == "x" else 404)

    def test_need_a_key_and_a_form(self, api: Api):
        path = f"/api/v1/disk/{api.make('disk')}/artifact"
        assert api.http.post(path, files=FORM, headers={"Authorization": "Bearer no"}).status_code == 401
        assert api.http.post(path, json={}).json()["msg"] == "body: must be multipart/form-data with a field file"


def said(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    own = {name: value for name, value in answer.headers.items() if name not in {"date", "x-trace-id"}}
    return answer.status_code, own, answer.content
