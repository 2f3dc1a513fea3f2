"""Glob patterns over whole paths. Pure.

``*`` and ``**`` stand for any characters, slashes and none included; ``?`` for exactly one, which may be a slash;
everything else for itself, capitals and brackets too. A pattern that begins with none of these begins at the root:
``notes/*`` means ``/notes/*``.
"""

import re
from dataclasses import dataclass
from fnmatch import translate
from typing import Final

from craftlog.gateway.errors import InvalidError
from craftlog.gateway.paths import MOST_CHARACTERS

_WILD: Final = re.compile(r"[*?]")


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern. Everything that matches is in the directory ``below`` or further down."""

    below: str
    expression: re.Pattern[str]
    characters: int

    def steps(self, path: str, filename: str) -> int:
        """Return the most steps that it can take to tell whether a file matches."""
        return self.characters * (len(path) + len(filename))

    def matches(self, path: str, filename: str) -> bool:
        """Tell whether a file's whole path is one that the pattern means."""
        return self.expression.match(path + filename) is not None


def glob(pattern: str, field: str = "query") -> Glob:
    """Return what a pattern means, or raise InvalidError where it is too long."""
    if len(pattern) > 2 * MOST_CHARACTERS:
        raise InvalidError(field, f"is longer than {2 * MOST_CHARACTERS} characters")
    whole = pattern if pattern.startswith(("/", "*")) else f"/{pattern}"
    wild = _WILD.search(whole)
    literal = (whole[: wild.start()] if wild else whole) or "/"
    # The standard translation takes no time that grows faster than pattern times path, whatever a client sends.
    return Glob(literal[: literal.rindex("/") + 1], re.compile(translate(whole.replace("[", "[[]"))), len(whole))
