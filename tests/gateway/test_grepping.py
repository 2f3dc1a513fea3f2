"""What a search reads and when it stops, on a bucket in memory."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from craftlog.gateway import grepping
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.grepping import Expression, Found, grep
from craftlog.runtime.errors import ObjectMissingError


class Bucket:
    """Objects by key, and which were read."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects
        self.read: list[str] = []

    async def get(self, key: str) -> bytes:
        self.read.append(key)
        if key not in self.objects:
            raise ObjectMissingError(key)
        return self.objects[key]


def file(name: str, key: str, size: int = 1, mime: str = "text/plain") -> dict[str, Any]:
    asset = {"s3_key": key, "sha256": key, "size_b": size, "mime": mime}
    return {"_id": f"disk:/{name}", "path": "/", "filename": name, "asset": asset}


async def search(bucket: Any, *files: dict[str, Any], query: str = "x", limit: int = 100) -> Found:
    async def batches() -> AsyncIterator[Sequence[dict[str, Any]]]:
        yield files[:2]
        yield files[2:]

    return await grep(bucket, batches(), Expression(query), limit)


class TestGrep:
    async def test_reads_the_same_bytes_once(self):
        bucket = Bucket(one=b"x", two=b"y")
        found = await search(bucket, file("a", "one"), file("b", "two"), file("c", "one"))
        assert (found.ids, found.after) == (["disk:/a", "disk:/c"], None)
        assert bucket.read == ["one", "two"]

    async def test_reads_nothing_whose_type_is_no_text(self):
        bucket = Bucket(one=b"x")
        types = ["image/png", "Image/JPEG", "audio/wav", "application/pdf", "image/svg+xml"]
        found = await search(bucket, *(file(f"{n}", f"one{n}", mime=mime) for n, mime in enumerate(types)))
        assert bucket.read == ["one4"]
        assert found == Found()

    async def test_stops_with_the_last_that_is_wanted_and_says_where(self):
        files = [file(name, "one") for name in "abcde"]
        found = await search(Bucket(one=b"x"), *files, limit=3)
        assert (found.ids, found.after) == (["disk:/a", "disk:/b", "disk:/c"], ("/", "c"))

    @pytest.mark.parametrize(
        ("bound", "most"),
        [("MOST_FILES", 2), ("MOST_BYTES", 2), ("MOST_NAMES", 2), ("MOST_STEPS", Expression("x").steps(2))],
    )
    async def test_stops_where_a_request_has_done_enough_and_says_where(self, monkeypatch, bound, most):
        monkeypatch.setattr(grepping, bound, most)
        monkeypatch.setattr(grepping, "_AT_ONCE", 2)
        bucket = Bucket(**dict.fromkeys("abcde", b"x"))
        found = await search(bucket, *(file(name, name) for name in "abcde"))
        assert found.ids == ["disk:/a", "disk:/b"]
        assert found.after == ("/", "b")
        assert bucket.read == ["a", "b"]

    async def test_names_what_is_too_large_for_so_large_an_expression(self):
        query = "(?:a.){300}x"
        size = grepping.MOST_STEPS // Expression(query).steps(1) + 1
        bucket = Bucket(small=b"a." * 300 + b"x")
        found = await search(bucket, file("a", "large", size), file("b", "small"), query=query)
        assert (found.ids, found.unsearched, found.after) == (["disk:/b"], ["/a"], None)
        assert bucket.read == ["small"]

    async def test_passes_over_what_is_just_being_erased(self):
        assert await search(Bucket(), file("a", "gone"), query="") == Found(ids=["disk:/a"])

    async def test_holds_no_more_in_memory_than_a_few_megabytes_at_once(self):
        files = [file(str(n), str(n), 1024 * 1024) for n in range(10)]
        groups = [len(group) for group in grepping._groups(files, Expression("x"))]
        assert groups == [4, 4, 2]


class TestExpression:
    @pytest.mark.parametrize(
        ("query", "data", "expected"),
        [
            ("HELLO", b"say hello", True),
            ("^b$", b"a\nb\nc", True),
            ("a.c", b"a\nc", False),
            (r"a\sc", b"a\nc", True),
            ("é", "É".encode(), True),
            ("a", b"a\0", False),
            ("a", b"a\xff", False),
            ("a|(?i)b$", b"b\n", True),
        ],
    )
    def test_is_searched_in_text_line_by_line_and_blind_to_case(self, query, data, expected):
        assert Expression(query).is_in(data) == expected

    @pytest.mark.parametrize("query", ["(", "(?<=a)b", r"(a)\1", "a{1001}", "\\", r"\pL{1000}", "x" * 1001])
    def test_that_is_none_is_refused(self, query):
        with pytest.raises(InvalidError, match=r"^query: is "):
            Expression(query)

    def test_takes_no_time_for_an_expression_made_to_take_all(self):
        # With backtracking this takes longer than anybody waits.
        assert not Expression("(a+)+$").is_in(b"a" * 100_000 + b"!")
