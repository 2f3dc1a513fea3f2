"""What MongoDB's errors mean: a document that it never takes, or a server that cannot do it now."""

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.errors import BulkWriteError, DocumentTooLarge, NetworkTimeout, OperationFailure

from craftlog.contracts.readmodels import Changes
from craftlog.contracts.subjects import Address, Kind
from craftlog.runtime.errors import RefusedError, UnavailableError
from craftlog.runtime.mongo import MongoStore, reach
from craftlog.runtime.projector import Folded
from craftlog.testing.examples import PROJECT

DISK_FULL = {"index": 0, "code": 14031, "errmsg": "no space left"}
INVALID = {"index": 0, "code": 121, "errmsg": "the document is not valid"}


def failing(error: Exception) -> Callable[..., Any]:
    async def fail(*_: object, **__: object) -> None:
        raise error

    return fail


class TestReach:
    @pytest.mark.parametrize(
        ("error", "meaning"),
        [
            (NetworkTimeout("no answer"), UnavailableError),
            (OperationFailure("no space left", 14031), UnavailableError),
            (OperationFailure("not authorized", 13), UnavailableError),
            (OperationFailure("the document is not valid", 121), RefusedError),
            (DocumentTooLarge("over 16 MiB"), RefusedError),
        ],
    )
    async def test_tells_a_refused_document_from_a_server_that_cannot_do_it_now(self, error, meaning):
        with pytest.raises(meaning):
            await reach(failing(error))


class Collection:
    """Takes no heads."""

    name = "heads"

    def __init__(self, details: dict[str, Any]) -> None:
        self.bulk_write = failing(BulkWriteError(details))


class TestWrite:
    @pytest.mark.parametrize(
        "details", [{"writeErrors": [DISK_FULL]}, {"writeErrors": [], "writeConcernErrors": [{"code": 91}]}]
    )
    async def test_of_a_server_that_cannot_write_stalls_nothing(self, details):
        store = MongoStore({"heads": Collection(details)}, "heads")
        with pytest.raises(UnavailableError):
            await store.write([folded()])

    async def test_of_a_refused_document_names_its_aggregate(self):
        store = MongoStore({"heads": Collection({"writeErrors": [INVALID]})}, "heads")
        assert await store.write([folded()]) == {PROJECT: "the document is not valid"}


def folded() -> Folded:
    return Folded(Address(Kind.SESSION, PROJECT, PROJECT), 0, 1, 1, Changes({}))
