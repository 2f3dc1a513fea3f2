"""What MongoDB's errors mean: a document that it never takes, or a server that cannot do it now."""

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.errors import BulkWriteError, DocumentTooLarge, NetworkTimeout, OperationFailure

from craftlog.contracts.readmodels import Changes
from craftlog.contracts.subjects import Address, Kind
from craftlog.runtime.errors import ConflictError, RefusedError, UnavailableError
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
        assert await store.write([folded()]) == {PROJECT: "MongoDB refuses: the document is not valid"}


class TestChildren:
    async def test_that_are_mostly_new_are_replaced_where_they_are_not(self, database):
        store = MongoStore(database, "heads", mostly_new=frozenset({"files"}))
        await store.write([changed(Changes({}, {("files", "a"): {"n": 1}, ("files", "b"): {"n": 1}}))])
        files = {("files", "a"): {"n": 2}, ("files", "b"): None, ("files", "c"): {"n": 2}}
        again = changed(Changes({}, files, {("files", "d"): {"n": 3}}), 1)
        await store.write([again])
        expected = [{"_id": "a", "n": 2}, {"_id": "c", "n": 2}]
        assert await database["files"].find({}).sort("_id", 1).to_list(None) == expected
        with pytest.raises(ConflictError):
            await store.write([again])
        assert await database["files"].find({}).sort("_id", 1).to_list(None) == expected


class TestPatches:
    async def test_change_what_is_there_and_make_nothing(self, database):
        store = MongoStore(database, "heads")
        steps = [{"tool": "a"}, {"tool": "b"}]
        await store.write([changed(Changes({}, {("blocks", "b"): {"title": "t", "props": {"steps": steps}}}))])
        patches = {("blocks", "b"): {"props.steps.1.tool": "c", "sort": 2}, ("blocks", "gone"): {"sort": 1}}
        await store.write([changed(Changes({}, patches=patches), 1)])
        props = {"steps": [{"tool": "a"}, {"tool": "c"}]}
        expected = {"_id": "b", "title": "t", "props": props, "sort": 2}
        assert await database["blocks"].find({}).to_list(None) == [expected]

    async def test_take_any_names_in_a_value(self, database):
        store = MongoStore(database, "heads")
        strange = {"$set": 1, "a.b": {"$": None}, "": [{"$c": 2}]}
        await store.write([changed(Changes({}, {("blocks", "b"): {"props": {}}}))])
        await store.write([changed(Changes({}, patches={("blocks", "b"): {"props": strange}}), 1)])
        assert await database["blocks"].find({}).to_list(None) == [{"_id": "b", "props": strange}]


def changed(changes: Changes, old_version: int = 0) -> Folded:
    return Folded(Address(Kind.TREE, PROJECT, PROJECT), old_version, old_version + 1, old_version + 1, changes)


def folded() -> Folded:
    return Folded(Address(Kind.SESSION, PROJECT, PROJECT), 0, 1, 1, Changes({}))
