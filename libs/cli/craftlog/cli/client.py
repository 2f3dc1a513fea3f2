"""The HTTP API as a patient client: what cannot be answered now is asked again, what is refused is said in words."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, Self

import httpx

PATIENCE: Final = 120.0  # seconds without a single success, after which it is given up
FIRST_DELAY: Final = 0.1  # seconds before the second attempt; doubled with each further one ...
LONGEST_DELAY: Final = 5.0  # ... up to this
_LATER: Final = (429, 502, 503, 504)
_TIMEOUT: Final = 40.0  # longer than a flush waits


class ApiRefusedError(Exception):
    """The API refuses this request, now and later; the text says why."""


class GaveUpError(Exception):
    """Nothing has succeeded for too long; the text says what was in the way last."""


class Api:
    """One server and one token. Use as an async context manager; calls may run side by side.

    Args:
        on_trouble: told the reason whenever a call has to wait, and None once one succeeds again.
    """

    def __init__(self, url: str, token: str, on_trouble: Callable[[str | None], None] = lambda _: None) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(base_url=f"{url.rstrip('/')}/api/v1", headers=headers, timeout=_TIMEOUT)
        self._on_trouble = on_trouble
        self._last_success = time.monotonic()

    async def __aenter__(self) -> Self:
        self._last_success = time.monotonic()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def get(self, path: str, **params: str | int) -> Any:
        """Return the ``data`` of the answer; raises as ``post`` does."""
        return await self._call("GET", path, params=params)

    async def post(self, path: str, body: object = None, key: str | None = None) -> Any:
        """Return the ``data`` of the answer. With an Idempotency-Key ``key`` a repetition changes nothing.

        Raises:
            ApiRefusedError: the API answered that this will not do.
            GaveUpError: no call has succeeded for PATIENCE seconds.
        """
        return await self._call("POST", path, json=body, headers={} if key is None else {"Idempotency-Key": key})

    async def _call(self, method: str, path: str, **rest: Any) -> Any:
        delay = FIRST_DELAY
        while True:
            try:
                answer = await self._http.request(method, path, **rest)
                trouble = _said(answer) if answer.status_code in _LATER else None
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__} {error}".strip()
            if trouble is None:
                self._last_success = time.monotonic()
                self._on_trouble(None)
                return data_of(method, path, answer)
            self._on_trouble(trouble)
            if time.monotonic() - self._last_success > PATIENCE:
                raise GaveUpError(f"nothing has succeeded for {PATIENCE:.0f} s; {method} {path}: {trouble}")
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)


def data_of(method: str, path: str, answer: httpx.Response) -> Any:
    """Return the ``data`` of an answer, or raise ApiRefusedError with the reason in it."""
    if answer.is_success:
        return answer.json().get("data")
    raise ApiRefusedError(f"{method} {path}: {_said(answer)}")


def _said(answer: httpx.Response) -> str:
    """Return the reason in an answer, whoever between here and the service wrote it."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    reason = (body.get("msg") or body.get("error")) if isinstance(body, dict) else answer.text[:200]
    return f"{answer.status_code} {reason}"
