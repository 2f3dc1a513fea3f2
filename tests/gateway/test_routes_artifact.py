"""Content that is read by several at once, from a bucket in memory."""

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from craftlog.gateway import content, routes_artifact


@dataclass
class Bucket:
    """One object, whatever the key."""

    size: int

    async def get(self, _key: str) -> bytes:
        return b"1" * self.size


@dataclass
class Gateway:
    """What a route needs of it here."""

    objects: Bucket
    reads_large: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class Reader:
    """Says whether each parsed alone, waiting so many seconds for another to come."""

    patience: float
    others: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))
    alone: list[bool] = field(default_factory=list)

    def parsed(self, _kind: str, _data: bytes, _lines: object) -> Any:
        try:
            self.others.wait(self.patience)
            self.alone.append(False)
        except threading.BrokenBarrierError:
            self.others.reset()
            self.alone.append(True)


class TestContent:
    @pytest.mark.parametrize(("size", "alone"), [(1024, False), (1024 * 1024 + 1, True)])
    async def test_that_is_large_is_parsed_by_one_at_a_time(
        self, monkeypatch: pytest.MonkeyPatch, size: int, *, alone: bool
    ):
        reader, gateway = Reader(0.2 if alone else 30), Gateway(Bucket(size))
        monkeypatch.setattr(content, "parsed", reader.parsed)
        asset = {"s3_key": "key", "size_b": size}
        both = [routes_artifact._content(gateway, asset, "json", None) for _ in range(2)]  # type: ignore[arg-type] # see above
        await asyncio.gather(*both)
        assert reader.alone == [alone] * 2
