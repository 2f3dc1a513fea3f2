"""The embedded index, asked by the client that also talks to a real Qdrant."""

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from craftlog.testing.servers import Server, qdrant_server

EAST, NORTH, BETWEEN = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.8, 0.6, 0.0]
ONE, TWO, THREE = (str(uuid.uuid5(uuid.NAMESPACE_OID, name)) for name in ("one", "two", "three"))


@pytest.fixture
async def client(qdrant_url: str) -> AsyncIterator[AsyncQdrantClient]:
    client = AsyncQdrantClient(url=qdrant_url)
    yield client
    await client.close()


@pytest.fixture
async def skills(client: AsyncQdrantClient) -> AsyncIterator[str]:
    """Give the name of a collection that holds three points."""
    name = f"skills-{uuid.uuid4()}"
    await create(client, name)
    await client.upsert(
        name,
        [
            models.PointStruct(id=ONE, vector=EAST, payload={"space": "a", "steps": 1, "note": None}),
            models.PointStruct(id=TWO, vector=NORTH, payload={"space": "a", "steps": 2}),
            models.PointStruct(id=THREE, vector=BETWEEN, payload={"space": "b", "steps": 3}),
        ],
        wait=True,
    )
    yield name
    await client.delete_collection(name)


async def create(client: AsyncQdrantClient, name: str) -> None:
    await client.create_collection(name, models.VectorParams(size=3, distance=models.Distance.COSINE))


def match(key: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


async def found(client: AsyncQdrantClient, name: str, condition: models.Filter | None) -> set[str | int | uuid.UUID]:
    answer = await client.query_points(name, query=EAST, query_filter=condition)
    return {point.id for point in answer.points}


class TestCollections:
    async def test_one_exists_from_its_creation_to_its_deletion(self, client: AsyncQdrantClient) -> None:
        assert not await client.collection_exists("short-lived")
        await create(client, "short-lived")
        assert await client.collection_exists("short-lived")
        assert await client.delete_collection("short-lived")
        assert not await client.collection_exists("short-lived")
        assert not await client.delete_collection("short-lived")

    async def test_one_says_what_it_holds(self, client: AsyncQdrantClient, skills: str) -> None:
        schema = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
        await client.create_payload_index(skills, "space", schema)
        await client.create_payload_index(skills, "steps", models.PayloadSchemaType.INTEGER)
        info = await client.get_collection(skills)
        assert info.points_count == 3
        assert info.config.params.vectors == models.VectorParams(size=3, distance=models.Distance.COSINE)
        assert {name: index.data_type.value for name, index in info.payload_schema.items()} == {
            "space": "keyword",
            "steps": "integer",
        }

    async def test_the_same_name_twice_is_a_conflict(self, client: AsyncQdrantClient, skills: str) -> None:
        with pytest.raises(UnexpectedResponse) as refusal:
            await create(client, skills)
        assert refusal.value.status_code == 409

    async def test_a_refused_one_can_still_be_made(self, qdrant_url: str) -> None:
        async with httpx.AsyncClient(base_url=qdrant_url) as http:
            for distance, status in (("Dot", 400), ("Dot", 400), ("Cosine", 200)):
                answer = await http.put("/collections/second", json={"vectors": {"size": 3, "distance": distance}})
                assert answer.status_code == status

    @pytest.mark.parametrize("name", ["..", ".hidden", "a b"])
    async def test_a_name_that_is_no_folder_name_is_refused(self, qdrant_url: str, name: str) -> None:
        async with httpx.AsyncClient(base_url=qdrant_url) as http:
            quoted = name.replace(".", "%2E").replace(" ", "%20")
            answer = await http.put(f"/collections/{quoted}", json={"vectors": {"size": 3, "distance": "Cosine"}})
        assert answer.status_code == 400


class TestQueries:
    async def test_the_nearest_come_first_with_their_cosine(self, client: AsyncQdrantClient, skills: str) -> None:
        answer = await client.query_points(skills, query=EAST, limit=2, with_payload=True, with_vectors=True)
        assert [(point.id, round(point.score, 5)) for point in answer.points] == [(ONE, 1.0), (THREE, 0.8)]
        assert answer.points[0].payload == {"space": "a", "steps": 1, "note": None}
        assert answer.points[0].vector == EAST

    async def test_nothing_below_the_threshold_is_found(self, client: AsyncQdrantClient, skills: str) -> None:
        answer = await client.query_points(skills, query=EAST, score_threshold=0.7, with_payload=["space"])
        assert [(point.id, point.payload) for point in answer.points] == [
            (ONE, {"space": "a"}),
            (THREE, {"space": "b"}),
        ]

    async def test_filters_decide_what_may_be_found(self, client: AsyncQdrantClient, skills: str) -> None:
        either = models.FieldCondition(key="space", match=models.MatchAny(any=["a", "b"]))
        assert await found(client, skills, models.Filter(must=[match("space", "a")])) == {ONE, TWO}
        assert await found(client, skills, models.Filter(must=either, must_not=[match("space", "a")])) == {THREE}
        assert await found(client, skills, models.Filter(must=[models.HasIdCondition(has_id=[TWO, THREE])])) == {
            TWO,
            THREE,
        }
        nested = models.Filter(should=[models.Filter(must=[match("space", "b")]), models.HasIdCondition(has_id=[ONE])])
        assert await found(client, skills, nested) == {ONE, THREE}

    async def test_a_scroll_meets_every_point_once(self, client: AsyncQdrantClient, skills: str) -> None:
        first, offset = await client.scroll(skills, limit=2)
        rest, end = await client.scroll(skills, limit=2, offset=offset)
        assert sorted(str(record.id) for record in [*first, *rest]) == sorted([ONE, TWO, THREE])
        assert end is None

    async def test_counts_and_single_points(self, client: AsyncQdrantClient, skills: str) -> None:
        assert (await client.count(skills, models.Filter(must=[match("space", "a")]))).count == 2
        records = await client.retrieve(skills, [TWO, str(uuid.uuid4())])
        assert [(record.id, record.payload) for record in records] == [(TWO, {"space": "a", "steps": 2})]

    async def test_an_unknown_collection_is_not_found(self, client: AsyncQdrantClient) -> None:
        with pytest.raises(UnexpectedResponse) as refusal:
            await client.query_points("nowhere", query=EAST)
        assert refusal.value.status_code == 404


class TestChanges:
    async def test_a_payload_changes_in_part(self, client: AsyncQdrantClient, skills: str) -> None:
        await client.set_payload(skills, {"steps": 9}, points=[ONE])
        await client.set_payload(skills, {"seen": True}, points=models.Filter(must=[match("space", "a")]))
        records = await client.retrieve(skills, [ONE])
        assert records[0].payload == {"space": "a", "steps": 9, "note": None, "seen": True}

    async def test_points_go_by_id_and_by_filter(self, client: AsyncQdrantClient, skills: str) -> None:
        await client.delete(skills, [ONE])
        await client.delete(skills, models.FilterSelector(filter=models.Filter(must=[match("space", "b")])))
        records, _ = await client.scroll(skills)
        assert [record.id for record in records] == [TWO]

    async def test_a_vector_of_another_size_is_refused(self, client: AsyncQdrantClient, skills: str) -> None:
        with pytest.raises(UnexpectedResponse, match="dimension") as refusal:
            await client.upsert(skills, [models.PointStruct(id=ONE, vector=[1.0])])
        assert refusal.value.status_code == 400


class TestWhatIsNotServed:
    async def test_an_unknown_condition_is_refused_by_its_name(self, client: AsyncQdrantClient, skills: str) -> None:
        condition = models.FieldCondition(key="steps", range=models.Range(gte=2))
        with pytest.raises(UnexpectedResponse, match=r"filter\.must\[0\]: range is not supported") as refusal:
            await client.query_points(skills, query=EAST, query_filter=models.Filter(must=[condition]))
        assert refusal.value.status_code == 400

    async def test_an_unknown_request_is_refused_by_its_path(self, client: AsyncQdrantClient) -> None:
        with pytest.raises(UnexpectedResponse, match="GET /collections is not supported") as refusal:
            await client.get_collections()
        assert refusal.value.status_code == 400

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "{",
            "[]",
            '{"points": 1}',
            '{"points": [{"id": 1}]}',
            '{"points": [{"id": -1, "vector": [1, 0, 0]}]}',
            '{"points": [{"id": true, "vector": [1, 0, 0]}]}',
            '{"points": [{"id": 1, "vector": [NaN, 0, 0]}]}',
        ],
    )
    async def test_a_malformed_body_is_refused(self, qdrant_url: str, skills: str, body: str) -> None:
        async with httpx.AsyncClient(base_url=qdrant_url) as http:
            answer = await http.put(f"/collections/{skills}/points", content=body)
        assert answer.status_code == 400
        assert json.loads(answer.text)["status"]["error"]


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    with qdrant_server(tmp_path) as server:
        yield server


class TestDurability:
    async def test_a_kill_loses_nothing_that_was_acknowledged(self, mortal: Server) -> None:
        client = AsyncQdrantClient(url=mortal.url, check_compatibility=False)
        await create(client, "skills")
        await client.create_payload_index("skills", "space", models.PayloadSchemaType.KEYWORD)
        for number in range(200):
            await client.upsert("skills", [models.PointStruct(id=number, vector=BETWEEN, payload={"space": "a"})])
        await client.delete("skills", list(range(50)))
        mortal.kill()
        mortal.start()
        assert (await client.count("skills", models.Filter(must=[match("space", "a")]))).count == 150
        assert list((await client.get_collection("skills")).payload_schema) == ["space"]
        await client.close()
