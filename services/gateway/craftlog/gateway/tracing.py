"""Every request runs in a trace: the caller's where it sent one. The answer names it."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import getrandbits

from opentelemetry import context, trace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from craftlog.runtime.telemetry import continued, span


class Traced:
    """ASGI middleware: the context of ``traceparent`` in, ``X-Trace-Id`` (32 hex digits) out.

    Args:
        app: what runs in the trace.
        exported: whether anybody takes the spans. Where nobody does only the ids are made, at a tenth of the price.
    """

    def __init__(self, app: ASGIApp, *, exported: bool) -> None:
        self._app = app
        self._span = span if exported else _unrecorded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a request in a span."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None)
        with self._span(f"HTTP {scope['method']}", parent) as current:
            header = (b"x-trace-id", b"%032x" % current.get_span_context().trace_id)

            async def named(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], header]
                await send(message)

            await self._app(scope, receive, named)


@contextmanager
def _unrecorded(_name: str, parent: str | None) -> Iterator[trace.Span]:
    cause = trace.get_current_span(continued(parent)).get_span_context() if parent else trace.INVALID_SPAN_CONTEXT
    made = trace.SpanContext(
        trace_id=cause.trace_id or getrandbits(128),
        span_id=getrandbits(64),
        is_remote=False,
        trace_flags=cause.trace_flags,
        trace_state=cause.trace_state,
    )
    current = trace.NonRecordingSpan(made)
    token = context.attach(trace.set_span_in_context(current))
    try:
        yield current
    finally:
        context.detach(token)
