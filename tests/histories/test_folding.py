"""Every recorded log is folded by today's projections, and the same in one batch as event by event."""

import json
from pathlib import Path

import pytest

from craftlog.contracts.envelope import Recorded, decode
from craftlog.contracts.readmodels import Project
from craftlog.contracts.subjects import Address, Kind
from craftlog.ingest import projection as ingest
from craftlog.learner import projection as learner
from craftlog.observer import projection as observer
from craftlog.search import projection as search
from craftlog.testing.folding import fold

PROJECTIONS: dict[Kind, list[Project]] = {
    Kind.SESSION: [ingest.session],
    Kind.DISK: [ingest.disk],
    Kind.SPACE: [ingest.space],
    Kind.BOARD: [observer.project],
    Kind.TREE: [learner.project, search.project],
}


def aggregates(history: Path) -> dict[Address, list[Recorded]]:
    found: dict[Address, list[Recorded]] = {}
    for stored in json.loads(history.read_text()):
        past = decode(stored["subject"], stored["headers"], json.dumps(stored["data"]).encode(), stored["seq"])
        found.setdefault(past.address, []).append(past)
    return found


@pytest.mark.parametrize("history", sorted(Path(__file__).parent.glob("*.json")), ids=lambda path: path.stem)
def test_it_is_folded_by_every_projection(history: Path):
    kinds = set()
    for address, events in aggregates(history).items():
        for project in PROJECTIONS[address.kind]:
            kinds.add(address.kind)
            at_once, one_by_one = fold(project, events), fold(project, events, cuts=range(len(events)))
            assert (one_by_one.head, one_by_one.children) == (at_once.head, at_once.children)
    assert kinds == set(PROJECTIONS)
