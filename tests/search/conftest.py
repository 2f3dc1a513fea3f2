"""An index of its own for each test, and an embedder whose meanings the test can read."""

from collections.abc import AsyncIterator, Sequence
from math import cos, radians, sin
from uuid import uuid4

import pytest
from qdrant_client import AsyncQdrantClient

from craftlog.llm.embeddings import Vector
from craftlog.search.store import SkillIndex


class Compass:
    """Embed texts such as "north 30" by their last word, degrees on a circle: what is 90 apart has distance 1."""

    size = 4
    near = 0.5

    def __init__(self) -> None:
        self.model = f"compass-{uuid4()}"

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        angles = [radians(float(text.split()[-1])) for text in texts]
        return [[cos(angle), sin(angle), 0.0, 0.0] for angle in angles]


@pytest.fixture
def compass() -> Compass:
    return Compass()


@pytest.fixture
async def qdrant(qdrant_url: str) -> AsyncIterator[AsyncQdrantClient]:
    client = AsyncQdrantClient(url=qdrant_url, check_compatibility=False)
    yield client
    await client.close()


@pytest.fixture
async def index(qdrant: AsyncQdrantClient, compass: Compass) -> AsyncIterator[SkillIndex]:
    made = SkillIndex(qdrant, compass)
    await made.prepare()
    yield made
    await qdrant.delete_collection(made.collection)
