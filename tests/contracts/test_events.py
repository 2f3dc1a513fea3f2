"""The stored shapes: what is here is in somebody's log, so it does not change unnoticed."""

import json
from pathlib import Path
from typing import Any

import pytest

from craftlog.contracts import events
from craftlog.contracts.events import EVENTS, REGISTRY, TOMBSTONE_TYPES, Event, wire_name

SNAPSHOT = Path(__file__).with_name("schemas.json")
HOW_TO_CHANGE = (
    "the stored shape of {name} changed. Events already in a log have the old one: add optional fields only, or write "
    "an upcaster, or add a new event. If the change is meant: python -m tests.contracts.test_events"
)


def shape(schema: Any) -> Any:
    """A JSON schema without the words for people, which may change freely."""
    if isinstance(schema, dict):
        prose = {key for key in ("title", "description") if isinstance(schema.get(key), str)}
        return {key: shape(value) for key, value in schema.items() if key not in prose}
    return [shape(item) for item in schema] if isinstance(schema, list) else schema


def shapes() -> dict[str, Any]:
    return {wire_name(kind): {"kind": kind.KIND, "data": shape(kind.model_json_schema())} for kind in EVENTS}


class TestShapes:
    @pytest.mark.parametrize("name", sorted(REGISTRY))
    def test_an_event_has_the_shape_that_is_stored(self, name: str):
        stored = json.loads(SNAPSHOT.read_text())
        assert shapes()[name] == stored.get(name), HOW_TO_CHANGE.format(name=name)

    def test_no_event_is_ever_taken_away(self):
        gone = set(json.loads(SNAPSHOT.read_text())) - set(REGISTRY)
        assert not gone, f"{gone} may be in a log: an event is retired by not writing it, never by deleting its class"


class TestRegistry:
    def test_every_event_class_is_registered(self):
        defined = {
            value
            for value in vars(events).values()
            if isinstance(value, type) and issubclass(value, Event) and value is not Event
        }
        assert defined == set(EVENTS)
        assert len(REGISTRY) == len(EVENTS)

    def test_a_wire_name_is_the_class_and_its_version(self):
        assert wire_name(events.MessageAppended) == "MessageAppended.v1"

    def test_a_tombstone_says_nothing_but_that_it_is_one_and_what_was_used(self):
        # What it says is the only thing left of the aggregate, for ever.
        said = {(name, field) for name, kind in REGISTRY.items() for field in kind.model_fields}
        assert {(name, field) for name, field in said if name in TOMBSTONE_TYPES} == {("BoardDeleted.v1", "usage")}
        assert {field.annotation for field in events.Used.model_fields.values()} == {int, float}
        assert set(REGISTRY) > TOMBSTONE_TYPES


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(shapes(), indent=1, sort_keys=True) + "\n")
