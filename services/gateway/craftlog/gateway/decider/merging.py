"""What it means to change configs by name, and when that changes nothing. Pure."""

from collections.abc import Mapping
from typing import Any


def merged(configs: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return configs with changes: what is null there is gone, what is not named there stays."""
    return {name: value for name, value in {**configs, **changes}.items() if changes.get(name, ...) is not None}


def are_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether configs are the same, in the order of their names as well."""
    # Not ==, to which 1, 1.0 and true are the same.
    return repr(dict(one)) == repr(dict(other))
