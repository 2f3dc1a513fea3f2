"""Spaces: what is filed in them by hand and by learning, how it is found, and the tools that it speaks of."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from tests.conformance.sdks import Sdk, SdkError, driven, pages
from tests.e2e.conversations import PHONE_TO_THE_END

from craftlog.contracts.events import CONFIRM

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


@driven("spaces.create", "spaces.get_configs", "spaces.update_configs")
def test_a_space_is_as_it_was_created_until_its_configs_are_replaced(sdk: Sdk) -> None:
    created = sdk("spaces.create", configs={"team": "tea"})
    assert created["configs"] == {"team": "tea"}
    assert sdk("spaces.get_configs", created["id"]) == created
    assert sdk("spaces.update_configs", created["id"], configs={}) is None
    assert sdk("spaces.get_configs", created["id"])["configs"] == {}


@driven("spaces.list", "spaces.delete")
def test_spaces_are_listed_until_they_are_deleted(sdk: Sdk) -> None:
    made = [sdk("spaces.create")["id"] for _ in range(3)]
    session = sdk("sessions.create", space_id=made[0])["id"]
    newest = sdk("spaces.list", limit=3, time_desc=True)
    assert [space["id"] for space in newest["items"]] == made[::-1]
    assert sdk("spaces.delete", made[0]) is None
    assert made[0] not in [space["id"] for space in pages(sdk, "spaces.list", limit=2)]
    with pytest.raises(SdkError) as refused:
        sdk("spaces.get_configs", made[0])
    assert refused.value.status == 404
    assert sdk("sessions.get_configs", session)["space_id"] is None


@driven("blocks.create", "blocks.list", "blocks.get_properties")
def test_blocks_of_every_type_are_filed_below_each_other(sdk: Sdk, space: str) -> None:
    folder = filed(sdk, space, "folder", "Drinks")
    page = filed(sdk, space, "page", "Tea", parent_id=folder)
    sop = filed(sdk, space, "sop", "make tea", parent_id=page, props=TEA)
    text = filed(sdk, space, "text", "a note", parent_id=page, props={"notes": "warm the pot"})
    assert titles(sdk, space) == ["Drinks"]
    assert titles(sdk, space, folder) == ["Tea"]
    assert [block["id"] for block in sdk("blocks.list", space, parent_id=page, block_type="sop")] == [sop]
    assert {block["id"] for block in sdk("blocks.list", space, parent_id=page)} == {sop, text}
    got = sdk("blocks.get_properties", space, sop)
    assert (got["type"], got["parent_id"], got["title"], got["is_archived"]) == ("sop", page, "make tea", False)
    assert got["props"]["preferences"] == "no sugar"
    assert got["props"]["tool_sops"][0].items() >= TEA["tool_sops"][0].items()
    assert sdk("blocks.get_properties", space, folder)["parent_id"] is None


@driven("blocks.update_properties")
def test_the_properties_of_a_block_are_replaced_and_found_as_they_are_now(sdk: Sdk, space: str) -> None:
    page = filed(sdk, space, "page", "Tea")
    assert sdk("blocks.update_properties", space, page, title="Coffee") is None
    assert titles(sdk, space) == ["Coffee"]
    assert sdk("blocks.update_properties", space, page, props={"view_when": "thirsty"}) is None
    got = sdk("blocks.get_properties", space, page)
    assert (got["title"], got["props"]) == ("Coffee", {"view_when": "thirsty"})


@driven("blocks.move", "blocks.update_sort")
def test_blocks_are_moved_and_sorted(sdk: Sdk, space: str) -> None:
    folder, other = filed(sdk, space, "folder", "A"), filed(sdk, space, "folder", "B")
    one, two, three = (filed(sdk, space, "page", title, parent_id=folder) for title in ("one", "two", "three"))
    assert sdk("blocks.update_sort", space, three, sort=0) is None
    assert titles(sdk, space, folder) == ["three", "one", "two"]
    assert sdk("blocks.move", space, one, parent_id=other) is None
    assert sdk("blocks.move", space, two, parent_id=other, sort=0) is None
    assert titles(sdk, space, folder) == ["three"]
    assert titles(sdk, space, other) == ["two", "one"]
    assert [block["sort"] for block in sdk("blocks.list", space, parent_id=other)] == [0, 1]


@driven("blocks.delete")
def test_a_deleted_block_takes_along_what_is_below_it(sdk: Sdk, space: str) -> None:
    page = filed(sdk, space, "page", "Tea")
    sop = filed(sdk, space, "sop", "make tea", parent_id=page, props=TEA)
    assert sdk("blocks.delete", space, page) is None
    assert titles(sdk, space) == []
    with pytest.raises(SdkError) as refused:
        sdk("blocks.get_properties", space, sop)
    assert refused.value.status == 404


@driven("spaces.experience_search")
def test_what_is_filed_is_found_by_its_meaning(sdk: Sdk, space: str) -> None:
    page = filed(sdk, space, "page", "Tea")
    sop = filed(sdk, space, "sop", "make tea", parent_id=page, props=TEA)

    def found(**options: Any) -> list[dict[str, Any]]:
        hits: list[dict[str, Any]] = sdk("spaces.experience_search", space, query="make tea", **options)["cited_blocks"]
        return hits

    [hit] = until(found)
    assert (hit["block_id"], hit["type"], hit["title"]) == (sop, "sop", "make tea")
    assert 0 <= hit["distance"] < 0.8
    assert hit["props"]["use_when"] == "make tea"
    assert [step["tool_name"] for step in hit["props"]["tool_sops"]] == ["kettle"]
    assert found(limit=1, mode="fast", semantic_threshold=2.0) == [hit]
    assert sdk("spaces.experience_search", space, query="parliament", semantic_threshold=0.0)["cited_blocks"] == []


@driven("tools.get_tool_name", "tools.rename_tool_name")
def test_tools_are_counted_and_renamed_in_the_skills_that_use_them(sdk: Sdk, space: str) -> None:
    page = filed(sdk, space, "page", "Tea")
    old, new = f"old-{uuid4().hex}", f"new-{uuid4().hex}"
    steps = [{"tool_name": old, "action": action} for action in ("boil", "pour")]
    sop = filed(sdk, space, "sop", "make tea", parent_id=page, props={"preferences": "", "tool_sops": steps})

    def count(name: str) -> int | None:
        return {tool["name"]: tool["sop_count"] for tool in sdk("tools.get_tool_name")}.get(name)

    assert until(lambda: count(old)) == 2
    flag = sdk("tools.rename_tool_name", rename=[{"old_name": old, "new_name": new}])
    assert flag == {"status": 200, "errmsg": ""}
    assert until(lambda: count(new)) == 2
    assert not count(old)
    names = [step["tool_name"] for step in sdk("blocks.get_properties", space, sop)["props"]["tool_sops"]]
    assert names == [new, new]


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


@driven("spaces.get_unconfirmed_experiences", "spaces.confirm_experience")
def test_a_person_says_which_skills_are_kept(sdk: Sdk) -> None:
    space = sdk("spaces.create", configs={CONFIRM: True})["id"]
    session = sdk("sessions.create", space_id=space)["id"]
    for message in PHONE_TO_THE_END:
        sdk("sessions.store_message", session, blob=message)
    sdk("sessions.flush", session)
    waiting = until(lambda: pages(sdk, "spaces.get_unconfirmed_experiences", space, limit=1))
    first = waiting[0]
    tasks = {task["id"] for task in sdk("sessions.get_tasks", session)["items"]}
    assert (first["space_id"], first["experience_data"]["type"]) == (space, "sop")
    assert {one["task_id"] for one in waiting} <= tasks
    assert sdk("blocks.list", space) == []
    saved = sdk("spaces.confirm_experience", space, first["id"], save=True)
    assert (saved["id"], saved["experience_data"]) == (first["id"], first["experience_data"])
    until(lambda: sdk("blocks.list", space))
    assert first["id"] not in [one["id"] for one in pages(sdk, "spaces.get_unconfirmed_experiences", space, limit=200)]


@driven("spaces.get_unconfirmed_experiences", "spaces.confirm_experience")
def test_a_person_says_which_skills_are_not_kept(sdk: Sdk) -> None:
    space = sdk("spaces.create", configs={CONFIRM: True})["id"]
    session = sdk("sessions.create", space_id=space)["id"]
    for message in PHONE_TO_THE_END:
        sdk("sessions.store_message", session, blob=message)
    sdk("sessions.flush", session)
    [first, *_] = until(lambda: pages(sdk, "spaces.get_unconfirmed_experiences", space, limit=200))
    assert sdk("spaces.confirm_experience", space, first["id"], save=False) is None
    assert first["id"] not in [one["id"] for one in pages(sdk, "spaces.get_unconfirmed_experiences", space)]
    assert sdk("blocks.list", space) == []
