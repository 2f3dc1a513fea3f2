"""The envelope that every answer has: code 0 and data, or a code, what was wrong and the name of the refusal."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi.exceptions import RequestValidationError
from opentelemetry import trace
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from craftlog.contracts.envelope import UndecodableError
from craftlog.gateway.decider.refusals import AbsentError, ReusedKeyError, TooManyKeysError
from craftlog.gateway.errors import RequestRefusedError
from craftlog.runtime.errors import StoreError

RETRY_AFTER: Final = "1"
_MEDIA_TYPE: Final = "application/json; charset=utf-8"
_NOTHING: Final = object()
_MISSING: Final = ("missing", "string_too_short")
_KNOWN: Final = (
    RequestRefusedError,
    AbsentError,
    ReusedKeyError,
    TooManyKeysError,
    StoreError,
    UndecodableError,
    RequestValidationError,
    HTTPException,
    ClientDisconnect,
)

logger = structlog.get_logger()


class Streamed(StreamingResponse):
    """Bytes as they come. Whatever they come from is closed at the end, also at that of a client who hangs up.

    Else it would be when the garbage collector comes by, and connections be held until then.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None], headers: Mapping[str, str]) -> None:
        super().__init__(pieces, headers=headers)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        async with aclosing(self._pieces):
            await super().__call__(scope, receive, send)


def answer(data: Any = _NOTHING, *, status: int = 200, msg: str = "", stalled: int | None = None) -> Response:
    """Return a success. ``stalled`` is the version at which a read model that was used stands still."""
    content = {"code": 0, "msg": msg} if data is _NOTHING else {"code": 0, "data": data, "msg": msg}
    return respond(content, status, _stalled(stalled))


def answer_with(items: bytes, rest: Mapping[str, Any], *, stalled: int | None = None) -> Response:
    """Return a success whose data has ``items``, which are JSON already, and the rest."""
    return answer_raw(listed_raw(items, rest), stalled=stalled)


def answer_raw(data: bytes, *, stalled: int | None = None) -> Response:
    """Return a success whose data are JSON already."""
    return Response(b'{"code":0,"data":' + data + b',"msg":""}', 200, _stalled(stalled), media_type=_MEDIA_TYPE)


def listed_raw(items: bytes, rest: Mapping[str, Any]) -> bytes:
    """Return an object as JSON that has ``items``, which are JSON already, and the rest."""
    return b'{"items":' + items + b"," + to_json(rest)[1:]


def refusal(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a refusal: ``msg`` is for people, ``error`` is its name."""
    name = HTTPStatus(status).phrase.lower().replace(" ", "_")
    return respond({"code": status, "msg": reason, "error": name}, status, headers)


def respond(content: Any, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer as it is."""
    return Response(to_json(content), status, headers, media_type=_MEDIA_TYPE)


def answer_to(error: Exception) -> Response:
    """Return the refusal that an exception stands for: 500 where it has no name here."""
    headers: Mapping[str, str] | None = None
    match error:
        case RequestRefusedError():
            status, reason, headers = error.status, str(error), error.headers
        case AbsentError():
            status, reason = HTTPStatus.NOT_FOUND, str(error)
        case ReusedKeyError():
            status, reason = HTTPStatus.CONFLICT, f"Idempotency-Key: {error}"
        case TooManyKeysError():
            status, reason = HTTPStatus.CONFLICT, str(error)
        case StoreError() | UndecodableError():
            public = error.public if isinstance(error, StoreError) else "what the log holds of this cannot be read"
            status, reason, headers = HTTPStatus.SERVICE_UNAVAILABLE, public, {"Retry-After": RETRY_AFTER}
            if public != str(error):
                reason = _traced(public)
                logger.warning("unavailable", reason=str(error), **_trace())
        case RequestValidationError():
            status, reason = HTTPStatus.BAD_REQUEST, _parameter(error)
        case HTTPException():
            status, reason, headers = error.status_code, error.detail, error.headers
        case ClientDisconnect():
            status, reason = HTTPStatus.BAD_REQUEST, "body: the client hung up before its end"
        case _:
            logger.error("failed", exc_info=error, **_trace())
            status, reason = HTTPStatus.INTERNAL_SERVER_ERROR, _traced("something broke here")
    return refusal(status, reason, headers)


def _stalled(version: int | None) -> dict[str, str] | None:
    return None if version is None else {"Craftlog-Stalled": str(version)}


def register(app: Starlette, allowed: Callable[[str], Sequence[str]]) -> None:
    """Answer every error with the envelope.

    Args:
        app: whose errors they are.
        allowed: the methods for a path; the framework tells those of one route only.
    """

    async def on_error(request: Request, error: Exception) -> Response:
        response = answer_to(error)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = ", ".join(allowed(request.url.path))
        return response

    for known in (*_KNOWN, Exception):
        app.add_exception_handler(known, on_error)


def _traced(reason: str) -> str:
    """Point to our log for what is not a client's business."""
    return f"{reason} (our log says more under trace {_trace()['trace_id']})"


def _trace() -> dict[str, str]:
    return {"trace_id": f"{trace.get_current_span().get_span_context().trace_id:032x}"}


def _parameter(error: RequestValidationError) -> str:
    """Name the parameter as the client wrote it: one of the query, or a piece of the path."""
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"][1:]) or "request"
    reason = "is missing" if first["type"] in _MISSING else first["msg"].removeprefix("Value error, ")
    return f"{where}: {reason}"
