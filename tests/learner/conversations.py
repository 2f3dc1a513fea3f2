"""Conversations to learn from, in the few words that a test needs."""

import json
from collections.abc import Sequence
from typing import Any

from craftlog.contracts.messages import Message, Part
from craftlog.learner.agent import TaskToLearn


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [Part(type="text", text=text)]}


def agent(text: str) -> dict[str, Any]:
    return {"role": "assistant", "parts": [Part(type="text", text=text)]}


def call(tool: str, call_id: str = "c1", **arguments: Any) -> dict[str, Any]:
    meta = {"id": call_id, "name": tool, "arguments": json.dumps(arguments), "type": "function"}
    return {"role": "assistant", "parts": [Part(type="tool-call", meta=meta)]}


def result(value: Any, call_id: str | None = "c1", **meta: Any) -> dict[str, Any]:
    text = value if isinstance(value, str) else json.dumps(value)
    part = Part(type="tool-result", text=text, meta={"tool_call_id": call_id, **meta})
    return {"role": "user", "parts": [part], "meta": {"original_role": "tool"}}


def conversation(*said: dict[str, Any]) -> tuple[Message, ...]:
    return tuple(
        Message(message_id=f"m{position}", position=position, **message)
        for position, message in enumerate(said, start=1)
    )


def task(*said: dict[str, Any], preferences: Sequence[str] = (), **changes: Any) -> TaskToLearn:
    fields = {"session_id": "s1", "task_id": "t1", "description": "", "status": "success", **changes}
    return TaskToLearn(**fields, preferences=tuple(preferences), messages=conversation(*said))


REFUND = (
    user("Hi! I'd like a refund for order A-1042 that I placed in Lisbon on March 3rd. Can you help me with that?"),
    agent("May I have your customer number?"),
    user("Sure, my customer number is cust_77."),
    call("find_customer", "c1", customer_id="cust_77"),
    result({"name": "Dora Quill", "orders": ["A-1042", "B-2001"], "card": "visa_9"}, "c1"),
    call("think", "c2", thought="I should look at the order."),
    result("", "c2"),
    call("get_order", "c3", order_id="A-1042"),
    result({"order_id": "A-1042", "total": 31.5, "items": ["lamp"]}, "c3"),
    agent("That makes 31.50. Shall I go on?"),
    user("Yes, please go ahead."),
    call("refund_order", "c4", order_id="A-1042", card="none", amount=31.5),
    result("Error: unknown card", "c4"),
    call("refund_order", "c4", order_id="A-1042", card="visa_9", amount=31.5),
    result({"refunded": True}, "c4"),
    user("Thanks, Dora"),
)
