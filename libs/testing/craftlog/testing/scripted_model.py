"""A server that speaks OpenAI's chat completions and says what a test tells it to, faults included."""

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server does with a request.

    ``content`` is the model's text, or the arguments of its tool call where tools were offered. With another
    ``status`` it is an error, with ``raw`` these bytes and nothing else. ``after`` seconds pass before. ``cut`` ends
    the connection in the middle of it.
    """

    content: str = "{}"
    status: int = 200
    finish_reason: str = "stop"
    after: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived: its body, headers and path with query, and when (``time.monotonic``)."""

    body: Json
    headers: Message
    path: str
    at: float


Script = Callable[[Json], Reply]


@dataclass
class ScriptedModel:
    """The running server. ``script`` may be changed at any time; ``asked`` is what was asked so far."""

    url: str
    port: int
    script: Script
    asked: list[Asked] = field(default_factory=list)

    def reply(self, asked: Asked) -> Reply:
        """Note a request and return what to do with it."""
        self.asked.append(asked)
        return self.script(asked.body)


@contextmanager
def scripted_model(script: Script, port: int = 0) -> Iterator[ScriptedModel]:
    """Serve on a free port of this machine, or on this one, until the block ends; then connections are refused."""
    server = _Server(("127.0.0.1", port), _Handler)
    model = ScriptedModel(f"http://127.0.0.1:{server.server_port}/v1", server.server_port, script)
    server.model = model  # type: ignore[attr-defined] # how a handler of the standard library finds what it serves
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        server.hang_up()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *address: Any) -> None:
        super().__init__(*address)
        self._connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember who is connected: clients keep connections, which would be answered after the end."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget who has gone."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End all connections."""
        for connection in list(self._connections):
            with suppress(OSError):  # it has just ended by itself
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that have gone while they were answered."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer one request as the script says."""
        model: ScriptedModel = self.server.model  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        reply = model.reply(Asked(body, self.headers, self.path, time.monotonic()))
        time.sleep(reply.after)
        sent = reply.raw if reply.raw is not None else json.dumps(_completion(body, reply)).encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent[: len(sent) // 2] if reply.cut else sent)
        self.close_connection = self.close_connection or reply.cut

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""


def _completion(body: Json, reply: Reply) -> Json:
    if reply.status != 200:  # noqa: PLR2004 - HTTP: everything else is an error here
        return {"error": {"message": reply.content, "type": "scripted", "code": None, "param": None}}
    message: Json = {"role": "assistant", "content": reply.content, "refusal": None}
    if "tools" in body:
        called = {"name": body["tools"][0]["function"]["name"], "arguments": reply.content}
        message |= {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": called}]}
    prompt = sum(len(turn["content"]) for turn in body["messages"]) // 4
    completion = len(reply.content) // 4
    return {
        "id": "scripted",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason, "logprobs": None}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
    }
