"""Who says which part of a message: no provider lets a user call a tool, and few an agent answer itself. Pure."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from craftlog.contracts.messages import Part, PartType, Role
from craftlog.gateway.dialects.canonical import Said
from craftlog.gateway.fields import Json

OF_RESULT: Final = "of_result"
_MEDIA: Final[Mapping[str, PartType]] = {"image": "image", "audio": "audio", "video": "video"}
_WITH_BYTES: Final = (*_MEDIA.values(), "file")


def runs(message: Said, answered_in_place: Container[str] = ()) -> list[tuple[Role, list[Part]]]:
    """Return a message cut where another side speaks: calls are the agent's, results the user's, the rest its role's.

    Args:
        message: at least one run comes of it, and one only of what its provider sent.
        answered_in_place: types of results (``meta["type"]``) that stand in the agent's own message.
    """
    sides: list[tuple[Role, Part]] = []
    for part in _taken_apart(message.parts):
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


def medium(mime: str) -> PartType:
    """Return what kind of part bytes of a media type are."""
    return _MEDIA.get(mime.partition("/")[0].lower(), "file")


def meta_of(part: Part) -> Json:
    """Return what is known of a part."""
    return part.meta or {}


def kept(meta: Json, provider: str) -> Json:
    """Return what only this provider's format has a place for."""
    own = meta.get(provider)
    return dict(own) if isinstance(own, dict) else {}


def _taken_apart(parts: Iterable[Part]) -> Iterator[Part]:
    """Yield parts of one thing each: the reference's own format has words and a file on any, no provider's has."""
    for part in parts:
        about: Json | None = {OF_RESULT: True} if part.type == "tool-result" or is_of_result(part) else None
        said = part.text if part.type == "tool-call" or _has_bytes(part) else None
        file = part.asset if part.type not in _WITH_BYTES else None
        taken = ({"text": None} if said else {}) | ({"asset": None, "filename": None} if file else {})
        yield part.model_copy(update=taken) if taken else part
        if said:
            yield Part(type="text", text=said, meta=about)
        if file:
            yield Part(type=medium(file.mime), asset=file, filename=part.filename, meta=about)


def _has_bytes(part: Part) -> bool:
    """Tell whether a part is a file beside its text; a search result is its text, and says where that is from."""
    meta = meta_of(part)
    told = meta.get("type") != "search_result" and any(
        meta.get(name) for name in ("url", "data", "file_data", "file_id")
    )
    return part.type in _WITH_BYTES and (part.asset is not None or told)
