"""The two spellings of Gemini's keys: REST and JavaScript have camelCase, Python's SDK has snake_case. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from craftlog.gateway.errors import InvalidError
from craftlog.gateway.fields import Json, an_object

_CAMEL: Final = {
    "inline_data": "inlineData",
    "file_data": "fileData",
    "function_call": "functionCall",
    "function_response": "functionResponse",
    "executable_code": "executableCode",
    "code_execution_result": "codeExecutionResult",
    "tool_call": "toolCall",
    "tool_response": "toolResponse",
}
_CAMEL_OF_MEDIA: Final = {"mime_type": "mimeType", "file_uri": "fileUri", "display_name": "displayName"}
_SNAKE: Final = {camel: snake for snake, camel in _CAMEL.items()}
_SNAKE_OF_MEDIA: Final = {camel: snake for snake, camel in _CAMEL_OF_MEDIA.items()}
_MEDIA: Final = ("inlineData", "fileData")


class Spelling:
    """Reads parts in either spelling; ``snake`` is whether it met the one with underscores."""

    def __init__(self) -> None:
        self.snake: bool | None = None

    def camel(self, part: Any, at: str) -> Json:
        """Return a part, and what it is made of, in camelCase.

        Raises:
            InvalidError: it is no object, or has one spelling where the message had the other.
        """
        camel = self._renamed(an_object(part, at), _CAMEL, at)
        for kind in _MEDIA:
            if camel.get(kind) is not None:
                media = an_object(camel[kind], f"{at}.{kind}")
                camel[kind] = self._renamed(media, _CAMEL_OF_MEDIA, f"{at}.{kind}")
        return camel

    def _renamed(self, value: Json, names: Mapping[str, str], at: str) -> Json:
        for key in value:
            if key in names or key in names.values():
                if self.snake not in (None, key in names):
                    raise InvalidError(f"{at}.{key}", "must be spelled as the other keys, in camelCase or snake_case")
                self.snake = key in names
        return _renamed(value, names)


def snake(part: Json) -> Json:
    """Return a part that ``Spelling.camel`` made, or one like it, in snake_case."""
    spelled = _renamed(part, _SNAKE)
    for kind in _MEDIA:
        if isinstance(media := spelled.get(_SNAKE[kind]), dict):
            spelled[_SNAKE[kind]] = _renamed(media, _SNAKE_OF_MEDIA)
    response = spelled.get("function_response")
    if isinstance(response, dict) and isinstance(inside := response.get("parts"), list):
        spelled["function_response"] = response | {"parts": [snake(piece) for piece in inside]}
    return spelled


def _renamed(value: Json, names: Mapping[str, str]) -> Json:
    return {names.get(key, key): item for key, item in value.items()}
