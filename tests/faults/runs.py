"""Runs of an agent, made up, the same each time: plans, tools that fail at first, preferences, and huge results."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Message = dict[str, Any]

HOW_MANY = 20
_EVERY_HUGE = 7
_HUGE = 300_000  # characters; more than an event holds, so that it goes to the bucket
# What is wanted, the tool that looks, the tool that does it, and how the user wants it.
_KINDS = (
    ("move my appointment", "find_appointment", "move_appointment", "Always ask me before you move anything."),
    ("cancel my order and pay me back", "get_order", "refund_order", "Never refund to a gift card."),
    ("give a colleague access to the archive", "search_users", "grant_access", "Only grant access to read."),
    ("rename the branch of our website", "list_branches", "rename_branch", "Please keep the old name as a tag."),
    ("restore the backup of last night", "list_backups", "restore_backup", "Check the size before you restore."),
)
_NAMES = ("Ada", "Bo", "Cleo", "Dag", "Eve", "Finn", "Gro")


def write(path: Path) -> list[list[Message]]:
    """Write the runs as a file to import, and return their messages."""
    runs = [list(run(number)) for number in range(HOW_MANY)]
    lines = [json.dumps({"run_id": f"made-up-{at}", "messages": messages}) for at, messages in enumerate(runs)]
    path.write_text("\n".join(lines) + "\n")
    return runs


def run(number: int) -> Iterator[Message]:
    """Yield the messages of one run."""
    want, look, do, wish = _KINDS[number % len(_KINDS)]
    name, case = _NAMES[number % len(_NAMES)], f"C{4096 + 31 * number}"
    yield {"role": "system", "content": "You are the assistant of a small company."}
    yield _user(f"Hi, this is {name}. I need you to {want}, it is case {case}. {wish}")
    yield _agent(f"Sure. My plan is:\n1. Look up case {case}\n2. Carry it out\n3. Write a summary of case {case}")
    yield _user("Sounds good, go ahead.")
    yield from _used(number, 1, look, {"case": case}, "Error: the case is locked, retry with the name")
    huge = "x" * _HUGE if number % _EVERY_HUGE == 0 else ""
    yield from _used(number, 2, look, {"case": case, "name": name}, {"case": case, "open": True, "file": huge})
    yield _agent(f"I found case {case} of {name}. Shall I go on with the next step?")
    yield _user("Yes, please go on.")
    if number % 3 == 0:
        yield from _used(number, 3, do, {"case": case, "force": True}, {"error": "not allowed with force"})
    yield from _used(number, 4, do, {"case": case, "force": False}, {"ok": True, "changed": case})
    yield from _used(number, 5, look, {"case": case, "name": name}, {"case": case, "open": False})
    yield _agent(f"It is carried out: case {case} is closed. Shall I continue with the summary?")
    yield _user("Yes, continue." if number % 4 else "No, that is wrong, you forgot the second case.")
    yield from _used(number, 6, "write_file", {"path": f"/cases/{case}.md"}, {"written": True})
    yield _agent("The summary is written.")
    yield _user("Thank you, that's all.")


def _used(number: int, ordinal: int, tool: str, arguments: Message, result: Any) -> Iterator[Message]:
    call_id = f"call_{number}_{ordinal}"
    call = {"id": call_id, "type": "function", "function": {"name": tool, "arguments": json.dumps(arguments)}}
    yield {"role": "assistant", "content": None, "tool_calls": [call]}
    yield {
        "role": "tool",
        "tool_call_id": call_id,
        "content": result if isinstance(result, str) else json.dumps(result),
    }


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _agent(text: str) -> Message:
    return {"role": "assistant", "content": text}
