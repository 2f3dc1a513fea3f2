"""What a client may wish of a context: the strategies and their parameters, read from ``?edit_strategies=``. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from craftlog.gateway.errors import InvalidError
from craftlog.gateway.fields import Json, a_text_or_none, an_object, an_object_or_none
from craftlog.gateway.limits import parse

_FIELD: Final = "edit_strategies"
# Each walks through the whole history: some are combined, dozens are a mistake.
_MOST: Final = 32


@dataclass(frozen=True, slots=True)
class Spared:
    """Which calls or results stay as they are.

    Those of ``tools``; of the others the last ``recent``; and where ``up_to`` is given, those of up to so many tokens.
    """

    recent: int = 3
    tools: frozenset[str] = frozenset()
    up_to: int | None = None


@dataclass(frozen=True, slots=True)
class RemoveToolResults:
    """Put a placeholder in the place of what tools answered."""

    spared: Spared = Spared()
    placeholder: str = "Done"


@dataclass(frozen=True, slots=True)
class RemoveCallParams:
    """Leave out what tools were called with."""

    spared: Spared = Spared()


@dataclass(frozen=True, slots=True)
class MiddleOut:
    """Drop messages from the middle on outwards until there are at most so many tokens."""

    tokens: int


@dataclass(frozen=True, slots=True)
class TokenLimit:
    """Drop messages from the oldest on until there are at most so many tokens."""

    tokens: int


Strategy = RemoveToolResults | RemoveCallParams | MiddleOut | TokenLimit


def strategies(text: str | None) -> tuple[Strategy, ...]:
    """Return the strategies of a JSON array of ``{type, params?}``; none for nothing, ``null`` and ``[]``.

    Raises:
        InvalidError: it is none, or asks for something that we do not know; names the path.
    """
    wanted = parse(text.encode(), _FIELD) if text else None
    if wanted is None:
        return ()
    if not isinstance(wanted, list) or len(wanted) > _MOST:
        raise InvalidError(_FIELD, f"must be a list of at most {_MOST} objects with type and params")
    return tuple(_strategy(one, f"{_FIELD}[{index}]") for index, one in enumerate(wanted))


def _strategy(value: Any, at: str) -> Strategy:
    wish = an_object(value, at)
    kind = wish.get("type")
    if not isinstance(kind, str) or kind not in _READ:
        raise InvalidError(f"{at}.type", f"must be one of {', '.join(_READ)}")
    return _READ[kind](an_object_or_none(wish.get("params"), f"{at}.params") or {}, f"{at}.params")


def _remove_tool_results(params: Json, at: str) -> Strategy:
    placeholder = a_text_or_none(params.get("tool_result_placeholder"), f"{at}.tool_result_placeholder")
    return RemoveToolResults(_spared(params, "keep_recent_n_tool_results", at), (placeholder or "").strip() or "Done")


def _remove_call_params(params: Json, at: str) -> Strategy:
    return RemoveCallParams(_spared(params, "keep_recent_n_tool_calls", at))


def _spared(params: Json, recent: str, at: str) -> Spared:
    tools = params.get("keep_tools")
    if not isinstance(tools := [] if tools is None else tools, list) or any(
        not isinstance(name, str) for name in tools
    ):
        raise InvalidError(f"{at}.keep_tools", "must be a list of strings")
    return Spared(
        recent=_whole(params.get(recent, 3), f"{at}.{recent}", least=0, default=3),
        tools=frozenset(tools),
        up_to=None if params.get("gt_token") is None else _whole(params["gt_token"], f"{at}.gt_token", least=1),
    )


def _whole(value: Any, at: str, *, least: int, default: int | None = None) -> int:
    """Return a number without its fraction."""
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, int | float) or int(value) < least:
        raise InvalidError(at, f"must be a number from {least} on")
    return int(value)


_READ: Final[Mapping[str, Callable[[Json, str], Strategy]]] = {
    "remove_tool_result": _remove_tool_results,
    "remove_tool_call_params": _remove_call_params,
    "middle_out": lambda params, at: MiddleOut(_whole(params.get("token_reduce_to"), f"{at}.token_reduce_to", least=1)),
    "token_limit": lambda params, at: TokenLimit(_whole(params.get("limit_tokens"), f"{at}.limit_tokens", least=1)),
}
