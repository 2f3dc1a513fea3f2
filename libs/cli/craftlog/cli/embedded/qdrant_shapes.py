"""From the JSON of Qdrant's REST API to the engine's own objects and back, refusing by name what is not supported."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import qdrant_edge as edge

Json = dict[str, Any]

_DEFAULT_LIMIT: Final = 10
_FIELD_TYPES: Final = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "integer": edge.PayloadSchemaType.Integer,
    "float": edge.PayloadSchemaType.Float,
    "bool": edge.PayloadSchemaType.Bool,
    "datetime": edge.PayloadSchemaType.Datetime,
    "uuid": edge.PayloadSchemaType.Uuid,
    "text": edge.PayloadSchemaType.Text,
}


class UnsupportedError(ValueError):
    """The request asks for something outside of the part that is served, or is malformed; the text names it."""


def only(document: Any, at: str, *names: str) -> Json:
    """Return what an object says under these names, nulls left out.

    Raises:
        UnsupportedError: it is no object, or says something under another name.
    """
    if not isinstance(document, dict):
        raise UnsupportedError(f"{at}: expected an object")
    said = {name: value for name, value in document.items() if value is not None}
    if unknown := sorted(said.keys() - set(names)):
        raise UnsupportedError(f"{at}: {', '.join(unknown)} is not supported by the embedded index")
    return said


def needed(said: Json, at: str, name: str) -> Any:
    """Return what an object says under a name, or refuse it."""
    if name not in said:
        raise UnsupportedError(f"{at}: {name} is missing")
    return said[name]


def vectors(document: Any) -> edge.EdgeVectorParams:
    """Return a collection's one unnamed vector."""
    said = only(document, "vectors", "size", "distance")
    if said.get("distance") != "Cosine":
        raise UnsupportedError("vectors.distance: only Cosine is supported by the embedded index")
    return edge.EdgeVectorParams(size=needed(said, "vectors", "size"), distance=edge.Distance.Cosine)


def field_schema(document: Any) -> edge.PayloadSchemaType | edge.KeywordIndexParams:
    """Return the type of a payload index, written as a name or as ``{type: keyword, is_tenant: bool}``."""
    if isinstance(document, dict):
        said = only(document, "field_schema", "type", "is_tenant")
        if said.get("type") == "keyword":
            return edge.KeywordIndexParams(is_tenant=said.get("is_tenant"))
        document = said.get("type") if "is_tenant" not in said else document
    if not isinstance(document, str) or document not in _FIELD_TYPES:
        raise UnsupportedError(f"field_schema: {document!r} is not supported by the embedded index")
    return _FIELD_TYPES[document]


def field_type(schema: edge.PayloadSchemaType) -> str:
    """Return the name of an index's type."""
    return next(name for name, known in _FIELD_TYPES.items() if known == schema)


def points(documents: Any) -> list[edge.Point]:
    """Return the points of an upsert."""
    return [_point(document, f"points[{index}]") for index, document in enumerate(_listed(documents, "points"))]


def _point(document: Any, at: str) -> edge.Point:
    said = only(document, at, "id", "vector", "payload")
    if not isinstance(said.get("vector"), list):
        raise UnsupportedError(f"{at}.vector: expected one unnamed vector, a list of numbers")
    return edge.Point(_id(said.get("id"), f"{at}.id"), said["vector"], said.get("payload", {}))


def ids(documents: Any, at: str) -> list[int | str | UUID]:
    """Return ids: unsigned integers or UUIDs."""
    return [_id(document, f"{at}[{index}]") for index, document in enumerate(_listed(documents, at))]


def _id(document: Any, at: str) -> int | str:
    if isinstance(document, bool) or not isinstance(document, int | str):
        raise UnsupportedError(f"{at}: expected an unsigned integer or a UUID")
    return document


def where(document: Any, at: str = "filter") -> edge.Filter:
    """Return a filter: must, should and must_not of matches, has_id and further filters."""
    said = only(document, at, "must", "should", "must_not")
    conditions = {name: _conditions(value, f"{at}.{name}") for name, value in said.items()}
    return edge.Filter(conditions.get("must"), conditions.get("should"), conditions.get("must_not"))


def _conditions(documents: Any, at: str) -> list[Any]:
    several = documents if isinstance(documents, list) else [documents]
    return [_condition(document, f"{at}[{index}]") for index, document in enumerate(several)]


def _condition(document: Any, at: str) -> edge.Filter | edge.FieldCondition | edge.HasIdCondition:
    said = only(document, at, "key", "match", "has_id", "must", "should", "must_not")
    if said.keys() == {"has_id"}:
        return edge.HasIdCondition(set(ids(said["has_id"], f"{at}.has_id")))
    if said.keys() == {"key", "match"}:
        return edge.FieldCondition(said["key"], match=_match(said["match"], f"{at}.match"))
    if said.keys() & {"key", "match", "has_id"}:
        raise UnsupportedError(f"{at}: expected key with match, or has_id, or a filter")
    return where(said, at)


def _match(document: Any, at: str) -> edge.MatchValue | edge.MatchAny:
    said = only(document, at, "value", "any")
    if said.keys() == {"value"}:
        return edge.MatchValue(said["value"])
    if said.keys() == {"any"}:
        return edge.MatchAny(said["any"])
    raise UnsupportedError(f"{at}: expected value or any")


def search(body: Any) -> edge.QueryRequest:
    """Return a query: the nearest points of a vector, or without one any points of the filter."""
    names = ("query", "filter", "limit", "offset", "score_threshold", "with_payload", "with_vector", "params")
    said = only(body, "query_points", *names)
    return edge.QueryRequest(
        limit=said.get("limit", _DEFAULT_LIMIT),
        offset=said.get("offset"),
        query=_nearest(said["query"]) if "query" in said else None,
        filter=where(said["filter"]) if "filter" in said else None,
        score_threshold=said.get("score_threshold"),
        params=edge.SearchParams(**only(said.get("params", {}), "params", "exact")),
        **selection(said),
    )


def _nearest(document: Any) -> edge.Query:
    vector = only(document, "query", "nearest").get("nearest") if isinstance(document, dict) else document
    if not isinstance(vector, list):
        raise UnsupportedError("query: expected a vector, a list of numbers")
    return edge.Query.Nearest(vector)


def page(body: Any) -> edge.ScrollRequest:
    """Return a scroll through the points in the order of their ids."""
    said = only(body, "scroll", "filter", "limit", "offset", "with_payload", "with_vector")
    return edge.ScrollRequest(
        limit=said.get("limit", _DEFAULT_LIMIT),
        offset=_id(said["offset"], "offset") if "offset" in said else None,
        filter=where(said["filter"]) if "filter" in said else None,
        **selection({"with_payload": True, **said}),
    )


def selection(said: Json) -> Json:
    """Return what of a point is to come back: ``with_payload`` (all, none or named keys) and ``with_vector``."""
    payload, vector = said.get("with_payload", False), said.get("with_vector", False)
    if not isinstance(payload, bool) and not (isinstance(payload, list) and all(isinstance(k, str) for k in payload)):
        raise UnsupportedError("with_payload: expected true, false or a list of keys")
    if not isinstance(vector, bool):
        raise UnsupportedError("with_vector: expected true or false")
    return {"with_payload": payload, "with_vector": vector}


def found(record: edge.Record | edge.ScoredPoint) -> Json:
    """Return a point as JSON."""
    document: Json = {"id": plain(record.id), "payload": record.payload, "vector": record.vector}
    if isinstance(record, edge.ScoredPoint):
        document |= {"version": record.version, "score": record.score}
    return document


def plain(point_id: int | str | UUID | None) -> int | str | None:
    """Return an id as JSON knows it."""
    return str(point_id) if isinstance(point_id, UUID) else point_id


def _listed(documents: Any, at: str) -> Sequence[Any]:
    if not isinstance(documents, list):
        raise UnsupportedError(f"{at}: expected a list")
    return documents
