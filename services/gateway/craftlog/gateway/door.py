"""The door itself: nothing under the API's prefix is reached without a key, and no more often than the key may."""

import time
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from craftlog.gateway.answers import answer_to
from craftlog.gateway.auth import Grant, Keys
from craftlog.gateway.errors import TooLargeError, TooManyRequestsError, UnauthorizedError

PREFIX: Final = "/api/v1"
_PROJECT: Final = "craftlog.project"


class Door:
    """ASGI: checks the key of a request before anything of its body is read, and counts the body as it is.

    Args:
        app: what answers those who are let in, and everything outside of the prefix.
        keys: who is let in.
    """

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or not scope["path"].startswith(f"{PREFIX}/"):
            await self._app(scope, receive, send)
            return
        try:
            grant = await self._keys.grant(_header(scope, b"authorization"))
            _admit(grant, scope)
        except Exception as error:  # noqa: BLE001 - as in the framework: each has its answer, the last is 500
            await answer_to(error)(scope, receive, send)
            return
        scope[_PROJECT] = grant.project
        await self._app(scope, _counted(receive, grant.body_bytes) if grant.body_bytes else receive, send)


class Admin:
    """The one token that projects and keys are managed with."""

    def __init__(self, token: SecretStr) -> None:
        self._digest = _digest(token.get_secret_value().encode())

    def holds(self, scope: Scope) -> bool:
        """Tell whether a request carries it."""
        sent = _header(scope, b"authorization") or b""
        return sent.startswith(b"Bearer ") and compare_digest(_digest(sent[len(b"Bearer ") :]), self._digest)


class _Holder(SecurityBase):
    """Gives a route the project that the door found, and says in the OpenAPI document that a key is needed."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="An API key, `sk-ac-…`. It belongs to one project.")
        self.scheme_name = "key"

    async def __call__(self, request: Request) -> str:
        return project_of(request.scope)


class _Administrator(SecurityBase):
    """Lets nobody else in, and says so in the OpenAPI document."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="The admin token of this deployment.")
        self.scheme_name = "admin"

    async def __call__(self, request: Request) -> None:
        if not is_admin(request):
            raise UnauthorizedError


HOLDER: Final = _Holder()
ADMINISTRATOR: Final = _Administrator()


def project_of(scope: Scope) -> str:
    """Return the project of whoever the door let in, or raise UnauthorizedError."""
    project: str | None = scope.get(_PROJECT)
    if project is None:
        raise UnauthorizedError
    return project


def is_admin(request: Request) -> bool:
    """Tell whether a request carries the admin token, where there is one."""
    admin: Admin | None = request.app.state.admin
    return admin is not None and admin.holds(request.scope)


def _admit(grant: Grant, scope: Scope) -> None:
    if grant.bucket and (wait := grant.bucket.take(time.monotonic())):
        raise TooManyRequestsError(wait)
    declared = _header(scope, b"content-length") or b""
    if grant.body_bytes and declared.isdigit() and int(declared) > grant.body_bytes:
        raise TooLargeError(f"body: {int(declared)} bytes are more than the {grant.body_bytes} that this key may send")


def _counted(receive: Receive, most: int) -> Receive:
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise TooLargeError(f"body: more than the {most} bytes that this key may send")
        return message

    return counted


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return next((value for name, value in headers if name == wanted), None)


def _digest(token: bytes) -> bytes:
    return sha256(token).digest()
