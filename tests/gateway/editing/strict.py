"""What providers demand of a conversation before they answer it, as strictly as they do."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import Any

Json = dict[str, Any]


def openai(items: Sequence[Json]) -> list[str]:
    """Chat completions: every call is answered, once, before anything else is said, and nothing else is answered."""
    return list(_openai(items))


def _openai(items: Sequence[Json]) -> Iterator[str]:
    if not items:
        yield "there is no message"
    waiting: list[str] = []
    for at, item in enumerate(items):
        if item["role"] == "tool":
            if item["tool_call_id"] not in waiting:
                yield f"{at}: answers {item['tool_call_id']!r}, which nobody waits for"
            waiting = [one for one in waiting if one != item["tool_call_id"]]
            if not isinstance(item.get("content"), str | list):
                yield f"{at}: an answer without content"
            continue
        if waiting:
            yield f"{at}: {waiting} are not answered before it"
        waiting = [call["id"] for call in item.get("tool_calls", ())]
        yield from (f"{at}: {fault}" for fault in _openai_said(item))
    if waiting:
        yield f"{waiting} are never answered"


def _openai_said(item: Json) -> Iterator[str]:
    if item["role"] not in ("system", "developer", "user", "assistant"):
        yield f"unknown role {item['role']!r}"
    calls = item.get("tool_calls")
    if calls is not None and (not calls or len({call["id"] for call in calls}) < len(calls)):
        yield "no calls, or two of the same id"
    for call in calls or ():
        if not call["function"]["name"] or not isinstance(json.loads(call["function"]["arguments"]), dict):
            yield "a call without a name, or with arguments that are no object"
    if not isinstance(item.get("content"), str | list) and not (item["role"] == "assistant" and calls):
        yield "nothing is said"
    if item.get("content") == []:
        yield "an empty list of content"


def anthropic(items: Sequence[Json]) -> list[str]:
    """Messages: begins with the user; calls are all answered at the beginning of the user's next turn, nothing else is.

    Messages of the same role in a row are one turn, as the API takes them.
    """
    turns = [
        (role, [block for item in run for block in _blocks(item["content"])])
        for role, run in groupby(items, key=lambda item: item["role"])
    ]
    return list(_anthropic(turns))


def _blocks(content: Any) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _anthropic(turns: Sequence[tuple[str, list[Json]]]) -> Iterator[str]:
    if not turns or turns[0][0] != "user":
        yield "does not begin with the user"
    called: list[str] = []
    seen: Counter[str] = Counter()
    for at, (role, blocks) in enumerate(turns):
        if not blocks or any(block["type"] == "text" and not block["text"] for block in blocks):
            yield f"{at}: nothing, or an empty text"
        answers = [block for block in blocks if block["type"] == "tool_result"]
        if sorted(block["tool_use_id"] for block in answers) != sorted(called):
            yield f"{at}: answers {[block['tool_use_id'] for block in answers]} to calls {called}"
        if blocks[: len(answers)] != answers:
            yield f"{at}: something stands before an answer"
        uses = [block for block in blocks if block["type"] == "tool_use"]
        if uses and role != "assistant":
            yield f"{at}: the user calls a tool"
        if any(not isinstance(block["input"], dict) or not block["name"] for block in uses):
            yield f"{at}: a call without a name, or with an input that is no object"
        called = [block["id"] for block in uses]
        seen.update(called)
    if called:
        yield f"{called} are never answered"
    if any(often > 1 for often in seen.values()):
        yield "two calls have the same id"


def gemini(items: Sequence[Json]) -> list[str]:
    """Contents: begins with the user; calls follow the user or answers, and the user's next turn answers exactly them.

    Contents of the user in a row are one turn.
    """
    return list(_gemini(items))


def _gemini(items: Sequence[Json]) -> Iterator[str]:
    if not items or items[0]["role"] != "user":
        yield "does not begin with the user"
    called: list[str] = []
    for role, run in groupby(items, key=lambda item: item["role"]):
        contents = [item["parts"] for item in run]
        if not all(contents):
            yield "a content without parts"
        if role == "user":
            answered = [part["functionResponse"]["name"] for part in chain(*contents) if "functionResponse" in part]
            if Counter(answered) != Counter(called):
                yield f"answers {answered} to calls {called}"
        elif called_late := [part for part in chain(*contents[1:]) if "functionCall" in part]:
            yield f"calls {called_late} do not follow the user or answers"
        calls = [part["functionCall"] for part in chain(*contents) if "functionCall" in part]
        if calls and role != "model":
            yield "the user calls a function"
        if any(not call["name"] or not isinstance(call.get("args", {}), dict) for call in calls):
            yield "a call without a name, or with args that are no object"
        called = [call["name"] for call in calls]
    if called:
        yield f"{called} are never answered"


RULES: Mapping[str, Callable[[Sequence[Json]], list[str]]] = {
    "openai": openai,
    "anthropic": anthropic,
    "gemini": gemini,
}
