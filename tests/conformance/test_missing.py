"""Ids that nobody has: every SDK raises its APIError with a 404, whatever it asks for."""

from typing import Any
from uuid import uuid4

from tests.conformance.sdks import NEW, NPM, Sdk, SdkError, driven, upload

ID, OTHER = str(uuid4()), str(uuid4())
FILE = {"file_path": "/", "filename": "a.txt"}
CALLS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "sessions.delete": ([ID], {}),
    "sessions.update_configs": ([ID], {"configs": {}}),
    "sessions.get_configs": ([ID], {}),
    "sessions.connect_to_space": ([ID], {"space_id": OTHER}),
    "sessions.get_tasks": ([ID], {}),
    "sessions.store_message": ([ID], {"blob": {"role": "user", "content": "hello"}}),
    "sessions.get_messages": ([ID], {}),
    "sessions.flush": ([ID], {}),
    "sessions.get_learning_status": ([ID], {}),
    "sessions.get_token_counts": ([ID], {}),
    "spaces.delete": ([ID], {}),
    "spaces.update_configs": ([ID], {"configs": {}}),
    "spaces.get_configs": ([ID], {}),
    "spaces.experience_search": ([ID], {"query": "tea"}),
    "spaces.get_unconfirmed_experiences": ([ID], {}),
    "spaces.confirm_experience": ([ID, OTHER], {"save": True}),
    "blocks.list": ([ID], {}),
    "blocks.create": ([ID], {"block_type": "page", "title": "a"}),
    "blocks.delete": ([ID, OTHER], {}),
    "blocks.get_properties": ([ID, OTHER], {}),
    "blocks.update_properties": ([ID, OTHER], {"title": "a"}),
    "blocks.move": ([ID, OTHER], {"sort": 0}),
    "blocks.update_sort": ([ID, OTHER], {"sort": 0}),
    "disks.delete": ([ID], {}),
    "disks.artifacts.upsert": ([ID], {"file": upload("a.txt", b"a")}),
    "disks.artifacts.get": ([ID], FILE),
    "disks.artifacts.update": ([ID], {**FILE, "meta": {}}),
    "disks.artifacts.delete": ([ID], FILE),
    "disks.artifacts.list": ([ID], {}),
}
LATER: dict[str, tuple[list[str], dict[str, Any]]] = {
    "sessions.get_session_summary": ([ID], {}),
    "disks.artifacts.glob_artifacts": ([ID], {"query": "*"}),
    "disks.artifacts.grep_artifacts": ([ID], {"query": "a"}),
}


@driven(*CALLS)
def test_an_unknown_id_is_not_found(sdk: Sdk) -> None:
    assert_not_found(sdk, CALLS)


@driven(*LATER, by=NEW)
def test_an_unknown_id_is_not_found_in_what_came_later(sdk: Sdk) -> None:
    assert_not_found(sdk, LATER)


@driven("sessions.messages_observing_status", by=[*NEW, NPM])
def test_nobody_observes_an_unknown_session(sdk: Sdk) -> None:
    assert_not_found(sdk, {"sessions.messages_observing_status": ([ID], {})})


def assert_not_found(sdk: Sdk, calls: dict[str, tuple[list[str], dict[str, Any]]]) -> None:
    answers: dict[str, Any] = {}
    for method, (args, kwargs) in calls.items():
        try:
            answers[method] = sdk(method, *args, **kwargs)
        except SdkError as error:
            answers[method] = (error.type, error.status, error.code, error.name)
    assert answers == dict.fromkeys(calls, ("APIError", 404, 404, "not_found"))
