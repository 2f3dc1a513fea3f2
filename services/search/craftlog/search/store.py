"""The index of skills: one Qdrant collection an embedding model, a point a skill and a head point a space."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from qdrant_client import AsyncQdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse
from qdrant_client.models import (
    Distance,
    FieldCondition,
    Filter,
    KeywordIndexParams,
    KeywordIndexType,
    MatchAny,
    MatchValue,
    PayloadSchemaType,
    PointIdsList,
    PointStruct,
    VectorParams,
)

from craftlog.contracts.questions import Cited, Stalled
from craftlog.contracts.readmodels import Document
from craftlog.contracts.subjects import Kind
from craftlog.llm.embeddings import Embedder, Vector
from craftlog.runtime.errors import RefusedError, UnavailableError
from craftlog.runtime.projector import Folded
from craftlog.search.projection import MEANS

STALLED: Final = "stalled"
_HEAD: Final = "head"
_ROUNDING: Final = 1e-6  # of single precision; Qdrant leaves out what is exactly at the threshold
_AT_ONCE: Final = 100
_WRONG_REQUEST: Final = (400, 422)

# NOTE: these payloads are stored. A skill has its block's id as its point's id, a head its space's.
#
# skill  {project, space_id, session_id, type: sop|text, title, version, model}; what it says, the tree has
# head   {project, space_id, type: head|stalled, version, seq, model}, where stalled {stalled_version, reason} too


class SkillIndex:
    """The read store of the projector, and where a query looks. All methods raise UnavailableError.

    Qdrant has no write on a condition; where two projectors overlapped, both would write the same points.

    Args:
        client: by URL; whoever made it closes it.
        embedder: its model's id is in the collection's name: another model is another collection, and another scale.
    """

    def __init__(self, client: AsyncQdrantClient, embedder: Embedder) -> None:
        self.collection = f"craftlog-skills-{embedder.model}"
        self._client = client
        self._embedder = embedder

    async def exists(self) -> bool:
        """Tell whether there is an index yet."""
        async with _reaching():
            return await self._client.collection_exists(self.collection)

    async def prepare(self) -> None:
        """Make the collection and its payload indexes; doing it again changes nothing."""
        if not await self.exists():
            async with _reaching():
                shape = VectorParams(size=self._embedder.size, distance=Distance.COSINE)
                await self._client.create_collection(self.collection, vectors_config=shape)
        schemas: dict[str, PayloadSchemaType | KeywordIndexParams] = {
            "space_id": KeywordIndexParams(type=KeywordIndexType.KEYWORD, is_tenant=True),
            "project": PayloadSchemaType.KEYWORD,
            "type": PayloadSchemaType.KEYWORD,
        }
        async with _reaching():
            for name, schema in schemas.items():
                await self._client.create_payload_index(self.collection, name, field_schema=schema)

    async def heads(self, ids: Sequence[str]) -> dict[str, Document]:
        """Return how far the index knows these spaces; unknown ones are missing."""
        async with _reaching():
            points = await self._client.retrieve(self.collection, list(ids))
        return {str(point.id): point.payload or {} for point in points}

    async def write(self, batch: Sequence[Folded]) -> dict[str, str]:
        """Write the skills first and the heads last; return the reason for each space whose points are refused."""
        try:
            await self._write(batch)
        except RefusedError as refusal:
            if len(batch) == 1:
                return {batch[0].address.id: str(refusal)}
            middle = len(batch) // 2
            return {**await self.write(batch[:middle]), **await self.write(batch[middle:])}
        return {}

    async def stall(self, stalled: Stalled) -> None:
        """Mark a space whose next event cannot be applied. The next head that is written takes the mark away."""
        head = (await self.heads([stalled.id])).get(stalled.id, {"version": 0, "seq": 0})
        mark = {"type": STALLED, "stalled_version": stalled.version, "reason": stalled.reason}
        await self._put([self._head(stalled.project, stalled.id, {**head, **mark})])

    async def stalled(self) -> list[Stalled]:
        """Return all spaces that are marked."""
        marked = _all_of({"type": STALLED})
        heads: list[Mapping[str, Any]] = []
        offset = None
        while True:
            async with _reaching():
                points, offset = await self._client.scroll(self.collection, marked, limit=_AT_ONCE, offset=offset)
            heads += [point.payload or {} for point in points]
            if offset is None:
                return [_stalled(head) for head in heads]

    async def search(self, project: str, space_id: str, vector: Vector, *, limit: int, threshold: float) -> list[Cited]:
        """Return at most ``limit`` skills of a space within this cosine distance (0 to 2), nearest first."""
        within = _all_of({"project": project, "space_id": space_id, "type": ["sop", "text"]})
        async with _reaching():
            found = await self._client.query_points(
                self.collection,
                query=vector,
                query_filter=within,
                limit=limit,
                score_threshold=1 - threshold - _ROUNDING,
            )
        return [_cited(str(point.id), point.payload or {}, 1 - point.score) for point in found.points]

    async def _write(self, batch: Sequence[Folded]) -> None:
        children = {id_: skill for folded in batch for (_, id_), skill in folded.changes.children.items()}
        await self._put_skills({id_: skill for id_, skill in children.items() if skill is not None})
        async with _reaching():
            if removed := [id_ for id_, skill in children.items() if skill is None]:
                await self._client.delete(self.collection, PointIdsList(points=[*removed]))
            for folded in batch:
                for _, fields in folded.changes.drop:
                    await self._client.delete(self.collection, _all_of(fields))
        await self._put(
            [
                self._head(folded.address.project, folded.address.id, {"version": folded.version, "seq": folded.seq})
                for folded in batch
            ]
        )

    async def _put_skills(self, skills: Mapping[str, Document]) -> None:
        """Embed what they mean, and store the rest."""
        ids = list(skills)
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            vectors = await self._embedder.embed([skills[id_][MEANS] for id_ in some])
            await self._put(
                [
                    PointStruct(id=id_, vector=vector, payload=self._payload(skills[id_]))
                    for id_, vector in zip(some, vectors, strict=True)
                ]
            )

    def _payload(self, skill: Document) -> Document:
        return {**{name: value for name, value in skill.items() if name != MEANS}, "model": self._embedder.model}

    async def _put(self, points: Sequence[PointStruct]) -> None:
        async with _reaching():
            await self._client.upsert(self.collection, points)

    def _head(self, project: str, space_id: str, fields: Document) -> PointStruct:
        """A head means nothing, so its vector has no direction; every search leaves it out by its type."""
        owner = {"project": project, "space_id": space_id, "model": self._embedder.model}
        return PointStruct(id=space_id, vector=[0.0] * self._embedder.size, payload={"type": _HEAD, **fields, **owner})


@asynccontextmanager
async def _reaching() -> AsyncIterator[None]:
    """Name what can go wrong between here and Qdrant."""
    try:
        yield
    except UnexpectedResponse as error:
        said = f"the index answers {error.status_code}: {error.content.decode(errors='replace')}"
        if error.status_code in _WRONG_REQUEST:
            raise RefusedError(said) from error
        raise UnavailableError(said) from error
    except ResponseHandlingException as error:
        raise UnavailableError(f"the index cannot be reached: {error.source!r}") from error
    except ResourceExhaustedResponse as error:
        raise UnavailableError(f"the index is busy: {error}") from error


def _all_of(fields: Mapping[str, Any]) -> Filter:
    """Return a filter for points with these values; a list means any of them."""
    return Filter(
        must=[
            FieldCondition(key=key, match=MatchAny(any=value) if isinstance(value, list) else MatchValue(value=value))
            for key, value in fields.items()
        ]
    )


def _stalled(head: Mapping[str, Any]) -> Stalled:
    return Stalled(
        kind=Kind.TREE,
        project=head["project"],
        id=head["space_id"],
        version=head["stalled_version"],
        reason=head["reason"],
    )


def _cited(block_id: str, skill: Mapping[str, Any], distance: float) -> Cited:
    """A distance is cut at 0: rounding can make equal vectors more than equal."""
    return Cited(
        block_id=block_id,
        title=skill["title"],
        type=skill["type"],
        distance=max(0.0, distance),
    )
