"""What all messages are made of."""

from typing import Any

from hypothesis import strategies as st

Drawn = st.SearchStrategy[dict[str, Any]]

texts = st.text(st.characters(codec="utf-8"), max_size=12)
names = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
ids = st.from_regex(r"[a-zA-Z0-9_-]{1,8}", fullmatch=True)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts
values = scalars | st.lists(scalars, max_size=2) | st.dictionaries(names, scalars, max_size=2)
extras = st.dictionaries(names.map("x_".__add__), values, max_size=2)
objects = st.dictionaries(texts.map(lambda text: text.replace("\0", "")), values, max_size=3)
base64s = st.sampled_from(["", "aGVsbG8=", "_-8=", "/+8=", "aGk"])
addresses = st.sampled_from(["https://example.org/a.png", "gs://bucket/a", "data:text/plain,hi", "a.png"])


def joined(*parts: Drawn) -> Drawn:
    return st.tuples(*parts).map(lambda dicts: {key: value for one in dicts for key, value in one.items()})


def obj(**fields: st.SearchStrategy[Any]) -> Drawn:
    return st.fixed_dictionaries(fields)


def maybe(**fields: st.SearchStrategy[Any]) -> Drawn:
    return st.fixed_dictionaries({}, optional=fields)


def kind(name: str) -> st.SearchStrategy[str]:
    return st.just(name)
