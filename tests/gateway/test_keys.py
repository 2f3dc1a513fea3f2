"""Keys: only those that we made are taken for ours, and what is stored of them does not give them away."""

import re
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftlog.gateway.keys import SECRET_BYTES, Stamp

STAMP = Stamp("pepper" * 6)
PROJECT = "00000000-0000-4000-8000-000000000001"
KEY = STAMP.key(PROJECT, b"x" * SECRET_BYTES)


class TestKey:
    @given(project=st.uuids(), secret=st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES))
    def test_says_which_project_it_is_of(self, project, secret):
        key = STAMP.key(str(project), secret)
        assert STAMP.project_of(key.encode()) == str(project)
        assert re.fullmatch(r"sk-ac-[A-Za-z0-9_-]{80}", key)

    @given(at=st.integers(0, len(KEY) - 1), other=st.sampled_from("AQgw09-_ =é"))
    def test_with_one_character_changed_is_none_of_ours(self, at, other):
        changed = KEY[:at] + other + KEY[at + 1 :]
        assert changed == KEY or STAMP.project_of(changed.encode()) is None

    @given(st.binary(max_size=200))
    def test_of_any_bytes_is_none_of_ours(self, sent):
        assert STAMP.project_of(sent) is None
        assert STAMP.project_of(b"sk-ac-" + sent) is None

    @pytest.mark.parametrize("cut", [1, 4, 16])
    def test_that_is_shorter_or_longer_is_none_of_ours(self, cut):
        assert STAMP.project_of(KEY[:-cut].encode()) is None
        assert STAMP.project_of((KEY + "A" * cut).encode()) is None

    def test_of_another_pepper_is_none_of_ours(self):
        assert Stamp("other" * 8).project_of(KEY.encode()) is None

    def test_moved_to_another_project_is_none_of_ours(self):
        other = STAMP.key(str(uuid4()), b"x" * SECRET_BYTES)
        assert STAMP.project_of((other[:28] + KEY[28:]).encode()) is None


class TestHash:
    def test_is_that_of_the_contract_and_depends_on_the_pepper(self):
        assert re.fullmatch("[0-9a-f]{64}", STAMP.hash(KEY.encode()))
        assert Stamp("key").hash(b"The quick brown fox jumps over the lazy dog") == (
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        )

    def test_is_no_tag(self):
        raw_tag = STAMP._tag(b"\0" * 48).hex()
        assert not STAMP.hash(b"\0" * 48).startswith(raw_tag)
