"""A trace goes on from whoever caused an event to whoever consumes it."""

import json
import subprocess
import sys

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


class TestConfigure:
    def test_has_libraries_speak_as_we_do_and_tell_no_variables(self):
        program = """
import logging, structlog
from craftlog.runtime import telemetry
from craftlog.runtime.settings import Settings
telemetry.configure("search", Settings())
structlog.get_logger().info("ours", at=1)
def fail():
    secret = "of a" + " frame"
    raise ValueError("broken")
try:
    fail()
except ValueError:
    logging.getLogger("nats.aio.client").exception("theirs")
logging.getLogger("nats.aio.client").info("chatter")
"""
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
        ours, theirs = map(json.loads, ended.stderr.splitlines())
        assert (ours["event"], ours["level"], ours["service"], ours["at"]) == ("ours", "info", "search", 1)
        assert (theirs["event"], theirs["level"], theirs["service"]) == ("theirs", "error", "search")
        assert theirs["logger"] == "nats.aio.client"
        assert theirs["exception"][0]["exc_value"] == "broken"
        assert "of a frame" not in ended.stderr
