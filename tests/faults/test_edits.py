"""People edit a tree while the learner dies again and again: each edit is made once, or refused in words."""

import random
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from craftlog.testing.stack import Stack

EDITS = 60
KILL_AT = (10, 25, 40)
PATIENCE = 90.0  # seconds


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    parts = ("nats", "mongo", "s3", "ingest", "learner", "gateway")
    with Stack(tmp_path_factory.mktemp("edits"), only=parts) as stack:
        yield stack


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    bearer = {"Authorization": f"Bearer {stack.token}"}
    with httpx.Client(base_url=f"{stack.base_url}/api/v1", headers=bearer, timeout=60) as http:
        yield http


def patiently(http: httpx.Client, method: str, path: str, **request: Any) -> httpx.Response:
    """Ask again while it cannot be answered now, as any client would."""
    deadline = time.monotonic() + PATIENCE
    while (answer := http.request(method, path, **request)).status_code == 503:
        assert time.monotonic() < deadline, answer.text
        assert answer.headers["retry-after"]
        time.sleep(0.05)
    return answer


class TestALearnerThatDies:
    def test_loses_and_doubles_nothing(self, stack: Stack, http: httpx.Client) -> None:
        space = http.post("/space").json()["data"]["id"]
        at, expected, chance = f"/space/{space}/block", list[str](), random.Random(7)  # noqa: S311 - no secret
        for number in range(EDITS):
            if number in KILL_AT:
                stack.kill("learner")
            block = chance.choice(expected) if expected else ""
            match chance.choice(["add", "add", "sort", "remove"]):
                case "sort" if block:
                    place = chance.randrange(len(expected))
                    assert patiently(http, "PUT", f"{at}/{block}/sort", json={"sort": place}).status_code == 200
                    expected.remove(block)
                    expected.insert(place, block)
                case "remove" if block:
                    # Where the answer was lost, the repeat finds it gone.
                    assert patiently(http, "DELETE", f"{at}/{block}").status_code in (200, 404)
                    expected.remove(block)
                case _:
                    key = {"Idempotency-Key": str(uuid4())}
                    body = {"type": "page", "title": str(number)}
                    added = patiently(http, "POST", at, json=body, headers=key)
                    assert added.status_code == 201
                    expected.append(added.json()["data"]["id"])
        found = patiently(http, "GET", at).json()["data"]
        assert [block["id"] for block in found] == expected
        assert [block["sort"] for block in found] == list(range(len(expected)))
        assert stack.children()["learner"]["restarts"] == len(KILL_AT)
