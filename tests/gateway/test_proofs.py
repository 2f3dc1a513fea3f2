"""What was there a moment ago may have objects put for it without another look at the log."""

from uuid import uuid4

from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import proofs
from craftlog.gateway.proofs import Proofs
from craftlog.ingest.handlers import LATE
from craftlog.runtime.objects import LONGEST_PUT
from craftlog.testing.examples import DISK, PROJECT


class TestProofs:
    def test_hold_for_less_than_a_minute(self):
        known = Proofs()
        assert not known.hold(DISK, 0.5)
        known.note(DISK, 1000)
        assert known.hold(DISK, 1059)
        assert not known.hold(DISK, 1060)

    def test_end_with_what_they_prove(self):
        known = Proofs()
        known.note(DISK, 1000)
        known.forget(DISK)
        known.forget(DISK)
        assert not known.hold(DISK, 1000)

    def test_are_forgotten_where_there_are_too_many(self, monkeypatch):
        monkeypatch.setattr(proofs, "_MOST", 2)
        known = Proofs()
        some = [Address(Kind.DISK, PROJECT, str(uuid4())) for _ in range(3)]
        for one in some:
            known.note(one, 1000)
        assert [known.hold(one, 1000) for one in some] == [False, True, True]

    def test_and_the_longest_put_end_before_the_last_sweep(self):
        assert proofs._LAST + LONGEST_PUT.total_seconds() < LATE.total_seconds() / 1.5
