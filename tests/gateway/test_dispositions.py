"""What files are called in forms, however their senders say it."""

from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftlog.gateway.dispositions import names
from craftlog.gateway.errors import InvalidError

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="/"))


def extended(value: str) -> bytes:
    return f'form-data; name="picture"; filename*={value}'.encode("latin-1")


class TestNames:
    @given(NAMES, st.sampled_from(["UTF-8''", "utf-8''", "utf-8'en'", "Utf-8'de-CH'"]))
    def test_are_those_that_were_encoded(self, name: str, said: str):
        assert names(extended(said + quote(name, safe=""))) == ("picture", name)

    @given(st.binary())
    def test_have_no_directories_or_are_refused_whatever_is_sent(self, sent: bytes):
        with suppress(InvalidError):
            _, name = names(extended("UTF-8''") + sent)
            assert name is None or "/" not in name

    @pytest.mark.parametrize(
        ("disposition", "name"),
        [
            (extended("UTF-8''na%C3%AFve.txt"), "naïve.txt"),
            (extended("UTF-8''"), ""),
            (extended("ISO-8859-1''na%EFve.txt"), "naïve.txt"),
            (extended("UTF-8''..%2F..%2Fetc%2Fpasswd"), "passwd"),
            (extended("UTF-8''%2F"), ""),
            (extended("UTF-8''a%22%3B%20b"), 'a"; b'),
            (extended("UTF-8''a; size=1"), "a"),
            (b"form-data; name=picture; FileName* = UTF-8''a", "a"),
            (b"form-data; name=picture; filename*=UTF-8''true.txt; filename=other", "true.txt"),
            (b"form-data; name=picture; filename=other; filename*=UTF-8''true.txt", "true.txt"),
            (b"form-data; name=picture; filename=\"a; filename*=UTF-8''b\"", "a; filename*=UTF-8''b"),
            (b"form-data; name=picture; filename=a~b; x=\"filename*=UTF-8''b\"", "a~b"),
            (b"form-data; name=picture; xfilename*=UTF-8''b", None),
            (b"form-data; name=picture", None),
        ],
    )
    def test_are_read_in_either_spelling(self, disposition: bytes, name: str | None):
        assert names(disposition) == ("picture", name)

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ("a.txt", "is not UTF-8'' and a name"),
            ("", "is not UTF-8'' and a name"),
            ("''a", "is not UTF-8'' and a name"),
            ("UTF-8'a", "is not UTF-8'' and a name"),
            ("UTF-7''a", "is not UTF-8'' and a name"),
            ("Shift_JIS''%83e", "is not UTF-8'' and a name"),
            ("UTF-8''a%", "is not UTF-8'' and a name"),
            ("UTF-8''a%4", "is not UTF-8'' and a name"),
            ("UTF-8''a%zz", "is not UTF-8'' and a name"),
            ("UTF-8''a b", "is not UTF-8'' and a name"),
            ("UTF-8''a/b", "is not UTF-8'' and a name"),
            ("UTF-8''naïve", "is not UTF-8'' and a name"),
            ("UTF-8''na%EFve", "is not UTF-8$"),
            ("UTF-8''%ED%A0%80", "is not UTF-8$"),
            ("utf-8''%C0%AE", "is not UTF-8$"),
            ("UTF-8''a%00b", "holds control characters"),
            ("UTF-8''a%0D%0Ab", "holds control characters"),
            ("a; filename=a", "is not UTF-8'' and a name"),
        ],
    )
    def test_are_refused_by_their_field_where_they_are_not_well_formed(self, value: str, words: str):
        with pytest.raises(InvalidError, match=f"picture: has a filename. that {words}"):
            names(extended(value))
