"""Every answer that a test gets is held to the gateway's own OpenAPI document."""

from datetime import timedelta
from functools import cache
from typing import Any

import httpx
import schemathesis

# What is said of a path or a method that the document does not know: at the door, or behind it.
UNKNOWN = {401, 404, 405, 413, 429, 501}


def assert_described(answer: httpx.Response) -> None:
    """Assert that the document has an answer: its status, its headers and its body."""
    url = answer.request.url
    answer.read()
    if url.path == "/openapi.json":
        return
    operation = described(str(url.copy_with(raw_path=b"/openapi.json"))).find_operation_by_path(
        answer.request.method, url.path
    )
    if operation is None:
        assert answer.status_code in UNKNOWN, answer.text
        return
    assert str(answer.status_code) in operation.definition.raw["responses"], answer.text
    # With a request that has no body: one that was streamed cannot be read again.
    answer = httpx.Response(
        answer.status_code,
        headers=answer.headers,
        content=answer.content,
        request=httpx.Request(answer.request.method, url),
    )
    answer.elapsed = timedelta()
    operation.validate_response(answer)


@cache
def described(url: str) -> Any:
    return schemathesis.openapi.from_dict(httpx.get(url).raise_for_status().json())
