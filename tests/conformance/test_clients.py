"""What is there to be driven, and the clients themselves."""

from importlib import import_module
from pathlib import Path

import pytest
from tests.conformance.sdks import EVERY, Sdk, driven

SYNC = [name for name in EVERY if name.endswith("-sync")]
ASYNC = [name for name in EVERY if name.endswith("-async")]


@pytest.mark.parametrize("sdk", EVERY, indirect=True)
def test_every_method_of_the_sdk_is_driven_by_a_test(sdk: Sdk) -> None:
    assert driven_by(sdk.name) == sdk.methods()


@driven("ping")
def test_a_ping_is_answered(sdk: Sdk) -> None:
    assert sdk("ping") == "pong"


@driven("request")
def test_a_request_without_a_method_of_its_own_gives_the_data(sdk: Sdk) -> None:
    assert sdk("request", "GET", "/session", params={"limit": 1}).keys() >= {"items", "has_more"}


@driven("close", by=SYNC)
def test_a_client_can_be_closed(sdk: Sdk) -> None:
    assert "closed" in sdk("close")


@driven("aclose", by=ASYNC)
def test_an_asynchronous_client_can_be_closed(sdk: Sdk) -> None:
    assert "closed" in sdk("aclose")


def driven_by(name: str) -> set[str]:
    """Return what all tests of this folder together drive in an SDK."""
    modules = [import_module(f"tests.conformance.{file.stem}") for file in Path(__file__).parent.glob("test_*.py")]
    marks = [
        mark
        for module in modules
        for test in vars(module).values()
        for mark in getattr(test, "pytestmark", ())
        if mark.name == "drives" and name in mark.kwargs["by"]
    ]
    return {method for mark in marks for method in mark.args}
