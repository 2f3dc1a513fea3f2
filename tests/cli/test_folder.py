"""The data folder: one holder, ports and secrets that stay."""

import os
import socket
import stat
from pathlib import Path

import pytest

from craftlog.cli.folder import LOOPBACK, FolderInUseError, held, kept_ports, kept_secrets

NAMES = ("log", "store")


class TestHolding:
    def test_a_second_holder_is_told_who_the_first_is(self, tmp_path: Path) -> None:
        with held(tmp_path), pytest.raises(FolderInUseError, match=str(os.getpid())), held(tmp_path):
            pass

    def test_it_can_be_held_again_afterwards(self, tmp_path: Path) -> None:
        for _ in range(2):
            with held(tmp_path):
                pass


class TestPorts:
    def test_they_are_distinct_and_stay(self, tmp_path: Path) -> None:
        first = kept_ports(tmp_path, NAMES)
        assert len(set(first.values())) == len(NAMES)
        assert kept_ports(tmp_path, NAMES) == first

    def test_one_that_was_taken_meanwhile_is_replaced_for_good(self, tmp_path: Path) -> None:
        first = kept_ports(tmp_path, NAMES)
        with socket.create_server((LOOPBACK, first["log"])):
            second = kept_ports(tmp_path, NAMES)
        assert second["log"] != first["log"]
        assert second["store"] == first["store"]
        assert kept_ports(tmp_path, NAMES) == second


class TestSecrets:
    def test_they_stay_and_only_the_owner_reads_them(self, tmp_path: Path) -> None:
        first = kept_secrets(tmp_path, NAMES)
        assert len(set(first.values())) == len(NAMES)
        assert kept_secrets(tmp_path, NAMES) == first
        assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
