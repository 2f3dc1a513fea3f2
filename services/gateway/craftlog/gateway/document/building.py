"""The OpenAPI document: what FastAPI knows of the routes, completed by what the modules here say of each."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from starlette.routing import compile_path

from craftlog.gateway.document import disks, messages, parked, projects, sessions, spaces
from craftlog.gateway.document.said import JSON, Refusal, Said
from craftlog.gateway.fields import Json

# By method and path; what needs a key stands under /api/v1.
ROUTES: Final[dict[str, Said]] = {
    **sessions.ROUTES,
    **messages.ROUTES,
    **spaces.ROUTES,
    **disks.ROUTES,
    **projects.ROUTES,
    **parked.ROUTES,
}
_FORM: Final = "multipart/form-data"
_KEY: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and body is the same answer; another body is a 409.",
    "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
}
_REFUSALS: Final = (400, 401, 404, 408, 409, 413, 429, 501, 503)
_WORDS: Final = {"ge": "minimum", "le": "maximum"}
_HEADERS: Final = {
    "X-Trace-Id": "32 hex digits",
    "Craftlog-Stalled": "the version at which a read model stands still",
    "Craftlog-Next-Cursor": "from where to ask on",
    "Retry-After": "seconds",
}


class UndescribedError(LookupError):
    """A route of which the document would say nothing."""


def document(app: FastAPI, prefix: str) -> Json:
    """Return the document of an application; most routes stand under the prefix.

    Raises:
        UndescribedError: there is a route that no module here has.
    """
    made = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas, components = _schemas()
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            route = f"{method.upper()} {path.removeprefix(prefix)}"
            if route not in ROUTES:
                raise UndescribedError(f"{route} is in no ROUTES of craftlog.gateway.document")
            _complete(operation, route, ROUTES[route], schemas)
    refused = {JSON: {"schema": schemas["", "refusal"]}}
    made["components"] |= {
        "schemas": components,
        "responses": {str(status): _response(status, refused, "Retry-After") for status in _REFUSALS},
    }
    return made


def methods(described: Json, path: str) -> list[str]:
    """Return the methods that a document has for the path of a request."""
    return [
        method.upper()
        for template, operations in described["paths"].items()
        if compile_path(template)[0].fullmatch(path)
        for method in operations
    ]


def _schemas() -> tuple[dict[tuple[str, str], Json], Json]:
    """Return the schema of each route's data, body and form, and what they refer to."""
    adapters: list[tuple[tuple[str, str], Literal["validation"], TypeAdapter[Any]]] = [
        ((route, use), "validation", TypeAdapter(model))
        for route, said in ROUTES.items()
        for use, model in (("data", said.data), ("body", said.body), ("form", said.form))
        if model is not None
    ]
    adapters.append((("", "refusal"), "validation", TypeAdapter(Refusal)))
    found, rest = TypeAdapter.json_schemas(adapters, ref_template="#/components/schemas/{model}")
    return {key: schema for (key, _), schema in found.items()}, rest["$defs"]


def _complete(operation: Json, route: str, said: Said, schemas: Mapping[tuple[str, str], Json]) -> None:
    """Write into an operation what FastAPI does not know of it."""
    (status,) = [status for status in operation["responses"] if status.startswith("2")]
    own = {use: schemas[route, use] for use in ("data", "body", "form") if (route, use) in schemas}
    answered = {said.media: {"schema": _success(own.get("data"))} if said.media == JSON else {}}
    refusals = {str(one): {"$ref": f"#/components/responses/{one}"} for one in _refusals(route, operation, said)}
    operation["responses"] = {
        status: _response(int(status), answered, "Craftlog-Stalled", *said.headers),
        **dict(sorted(refusals.items())),
    }
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _queried(parameter["schema"])
        if parameter["in"] == "query" and not parameter["required"]:
            parameter["allowEmptyValue"] = True
    if said.keyed:
        operation["parameters"] = [*operation.get("parameters", ()), _KEY]
    if content := {media: {"schema": own[use]} for use, media in (("body", JSON), ("form", _FORM)) if use in own}:
        operation["requestBody"] = {"required": said.needed, "content": content}


def _refusals(route: str, operation: Json, said: Said) -> Iterator[int]:
    """Yield the statuses of a route's refusals."""
    yield from said.refusals
    keys = [name for scheme in operation.get("security", ()) for name in scheme]
    if keys:
        yield from (401, 503)
    if "key" in keys:
        yield 429
    if operation.get("parameters") or said.body or said.form:
        yield 400
    if "{" in route:
        yield 404
    if said.body or said.form:
        yield from (408, 413)
    if said.keyed:
        yield 409


def _success(data: Json | None) -> Json:
    keys = {"code": {"const": 0}, "msg": {"type": "string"}, **({"data": data} if data else {})}
    return {"type": "object", "properties": keys, "required": list(keys), "additionalProperties": False}


def _response(status: int, content: Json, *headers: str) -> Json:
    described = {name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in headers}
    trace = {"description": _HEADERS["X-Trace-Id"], "schema": {"type": "string"}, "required": True}
    return {
        "description": HTTPStatus(status).phrase,
        "headers": {"X-Trace-Id": trace, **described},
        "content": content,
    }


def _queried(schema: Json) -> Json:
    """Return the schema of a parameter: it is text, so never null, and pydantic leaves bounds in its own words."""
    for option in schema.pop("anyOf", ()):
        if option != {"type": "null"}:
            schema |= option
    return {_WORDS.get(word, word): value for word, value in schema.items()}
