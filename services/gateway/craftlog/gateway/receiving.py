"""What clients send to be appended: one message or many, in any format, as JSON or as a form with files."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic_core import to_json
from starlette.requests import Request

from craftlog.contracts.messages import Asset, Part
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import wire
from craftlog.gateway.appending import append, keyed
from craftlog.gateway.bodies import MOST_SMALL_BYTES, idempotency_key, parse_aside, raw_body
from craftlog.gateway.dialects import DIALECTS, files_named
from craftlog.gateway.dialects.canonical import Attached, Canonical
from craftlog.gateway.errors import InvalidError, TooLargeError
from craftlog.gateway.fields import Json, an_id, an_object, an_object_or_none
from craftlog.gateway.forms import FormPart, form, is_form, text
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.limits import MOST_BYTES, MOST_BYTES_OF_FILES, MOST_IN_BATCH

_ONE: Final = "POST messages"
_MANY: Final = "POST messages/batch"


async def receive_one(gateway: Gateway, project: str, session_id: str, request: Request) -> Json:
    """Append the message in a request, ``{format?, blob, meta?}`` or that in a form with files, and return it.

    Raises:
        InvalidError: something in it is wrong, or names a file that is not there.
        TooLargeError: there is more of it than we take.
        AbsentError, MissingError: there is no such session.
        ReusedKeyError: its Idempotency-Key stored something else.
    """
    if is_form(request):
        async with form(request, MOST_BYTES_OF_FILES) as parts:
            return await _receive_form(gateway, project, session_id, request, parts)
    body = await raw_body(request)
    sent = an_object(await parse_aside(body), "body")
    message = _message(sent, sent.get("blob"), {})
    session = Address(Kind.SESSION, project, an_id(session_id, "session_id"))
    key = keyed(idempotency_key(request), _ONE, sent)
    (stored,) = await append(gateway, session, [message], size=len(body), key=key)
    return wire.message(stored, message.parts)


async def receive_many(gateway: Gateway, session: Address, request: Request) -> list[Json]:
    """Append the messages in a request, ``{format?, blobs, meta?}``, all or none, and return them.

    Raises:
        The same as ``receive_one``.
    """
    body = await raw_body(request)
    sent = an_object(await parse_aside(body), "body")
    blobs = sent.get("blobs")
    if not isinstance(blobs, list) or not 1 <= len(blobs) <= MOST_IN_BATCH:
        raise InvalidError("blobs", f"must be a list of 1 to {MOST_IN_BATCH} messages")
    said = [_one_of(sent, blob, index) for index, blob in enumerate(blobs)]
    key = keyed(idempotency_key(request), _MANY, sent)
    stored = await append(gateway, session, said, size=len(body), key=key, field="blobs[{}]")
    return [wire.message(one, message.parts) for one, message in zip(stored, said, strict=True)]


async def _receive_form(
    gateway: Gateway, project: str, session_id: str, request: Request, parts: Sequence[FormPart]
) -> Json:
    payload = text(parts, "payload", MOST_BYTES)
    if not payload:
        raise InvalidError("payload", "is missing: the message as JSON")
    sent = an_object(await parse_aside(payload.encode(), "payload"), "payload")
    files = _files(parts)
    message = _message(sent, sent.get("blob"), {field: _announced(file) for field, file in files.items()})
    if unnamed := files.keys() - files_named(sent.get("format") or "openai", sent.get("blob")):
        raise InvalidError(min(unnamed), "no part of the message names this file")
    session = Address(Kind.SESSION, project, an_id(session_id, "session_id"))
    key = idempotency_key(request)
    if not files:
        (stored,) = await append(gateway, session, [message], size=len(payload), key=keyed(key, _ONE, sent))
        return wire.message(stored, message.parts)
    async with gateway.putting(session, "session_id"):
        assets = await _put(gateway, session, files)
        message = _with_assets(message, assets)
        body = {
            "payload": sent,
            "files": {field: [asset.sha256, asset.mime, files[field].filename] for field, asset in assets.items()},
        }
        (stored,) = await append(gateway, session, [message], size=len(payload), key=keyed(key, _ONE, body))
    return wire.message(stored, message.parts)


def _message(sent: Json, blob: Any, files: Mapping[str, Attached]) -> Canonical:
    """Return the message that ``blob`` is in the format that was sent along."""
    dialect = "openai" if sent.get("format") in (None, "") else sent["format"]
    if not isinstance(dialect, str) or dialect not in DIALECTS:
        raise InvalidError("format", f"must be one of {', '.join(DIALECTS)}")
    message = DIALECTS[dialect].to_canonical(blob, files)
    own = an_object_or_none(sent.get("meta"), "meta")
    if not own:
        return message
    if (size := len(to_json(own))) > MOST_SMALL_BYTES:
        raise TooLargeError(f"meta: {size} bytes are more than {MOST_SMALL_BYTES}")
    if wire.USER_META in message.meta:
        raise InvalidError("meta", f"is there twice: as blob.meta.{wire.USER_META}, too")
    return replace(message, meta={**message.meta, wire.USER_META: own})


def _one_of(sent: Json, blob: Any, index: int) -> Canonical:
    try:
        return _message(sent, blob, {})
    except InvalidError as wrong:
        if not wrong.field.startswith("blob"):
            raise
        raise InvalidError(f"blobs[{index}]{wrong.field.removeprefix('blob')}", wrong.reason) from wrong


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────
# A message is read before its files are put, so that nothing is put for one that is refused. Until then a file's asset
# has no bucket, and the name of its field for a key.


def _files(parts: Sequence[FormPart]) -> dict[str, FormPart]:
    files: dict[str, FormPart] = {}
    for part in parts:
        if part.filename is not None and files.setdefault(part.field, part) is not part:
            raise InvalidError(part.field, "there are two files of this name")
    return files


def _announced(file: FormPart) -> Attached:
    asset = Asset(bucket="", s3_key=file.field, etag="", sha256="", mime=file.mime, size_b=file.size)
    return Attached(asset, file.filename or "")


async def _put(gateway: Gateway, session: Address, files: Mapping[str, FormPart]) -> dict[str, Asset]:
    kept = await asyncio.gather(*(gateway.objects.keep(session, file.body(), file.mime) for file in files.values()))
    return dict(zip(files, kept, strict=True))


def _with_assets(message: Canonical, assets: Mapping[str, Asset]) -> Canonical:
    def kept(part: Part) -> Part:
        if part.asset is None or part.asset.bucket:
            return part
        return part.model_copy(update={"asset": assets[part.asset.s3_key]})

    return replace(message, parts=tuple(map(kept, message.parts)))
