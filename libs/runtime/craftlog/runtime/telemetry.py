"""Structured logs and trace context: JSON where nobody watches, spans exported only where an endpoint is set."""

import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import structlog
from opentelemetry import context, propagate, trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

from craftlog.runtime.settings import Settings

_TRACER = trace.get_tracer("craftlog")


def configure(service: str, settings: Settings) -> None:
    """Set up logging and tracing for this process. Call it once, from the composition root."""
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    watched = sys.stderr.isatty()
    context_of: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendered: list[Processor] = [
        # Without the frames' variables: they hold what users said, and keys.
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
        if not watched
        else structlog.processors.StackInfoRenderer(),
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if watched
        else structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=[*context_of, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    _adopt_standard_logging([*context_of, structlog.stdlib.add_logger_name], rendered)
    structlog.contextvars.bind_contextvars(service=service)
    if settings.otlp_endpoint:
        # Imported here because the exporter is an extra that most deployments do without. Without a provider spans are
        # not recorded, and cost next to nothing, but still hand on the trace that they stand in.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        provider = TracerProvider(resource=Resource.create({SERVICE_NAME: f"craftlog-{service}"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(settings.otlp_endpoint)))
        trace.set_tracer_provider(provider)


def _adopt_standard_logging(context_of: Sequence[Processor], rendered: Sequence[Processor]) -> None:
    """Write what libraries say (from warnings on) as our own lines are written."""
    handler = logging.StreamHandler(sys.stderr)
    own = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=context_of, processors=[own, *rendered]))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def traceparent() -> str | None:
    """Return the W3C trace context of what runs now, or None outside a trace."""
    current = trace.get_current_span().get_span_context()
    if not current.is_valid:
        return None
    # By hand: the propagator takes longer than the rest of an append together.
    return f"00-{current.trace_id:032x}-{current.span_id:016x}-{current.trace_flags:02x}"


def continued(parent: str | None) -> context.Context:
    """Return the context that a traceparent names (an empty one for None), to start a span in."""
    return propagate.extract({"traceparent": parent} if parent else {}, context=context.Context())


@contextmanager
def span(name: str, parent: str | None = None, causes: Iterable[str | None] = ()) -> Iterator[trace.Span]:
    """Run a block in a span, below ``parent`` where it is given, else below the current one.

    ``causes`` are the traces of what is handled together here; one alone is the parent, several are linked.
    """
    known = {cause for cause in causes if cause}
    if len(known) == 1:
        parent = known.pop()
    links = [trace.Link(trace.get_current_span(continued(cause)).get_span_context()) for cause in known]
    where = continued(parent) if parent else None
    with _TRACER.start_as_current_span(name, context=where, links=links) as current:
        yield current
