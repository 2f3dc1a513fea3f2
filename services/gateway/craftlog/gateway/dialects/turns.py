"""Who says which part of a message: no provider lets a user call a tool, and few an agent answer itself. Pure."""

from collections.abc import Callable, Container, Sequence
from itertools import groupby
from typing import Final

from craftlog.contracts.messages import Part, Role
from craftlog.gateway.dialects.canonical import Said
from craftlog.gateway.fields import Json

OF_RESULT: Final = "of_result"


def runs(message: Said, answered_in_place: Container[str] = ()) -> list[tuple[Role, list[Part]]]:
    """Return a message cut where another side speaks: calls are the agent's, results the user's, the rest its role's.

    Args:
        message: at least one run comes of it, and one only of what its provider sent.
        answered_in_place: types of results (``meta["type"]``) that stand in the agent's own message.
    """
    sides: list[tuple[Role, Part]] = []
    for part in message.parts:
        side: Role = message.role
        if part.type == "tool-call":
            side = "assistant"
        elif part.type == "tool-result":
            side = "assistant" if meta_of(part).get("type") in answered_in_place else "user"
        elif is_of_result(part) and sides:
            side = sides[-1][0]
        sides.append((side, part))
    cut = [(side, [part for _, part in run]) for side, run in groupby(sides, key=lambda one: one[0])]
    return cut or [(message.role, [])]


def grouped(parts: Sequence[Part], fits: Callable[[Part], bool]) -> list[list[Part]]:
    """Return each part in a list of its own, a result with what belongs to it.

    Args:
        parts: of one run.
        fits: tells whether a result can hold a part; what does not fit stands by itself, at the end.
    """
    groups: list[list[Part]] = []
    outside: list[list[Part]] = []
    for part in parts:
        if not is_of_result(part) or not groups or groups[-1][0].type != "tool-result":
            groups.append([part])
        elif fits(part):
            groups[-1].append(part)
        else:
            outside.append([part])
    return groups + outside


def is_of_result(part: Part) -> bool:
    """Tell whether a part belongs to the tool result before it."""
    return meta_of(part).get(OF_RESULT) is True


def meta_of(part: Part) -> Json:
    """Return what is known of a part."""
    return part.meta or {}


def kept(meta: Json, provider: str) -> Json:
    """Return what only this provider's format has a place for."""
    own = meta.get(provider)
    return dict(own) if isinstance(own, dict) else {}
