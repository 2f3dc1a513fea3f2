"""Call the acontext package that is installed here: a JSON line on stdin names a method, one on stdout has its result.

It runs in an environment that has the SDK and nothing of ours. A line is ``{how, key, name, args, kwargs}``: ``how`` is
sync or async, ``key`` the API key, ``name`` such as ``sessions.create`` or ``DISK_TOOLS.read_file``. The answer is
``{value}`` or ``{error}``; before the first one comes a line that says that it is ready.
"""

import asyncio
import base64
import inspect
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from acontext import AcontextAsyncClient, AcontextClient, FileUpload, agent
from acontext.agent.disk import DISK_TOOLS
from acontext.errors import APIError
from acontext.messages import build_acontext_message
from pydantic import BaseModel

POOLS = {"DISK_TOOLS": DISK_TOOLS, "SKILL_TOOLS": getattr(agent, "SKILL_TOOLS", None)}
CLIENTS = {"sync": AcontextClient, "async": AcontextAsyncClient}


class Driver:
    """A client of each kind, made when it is first asked for, and one event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.clients: dict[str, Any] = {}

    def answer(self, how: str, key: str, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        args, kwargs = decoded(args), decoded(kwargs)
        if how not in self.clients:
            self.clients[how] = CLIENTS[how](api_key=key)
        client = self.clients[how]
        owner, _, method = name.rpartition(".")
        if name == "methods":
            return sorted(methods_of(client))
        if name in {"close", "aclose"}:
            return self.closed(how, name)
        if owner in POOLS:
            return self.used(how, client, POOLS[owner], method, *args)
        called = client
        for step in name.split("."):
            called = getattr(called, step)
        return self.awaited(called(*args, **kwargs))

    def used(self, how: str, client: Any, pool: Any, tool: str, context: Any, arguments: dict[str, Any]) -> Any:
        """Use a tool of a pool, as an agent's loop does; older pools have no async side."""
        if how == "sync":
            return pool.execute_tool(pool.format_context(client, context), tool, arguments)
        made = self.awaited(pool.async_format_context(client, context))
        return self.awaited(pool.async_execute_tool(made, tool, arguments))

    def closed(self, how: str, name: str) -> str:
        """Close a client, and return what it says to a call after that; the next call gets a new one."""
        client = self.clients.pop(how)
        self.awaited(getattr(client, name)())
        try:
            self.awaited(client.ping())
        except RuntimeError as error:
            return str(error)
        return "it still works"

    def awaited(self, result: Any) -> Any:
        return self.loop.run_until_complete(result) if inspect.isawaitable(result) else result


def methods_of(client: Any) -> Iterator[str]:
    """Yield the public methods of a client and of all that hangs on it, and the tools for agents."""
    seen: set[int] = set()

    def below(owner: Any, prefix: str) -> Iterator[str]:
        seen.add(id(owner))
        yield from (f"{prefix}{name}" for name, _ in inspect.getmembers(type(owner), callable) if name[0] != "_")
        for name, inner in vars(owner).items():
            if name[0] != "_" and type(inner).__module__.startswith("acontext.resources") and id(inner) not in seen:
                yield from below(inner, f"{prefix}{name}.")

    yield from below(client, "")
    for name, pool in POOLS.items():
        if pool and (hasattr(pool, "async_execute_tool") or isinstance(client, AcontextClient)):
            yield from (f"{name}.{tool}" for tool in pool.tools)


def decoded(value: Any) -> Any:
    """Return an argument made to objects: ``$upload`` is [name, base64, content type?]."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$upload" in value:
        name, content, *mime = value["$upload"]
        body = base64.b64decode(content)
        return FileUpload(filename=name, content=body, content_type=mime[0]) if mime else (name, body)
    if "$message" in value:
        return build_acontext_message(**value["$message"])
    return {key: decoded(item) for key, item in value.items()}


def encoded(value: Any) -> Any:
    """Return a parsed result as JSON."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return [encoded(item) for item in value] if isinstance(value, list) else value


def main() -> None:
    driver = Driver()
    say("ready")
    for line in sys.stdin:
        try:
            said = {"value": encoded(driver.answer(**json.loads(line)))}
        except APIError as error:
            said = {
                "error": {
                    "type": "APIError",
                    "status": error.status_code,
                    "code": error.code,
                    "message": error.message,
                    "name": error.error,
                }
            }
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            said = {"error": {"type": type(error).__name__, "message": str(error)}}
        say(said)


def say(said: Any) -> None:
    os.write(1, json.dumps(said).encode() + b"\n")


main()
