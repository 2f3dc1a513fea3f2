"""Logs recorded earlier are read by today's code. Each incident in a log that surprised us adds one."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from craftlog.contracts.envelope import decode, encode

HISTORIES = sorted(Path(__file__).parent.parent.joinpath("histories").glob("*.json"))


def messages(history: Path) -> list[dict[str, Any]]:
    """The stored messages in stream order: ``{seq, subject, headers, data}``."""
    found: list[dict[str, Any]] = json.loads(history.read_text())
    return found


@pytest.mark.parametrize("history", HISTORIES, ids=lambda path: path.stem)
class TestHistories:
    def test_every_event_is_known_and_nothing_of_it_is_lost_in_reading(self, history: Path):
        for stored in messages(history):
            back = decode(stored["subject"], stored["headers"], json.dumps(stored["data"]).encode(), stored["seq"])
            assert back.event, f"{back.type} is no longer known"
            headers, body = encode(
                back.address, back.version, back.event, event_id=back.id, time=back.time, traceparent=back.traceparent
            )
            assert headers == stored["headers"]
            assert json.loads(body) == json.loads(body) | stored["data"]

    def test_versions_have_no_gap_but_where_an_aggregate_was_erased(self, history: Path):
        versions: Counter[str] = Counter()
        for stored in messages(history):
            back = decode(stored["subject"], stored["headers"], json.dumps(stored["data"]).encode(), stored["seq"])
            assert back.version == versions[stored["subject"]] + 1 or back.is_tombstone
            versions[stored["subject"]] = back.version


def test_there_are_histories():
    assert HISTORIES
