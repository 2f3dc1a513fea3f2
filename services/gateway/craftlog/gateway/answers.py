"""The envelope that every answer has: code 0 and data, or a code, what was wrong and the name of the refusal."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from craftlog.gateway.decider.refusals import AbsentError, ReusedKeyError
from craftlog.gateway.errors import RequestRefusedError
from craftlog.runtime.errors import RefusedError, UnavailableError

RETRY_AFTER: Final = "1"
_MEDIA_TYPE: Final = "application/json; charset=utf-8"
_NOTHING: Final = object()

logger = structlog.get_logger()


def answer(data: Any = _NOTHING, *, status: int = 200, msg: str = "", stalled: int | None = None) -> Response:
    """Return a success. ``stalled`` is the version at which a read model that was used stands still."""
    content = {"code": 0, "msg": msg} if data is _NOTHING else {"code": 0, "data": data, "msg": msg}
    headers = {} if stalled is None else {"Craftlog-Stalled": str(stalled)}
    return respond(content, status, headers)


def refusal(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a refusal: ``msg`` is for people, ``error`` is its name."""
    name = HTTPStatus(status).phrase.lower().replace(" ", "_")
    return respond({"code": status, "msg": reason, "error": name}, status, headers or {})


def unavailable(reason: str) -> Response:
    """Return a 503 that says when to ask again."""
    return refusal(HTTPStatus.SERVICE_UNAVAILABLE, reason, {"Retry-After": RETRY_AFTER})


def respond(content: Any, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer as it is."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status, headers=dict(headers or {}), media_type=_MEDIA_TYPE)


async def _on_refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestRefusedError)  # noqa: S101 - registered for nothing else
    return refusal(error.status, str(error))


async def _on_absent(_request: Request, error: Exception) -> Response:
    return refusal(HTTPStatus.NOT_FOUND, str(error))


async def _on_reused_key(_request: Request, error: Exception) -> Response:
    return refusal(HTTPStatus.CONFLICT, f"Idempotency-Key: {error}")


async def _on_unavailable(_request: Request, error: Exception) -> Response:
    logger.warning("unavailable", reason=str(error))
    return unavailable(str(error))


async def _on_parameter(_request: Request, error: Exception) -> Response:
    """Name the parameter as the client wrote it: a query parameter, or a piece of the path."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"][1:]) or "request"
    return refusal(HTTPStatus.BAD_REQUEST, f"{where}: {first['msg']}")


async def _on_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    return refusal(error.status_code, error.detail, error.headers)


async def _on_failure(_request: Request, _error: Exception) -> Response:
    return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "something broke here; our log says what")


def register(app: Starlette) -> None:
    """Answer every error with the envelope."""
    app.add_exception_handler(RequestRefusedError, _on_refused)
    app.add_exception_handler(AbsentError, _on_absent)
    app.add_exception_handler(ReusedKeyError, _on_reused_key)
    app.add_exception_handler(UnavailableError, _on_unavailable)
    app.add_exception_handler(RefusedError, _on_unavailable)
    app.add_exception_handler(RequestValidationError, _on_parameter)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_failure)
