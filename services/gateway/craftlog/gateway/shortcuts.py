"""The most frequent requests go past the framework to what their routes do: it takes longer than all of that."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from craftlog.gateway.answers import answer, answer_to
from craftlog.gateway.door import project_of
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.receiving import receive_one
from craftlog.gateway.routes_artifact import downloaded, stored

Shortcut = Callable[[Gateway, str, str, Request], Awaitable[Response]]


async def _append(gateway: Gateway, project: str, session_id: str, request: Request) -> Response:
    return answer(await receive_one(gateway, project, session_id, request), status=201)


async def _download(gateway: Gateway, project: str, disk_id: str, request: Request) -> Response:
    ((_, file_path),) = _query(request.scope)
    return await downloaded(gateway, project, disk_id, file_path)


_SHORTCUTS: Final[tuple[tuple[str, re.Pattern[str], Shortcut], ...]] = (
    ("POST", re.compile(r"/api/v1/session/([^/]+)/messages"), _append),
    ("POST", re.compile(r"/api/v1/disk/([^/]+)/artifact"), stored),
    ("GET", re.compile(r"/api/v1/disk/([^/]+)/artifact/download"), _download),
)


class Shortcuts:
    """ASGI: answers these requests as their routes would.

    Args:
        app: what answers all others, and those of them whose query is not the plain one.
        gateway: what they work with.
    """

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        found = _found(scope) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        shortcut, aggregate_id = found
        try:
            response = await shortcut(self._gateway, project_of(scope), aggregate_id, Request(scope, receive))
        except Exception as error:  # noqa: BLE001 - as in the framework: each has its answer, the last is 500
            response = answer_to(error)
        await response(scope, receive, send)


def _found(scope: Scope) -> tuple[Shortcut, str] | None:
    for method, path, shortcut in _SHORTCUTS:
        if method == scope["method"] and (found := path.fullmatch(scope["path"])):
            # What the framework would refuse in a query is its own to refuse, in its words.
            return (shortcut, found[1]) if shortcut is not _download or _is_plain(_query(scope)) else None
    return None


def _is_plain(query: Sequence[tuple[str, str]]) -> bool:
    return [name for name, value in query if value and "\0" not in value] == ["file_path"] and len(query) == 1


def _query(scope: Scope) -> list[tuple[str, str]]:
    query: bytes = scope["query_string"]
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)
