"""What later SDKs send and nobody must think was kept: refused in words wherever it is read."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Depends, Request

from craftlog.gateway.errors import NotOfferedError

USER: Final = "user"
USE_UUID: Final = "use_uuid"
_INSTEAD: Final = {
    USE_UUID: "ids are made here, and an Idempotency-Key makes one session of several requests",
    USER: "give each tenant a project of its own, or name the user in configs",
}


def refuse(sent: Mapping[str, Any], *names: str) -> None:
    """Raise NotOfferedError for the first of these that was sent; null is the same as absent."""
    for name in names:
        if sent.get(name) is not None:
            raise NotOfferedError(f"{name}: is not offered; {_INSTEAD[name]}")


async def _of_everybody(request: Request) -> None:
    refuse({name: value or None for name, value in request.query_params.items()}, USER)


OfEverybody = Annotated[None, Depends(_of_everybody)]
