"""A client that expects an answer, and gives its data."""

from typing import Any

import httpx


class Api:
    """The HTTP API; every call asserts the status and returns ``data``."""

    def __init__(self, http: httpx.Client, prefix: str = "/api/v1") -> None:
        self.http = http
        self._prefix = prefix

    def get(self, path: str, /, expect: int = 200, **params: Any) -> Any:
        return self._data(self.http.get(f"{self._prefix}{path}", params=params or None), expect)

    def post(self, path: str, expect: int = 200, json: Any = None, **headers: str) -> Any:
        return self._data(self.http.post(f"{self._prefix}{path}", json=json, headers=headers), expect)

    def put(self, path: str, expect: int = 200, json: Any = None) -> Any:
        return self._data(self.http.put(f"/api/v1{path}", json=json), expect)

    def patch(self, path: str, expect: int = 200, json: Any = None) -> Any:
        return self._data(self.http.patch(f"/api/v1{path}", json=json), expect)

    def delete(self, path: str, /, expect: int = 200, **params: Any) -> Any:
        return self._data(self.http.delete(f"{self._prefix}{path}", params=params or None), expect)

    def make(self, kind: str) -> str:
        made: str = self.post(f"/{kind}", expect=201)["id"]
        return made

    def append(self, session: str, text: str, expect: int = 201, **headers: str) -> Any:
        blob = {"role": "user", "content": text}
        return self.post(f"/session/{session}/messages", expect, {"blob": blob}, **headers)

    def upload(self, disk: str, name: str, data: bytes, **fields: str) -> Any:
        files = {"file": (name, data)}
        return self._data(self.http.post(f"{self._prefix}/disk/{disk}/artifact", files=files, data=fields), 201)

    def messages(self, session: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.get(f"/session/{session}/messages", format="acontext")["items"]
        return items

    def pages(self, path: str, /, **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(path, **params)
            found += page["items"]
            if not page["has_more"]:
                return found
            assert page["items"], "a page that has more has something"
            assert page["next_cursor"] != params.get("cursor"), "a cursor that stays goes on for ever"
            params["cursor"] = page["next_cursor"]

    @staticmethod
    def _data(answer: httpx.Response, expect: int) -> Any:
        assert answer.status_code == expect, answer.text
        return answer.json().get("data")
