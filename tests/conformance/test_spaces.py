"""Spaces: what is filed in them by hand and by learning, how it is found, and the tools that it speaks of."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.sdks import Sdk, driven
from tests.e2e.conversations import PHONE_TO_THE_END

DEADLINE = 60.0
TEA = {"preferences": "no sugar", "tool_sops": [{"tool_name": "kettle", "action": "boil the water"}]}


@pytest.fixture
def space(sdk: Sdk) -> str:
    made: dict[str, str] = sdk("spaces.create")
    return made["id"]


def filed(sdk: Sdk, space: str, kind: str, title: str, **more: Any) -> str:
    made: dict[str, str] = sdk("blocks.create", space, block_type=kind, title=title, **more)
    return made["id"]


def titles(sdk: Sdk, space: str, parent: str | None = None) -> list[str]:
    below = {"parent_id": parent} if parent else {}
    return [block["title"] for block in sdk("blocks.list", space, **below)]


def until(ask: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE
    while not (answer := ask()):
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.05)
    return answer


@driven("sessions.get_learning_status", "spaces.experience_search")
def test_a_session_teaches_its_space(sdk: Sdk, space: str) -> None:
    session = sdk("sessions.create", space_id=space)["id"]
    for message in PHONE_TO_THE_END:
        sdk("sessions.store_message", session, blob=message)
    sdk("sessions.flush", session)

    def learned() -> bool:
        status = sdk("sessions.get_learning_status", session)
        return bool(status["space_digested_count"] == 3 and status["not_space_digested_count"] == 0)

    until(learned)
    assert all(task["space_digested"] for task in sdk("sessions.get_tasks", session)["items"])
    query = "gather facts on a gadget and report them before programming a promotional site"
    [first, *_] = sdk("spaces.experience_search", space, query=query, semantic_threshold=2.0)["cited_blocks"]
    assert first["type"] == "sop"
