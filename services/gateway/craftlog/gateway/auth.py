"""Who asks: an API key belongs to exactly one project."""

from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from starlette.requests import Request

from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.errors import UnauthorizedError

DEFAULT_PROJECT: Final = "00000000-0000-4000-8000-000000000001"
DEFAULT_TOKEN: Final = "sk-ac-your-root-api-bearer-token"  # noqa: S105 - public, and refused beyond loopback
_SCHEME: Final = "Bearer "


class Keys:
    """The API keys and their projects. Only digests are kept, and all of them are compared, each in constant time."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        """Args: tokens: project id by token.

        Raises:
            ValueError: a token is empty, or a project is no canonical UUID.
        """
        if not all(tokens):
            raise ValueError("an API token must not be empty")
        for project in tokens.values():
            Address(Kind.PROJECT, project, project)
        self._projects = [(_digest(token), project) for token, project in tokens.items()]

    def project_of(self, authorization: str | None) -> str:
        """Return the project of an Authorization header.

        Raises:
            UnauthorizedError: it is missing, malformed or holds no key of ours.
        """
        if authorization is None or not authorization.startswith(_SCHEME):
            raise UnauthorizedError("Authorization: a bearer token is needed")
        digest = _digest(authorization.removeprefix(_SCHEME))
        found = [project for known, project in self._projects if compare_digest(known, digest)]
        if not found:
            raise UnauthorizedError("Authorization: this token is not known")
        return found[0]


def project_of(request: Request) -> str:
    """Return the project that a request belongs to, or raise UnauthorizedError."""
    keys: Keys = request.app.state.keys
    return keys.project_of(request.headers.get("authorization"))


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()
