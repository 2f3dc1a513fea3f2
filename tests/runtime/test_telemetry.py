"""A trace goes on from whoever caused an event to whoever consumes it."""

from craftlog.runtime.telemetry import span, traceparent

CAUSE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class TestSpan:
    def test_hands_on_the_trace_of_its_cause(self):
        with span("consume", causes=[CAUSE, None, CAUSE]):
            assert CAUSE.split("-")[1] in (traceparent() or "")

    def test_of_several_causes_stands_in_none_of_their_traces(self):
        with span("consume", causes=[CAUSE, OTHER]):
            assert "af7651916cd43dd8448eb211c80319c" not in (traceparent() or "")

    def test_there_is_no_trace_outside_of_one(self):
        assert traceparent() is None
