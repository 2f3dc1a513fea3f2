"""Every request runs in a trace: the caller's where it sent one. The answer names it."""

from opentelemetry import trace
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from craftlog.runtime.telemetry import span


class Traced:
    """ASGI middleware: the context of ``traceparent`` in, ``X-Trace-Id`` (32 hex digits) out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a request in a span."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None)
        with span(f"HTTP {scope['method']}", parent) as current:
            trace_id = trace.format_trace_id(current.get_span_context().trace_id)

            async def named(message: Message) -> None:
                if message["type"] == "http.response.start":
                    MutableHeaders(scope=message)["X-Trace-Id"] = trace_id
                await send(message)

            await self._app(scope, receive, named)
