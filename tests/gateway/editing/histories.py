"""Histories as agents leave them, and what may be asked of them, for property tests."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from craftlog.contracts.messages import Message, Part, Role
from craftlog.gateway.editing import Strategy
from craftlog.gateway.editing.strategies import MiddleOut, RemoveCallParams, RemoveToolResults, Spared, TokenLimit

TOOLS = ("find", "book", "think")
Said = tuple[Role, list[Part], dict[str, Any]]

texts = st.builds(
    lambda word, often: " ".join([word] * often), st.sampled_from(["yes", "flight", "città"]), st.integers(1, 40)
)
images = st.just(Part(type="image", meta={"url": "https://example.com/a.png"}))


def text(said: str) -> Part:
    return Part(type="text", text=said)


def call(call_id: str, name: str, arguments: str = "{}") -> Part:
    return Part(type="tool-call", meta={"id": call_id, "name": name, "arguments": arguments, "type": "function"})


def result(call_id: str, said: str) -> Part:
    return Part(type="tool-result", text=said, meta={"tool_call_id": call_id})


def history(*said: Said) -> list[Message]:
    """Return messages with ids m1, m2, … at 1, 2, …"""
    return [
        Message(message_id=f"m{position}", position=position, role=role, parts=tuple(parts), meta=meta)
        for position, (role, parts, meta) in enumerate(said, start=1)
    ]


@st.composite
def _exchange(draw: st.DrawFn, number: int, *, together: bool) -> list[Said]:
    """Draw one message with calls, and the results in one message or in one each."""
    ids = [f"call_{number}_{index}" for index in range(draw(st.integers(1, 3)))]
    before = [text(draw(texts))] if draw(st.booleans()) else []
    sizes = st.integers(0, 30)
    calls = [call(one, draw(st.sampled_from(TOOLS)), f'{{"q":"{"x y " * draw(sizes)}"}}') for one in ids]
    answers = [result(one, draw(texts)) for one in draw(st.permutations(ids))]
    asked: Said = ("assistant", [*before, *calls], {})
    if not together:
        return [asked, *(("user", [answer], {"original_role": "tool"}) for answer in answers)]
    after = [text(draw(texts))] if draw(st.booleans()) else []
    return [asked, ("user", [*answers, *after], {})]


@st.composite
def _turn(draw: st.DrawFn, number: int, *, together: bool) -> list[Said]:
    """Draw a question, what is done about it, and mostly an answer."""
    question = [text(draw(texts)), *draw(st.lists(images, max_size=1))]
    said: list[Said] = [("user", question, {})] * draw(st.sampled_from([1, 1, 1, 2]))
    for step in range(draw(st.integers(0, 4))):
        if draw(st.integers(0, 5)) == 0:
            said.append(("assistant", [text(draw(texts))], {}))
        else:
            said += draw(_exchange(number * 10 + step, together=together))
    if draw(st.integers(0, 4)):
        said.append(("assistant", [text(draw(texts))], {}))
    return said


@st.composite
def histories(draw: st.DrawFn) -> list[Message]:
    """Draw a history that its agent could go on with: it begins as it likes, and every call is answered."""
    instruction: Said = ("user", [text(draw(texts))], {"original_role": draw(st.sampled_from(["system", "developer"]))})
    greeting: Said = ("assistant", [text(draw(texts))], {})
    said = draw(st.sampled_from([[], [], [instruction], [greeting], [instruction, greeting]]))
    together = draw(st.booleans())
    for number in range(draw(st.integers(0, 5))):
        said = [*said, *draw(_turn(number, together=together))]
        if draw(st.integers(0, 9)) == 0:
            said.append(instruction)
    return history(*said)


@st.composite
def broken(draw: st.DrawFn) -> list[Message]:
    """Draw a history as a page cuts it, or as an agent leaves it that lost some messages: anything goes."""
    whole = draw(histories())
    return [message for message in whole if draw(st.integers(0, 6))]


_spared = st.builds(
    Spared,
    recent=st.integers(0, 5),
    tools=st.frozensets(st.sampled_from(TOOLS), max_size=2),
    up_to=st.none() | st.integers(1, 30),
)
wishes = st.one_of(
    st.builds(RemoveToolResults, _spared, st.sampled_from(["Done", "left out, ask again"])),
    st.builds(RemoveCallParams, _spared),
    st.builds(MiddleOut, st.integers(1, 600)),
    st.builds(TokenLimit, st.integers(1, 600)),
)
several: st.SearchStrategy[Sequence[Strategy]] = st.lists(wishes, min_size=1, max_size=4)


def pins(messages: Sequence[Message]) -> st.SearchStrategy[str | None]:
    """Return what draws none, or one of the messages."""
    return st.sampled_from([None, *(message.message_id for message in messages)])
