"""Messages: in and out in the client's dialect, in order, each at its position for ever."""

import re
from collections.abc import Sequence
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from craftlog.contracts.messages import Part
from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import wire
from craftlog.gateway.answers import answer, answer_to
from craftlog.gateway.appending import append, keyed
from craftlog.gateway.auth import Keys
from craftlog.gateway.bodies import idempotency_key, raw_body
from craftlog.gateway.cursors import after_number, encode
from craftlog.gateway.dialects import DIALECTS
from craftlog.gateway.dialects.canonical import Canonical
from craftlog.gateway.errors import InvalidError, MissingError
from craftlog.gateway.fields import Json, an_id, an_object
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.limits import parse
from craftlog.gateway.parameters import Id, Off, Project, Text, Wired, or_default
from craftlog.runtime.objects import ObjectMissingError

router = APIRouter(prefix="/session/{session_id}/messages", tags=["session"])

Format = Annotated[Literal["openai", "acontext"], or_default("openai"), Query()]
Count = Annotated[int, or_default(0), Query(ge=0, le=200)]
_PATH: Final = re.compile(r"/api/v1/session/([^/]+)/messages")
_NO_STRATEGIES: Final = (None, "null", "[]")


class Appends:
    """ASGI: most requests append a message, and go past the framework. ``{format?, blob}`` in, the message out."""

    def __init__(self, app: ASGIApp, keys: Keys, gateway: Gateway) -> None:
        """Args: app: what answers all other requests."""
        self._app = app
        self._keys = keys
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        found = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        try:
            response = await self._append(Request(scope, receive), found[1])
        except Exception as error:  # noqa: BLE001 - as in the framework: each has its answer, the last is 500
            response = answer_to(error)
        await response(scope, receive, send)

    async def _append(self, request: Request, session_id: str) -> Response:
        project = self._keys.project_of(request.headers.get("authorization"))
        body = await raw_body(request)
        sent = an_object(parse(body), "body")
        dialect = sent.get("format") or "openai"
        if not isinstance(dialect, str) or dialect not in DIALECTS:
            raise InvalidError("format", f"must be one of {', '.join(DIALECTS)}")
        message = DIALECTS[dialect].to_canonical(sent.get("blob"), {})
        session = Address(Kind.SESSION, project, an_id(session_id, "session_id"))
        key = keyed(idempotency_key(request), "POST messages", sent)
        (stored,) = await append(self._gateway, session, [message], size=len(body), key=key)
        return answer(wire.message(stored, message.parts), status=201)


@router.get("")
async def get(
    *,
    gateway: Wired,
    project: Project,
    session_id: Id,
    limit: Count = 0,
    cursor: Text = None,
    time_desc: Off = False,
    format: Format = "openai",  # noqa: A002 - the contract's name
    edit_strategies: Text = None,
) -> Response:
    """Return messages from old to new: all, or with a ``limit`` the oldest or (``time_desc``) newest after a cursor."""
    if edit_strategies not in _NO_STRATEGIES:
        raise InvalidError("edit_strategies", "is not supported yet")
    seen = await gateway.heads.seen(Address(Kind.SESSION, project, session_id))
    first, last, more = _range(seen.head["messages"], limit, after_number(cursor), newest=time_desc)
    stored, erased = await gateway.reads.messages(session_id, first, last), f"session_id: {session_id} was just deleted"
    if len(stored) < last - first + 1:
        # The head covers only what is there: what is missing went since it was read.
        raise MissingError(erased)
    try:
        parts = await gateway.reads.parts(stored)
    except ObjectMissingError as gone:
        raise MissingError(erased) from gone
    items = await _items(gateway, stored, parts, format)
    data = {
        "items": [item for own in items for item in own],
        # One an item: where a message comes to several (tool results), it has its id several times.
        "ids": [message["message_id"] for message, own in zip(stored, items, strict=True) for _ in own],
        "this_time_tokens": sum(map(wire.tokens, parts)),
        **({"public_urls": {}} if format == "acontext" else {}),
        **more,
    }
    return answer(data, stalled=seen.stalled)


async def _items(
    gateway: Gateway, stored: Sequence[Document], parts: Sequence[tuple[Part, ...]], dialect: str
) -> list[list[Json]]:
    """Return the items that each message comes to."""
    both = list(zip(stored, parts, strict=True))
    if dialect == "openai" or not both:
        write = DIALECTS["openai"].from_canonical
        return [write(Canonical(message["role"], own, message["meta"]), {}) for message, own in both]
    board = await gateway.heads.head(Address(Kind.BOARD, stored[0]["project"], stored[0]["session_id"])) or {}
    task_of = {position: task["id"] for task in board.get("tasks", ()) for position in task["positions"]}
    through = board.get("through_position", 0)
    return [
        [
            wire.message(
                message,
                own,
                task_id=task_of.get(message["position"]),
                status="success" if message["position"] <= through else "pending",
            )
        ]
        for message, own in both
    ]


def _range(messages: int, limit: int, after: int | None, *, newest: bool) -> tuple[int, int, Json]:
    """Return the first and last position of a page, and ``{has_more, next_cursor?}``.

    Without a limit it is all of them. With ``newest`` pages go from the end to the beginning; within a page messages
    stand from old to new all the same.
    """
    if limit == 0:
        return 1, messages, {"has_more": False}
    if newest:
        last = messages if after is None else min(after - 1, messages)
        first = max(last - limit + 1, 1)
        more, edge = first > 1, first
    else:
        first = 1 if after is None else max(after + 1, 1)
        last = min(first + limit - 1, messages)
        more, edge = last < messages, last
    return first, last, {"has_more": True, "next_cursor": encode(edge)} if more else {"has_more": False}
