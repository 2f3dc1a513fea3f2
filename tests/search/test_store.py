"""The index on a real server: what is written is found, by whom it belongs to and nobody else."""

from uuid import uuid4

import pytest
from qdrant_client import AsyncQdrantClient

from craftlog.contracts.events import BlockAdded, Event, SessionForgotten, SopFiled, TreeDeleted
from craftlog.contracts.questions import Cited, Stalled
from craftlog.contracts.readmodels import Changes
from craftlog.contracts.subjects import Address, Kind
from craftlog.llm.embeddings import Embedder, Vector
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.projector import Folded
from craftlog.search.projection import MEANS, SKILLS, project
from craftlog.search.store import SkillIndex
from craftlog.testing.examples import PROJECT, SESSION_ID, example, history

NORTH: Vector = [1.0, 0.0, 0.0, 0.0]
OTHER_PROJECT = "00000000-0000-4000-8000-000000000002"


def tree(of: str = PROJECT) -> Address:
    return Address(Kind.TREE, of, str(uuid4()))


def skill(use_when: str, session_id: str = SESSION_ID) -> SopFiled:
    provenance = example(SopFiled).provenance.model_copy(update={"session_id": session_id})
    return example(SopFiled, block_id=str(uuid4()), use_when=use_when, provenance=provenance)


def folded(address: Address, *events: Event) -> Folded:
    return Folded(address, 0, len(events), len(events), project(None, history(address, *events)))


def refused(address: Address) -> Folded:
    """Return what Qdrant refuses: the id of a point has to be a UUID."""
    whole = folded(address, skill("north 0"))
    [document] = whole.changes.children.values()
    return Folded(address, 0, 1, 1, Changes({}, {(SKILLS, "no-uuid"): document}))


async def found(index: SkillIndex, address: Address, *, limit: int = 10, threshold: float = 2) -> list[Cited]:
    return await index.search(address.project, address.id, NORTH, limit=limit, threshold=threshold)


async def titles(index: SkillIndex, address: Address, *, limit: int = 10, threshold: float = 2) -> list[str]:
    return [cited.title for cited in await found(index, address, limit=limit, threshold=threshold)]


class TestSearching:
    async def test_finds_the_nearest_first_with_their_distance(self, index: SkillIndex):
        home = tree()
        await index.write([folded(home, skill("south 180"), skill("north 0"), skill("east 90"))])
        cited = await found(index, home)
        assert [each.title for each in cited] == ["north 0", "east 90", "south 180"]
        assert [each.distance for each in cited] == pytest.approx([0, 1, 2], abs=1e-6)

    async def test_gives_all_that_an_answer_holds(self, index: SkillIndex):
        home, filed = tree(), skill("north 0")
        await index.write([folded(home, filed)])
        [cited] = await found(index, home)
        assert cited == Cited(
            block_id=filed.block_id,
            title="north 0",
            type="sop",
            distance=cited.distance,
        )

    async def test_keeps_nothing_of_what_was_embedded(self, index: SkillIndex, qdrant: AsyncQdrantClient):
        note = example(BlockAdded, block_id=str(uuid4()), title="north", props={"notes": "0"})
        await index.write([folded(tree(), note)])
        points, _ = await qdrant.scroll(index.collection)
        kept = [point.payload or {} for point in points if point.id == note.block_id]
        assert [(one["title"], one["type"], one["session_id"]) for one in kept] == [("north", "text", None)]
        assert "\n" not in repr(kept)
        assert MEANS not in kept[0]

    async def test_keeps_to_the_threshold_and_the_limit(self, index: SkillIndex):
        home = tree()
        await index.write([folded(home, *(skill(f"at {angle}") for angle in range(0, 180, 10)))])
        assert await titles(index, home, threshold=0.1) == ["at 0", "at 10", "at 20"]
        assert await titles(index, home, limit=2) == ["at 0", "at 10"]
        assert await titles(index, home, threshold=0) == ["at 0"]

    async def test_never_finds_what_belongs_to_another_space_or_project(self, index: SkillIndex):
        home, neighbour, foreign = tree(), tree(), tree(OTHER_PROJECT)
        await index.write([folded(owner, skill("north 0")) for owner in (neighbour, foreign)])
        assert await titles(index, home) == []
        assert await titles(index, Address(Kind.TREE, OTHER_PROJECT, neighbour.id)) == []
        assert await titles(index, Address(Kind.TREE, PROJECT, foreign.id)) == []
        assert await titles(index, foreign) == ["north 0"]

    async def test_finds_nothing_where_nothing_was_written(self, index: SkillIndex):
        assert await titles(index, tree()) == []


class TestWriting:
    async def test_twice_is_as_once(self, index: SkillIndex):
        home = tree()
        batch = [folded(home, skill("north 0"), skill("east 90"))]
        assert await index.write(batch) == await index.write(batch) == {}
        assert await titles(index, home) == ["north 0", "east 90"]

    async def test_says_how_far_each_space_is(self, index: SkillIndex):
        one, other = tree(), tree()
        await index.write([folded(one, skill("north 0")), folded(other, skill("north 0"), skill("east 90"))])
        heads = await index.heads([one.id, other.id, str(uuid4())])
        assert {id_: (head["version"], head["seq"]) for id_, head in heads.items()} == {
            one.id: (1, 1),
            other.id: (2, 2),
        }

    async def test_marks_every_point_with_the_model_of_its_vector(
        self, index: SkillIndex, qdrant: AsyncQdrantClient, compass: Embedder
    ):
        await index.write([folded(tree(), skill("north 0"))])
        points, _ = await qdrant.scroll(index.collection)
        assert [(point.payload or {})["model"] for point in points] == [compass.model] * 2

    async def test_takes_a_skill_out_that_a_projection_removes(self, index: SkillIndex):
        home, filed = tree(), skill("north 0")
        await index.write([folded(home, filed)])
        await index.write([Folded(home, 1, 2, 2, Changes({}, {(SKILLS, filed.block_id): None}))])
        assert await titles(index, home) == []

    async def test_takes_many_skills_at_once(self, index: SkillIndex):
        home = tree()
        await index.write([folded(home, *(skill(f"at {number / 10}") for number in range(250)))])
        assert len(await titles(index, home, limit=300)) == 250


class TestForgettingASession:
    async def test_removes_what_it_taught_this_space_and_nothing_else(self, index: SkillIndex):
        home, neighbour, other_session = tree(), tree(), str(uuid4())
        await index.write([folded(home, skill("north 0"), skill("east 90", other_session))])
        await index.write([folded(neighbour, skill("north 0"))])
        await index.write([Folded(home, 2, 3, 3, folded(home, example(SessionForgotten)).changes)])
        assert await titles(index, home) == ["east 90"]
        assert await titles(index, neighbour) == ["north 0"]

    async def test_removes_what_it_taught_in_the_same_batch(self, index: SkillIndex):
        home = tree()
        await index.write([folded(home, skill("north 0"), example(SessionForgotten))])
        assert await titles(index, home) == []


class TestADeletedTree:
    async def test_leaves_a_head_that_says_so_far_and_nothing_else(self, index: SkillIndex, qdrant: AsyncQdrantClient):
        home, neighbour = tree(), tree()
        await index.write([folded(home, skill("north 0")), folded(neighbour, skill("north 0"))])
        await index.write([Folded(home, 1, 2, 2, folded(home, TreeDeleted()).changes)])
        assert (await titles(index, home), await titles(index, neighbour)) == ([], ["north 0"])
        points, _ = await qdrant.scroll(index.collection)
        assert [point.id for point in points if (point.payload or {})["space_id"] == home.id] == [home.id]
        assert (await index.heads([home.id]))[home.id]["version"] == 2


class TestARefusedSkill:
    async def test_is_named_and_leaves_the_others_of_its_batch_written(self, index: SkillIndex):
        good, bad, better = tree(), tree(), tree()
        reasons = await index.write([folded(good, skill("north 0")), refused(bad), folded(better, skill("north 0"))])
        assert list(reasons) == [bad.id]
        assert reasons[bad.id].startswith("the index answers 400: ")
        assert (await index.heads([good.id, bad.id, better.id])).keys() == {good.id, better.id}


class TestStalling:
    async def test_is_kept_until_the_space_is_written_again(self, index: SkillIndex):
        home = tree()
        mark = Stalled(kind=Kind.TREE, project=PROJECT, id=home.id, version=1, reason="a test wants it")
        await index.write([folded(home, skill("north 0"))])
        await index.stall(mark)
        assert await index.stalled() == [mark]
        assert (await index.heads([home.id]))[home.id]["version"] == 1
        assert await titles(index, home) == ["north 0"]
        await index.write([folded(home, skill("north 0"), skill("east 90"))])
        assert await index.stalled() == []

    async def test_is_possible_before_anything_was_written(self, index: SkillIndex):
        mark = Stalled(kind=Kind.TREE, project=PROJECT, id=str(uuid4()), version=0, reason="a test wants it")
        await index.stall(mark)
        assert await index.stalled() == [mark]
        head = (await index.heads([mark.id]))[mark.id]
        assert (head["version"], head["seq"]) == (0, 0)


class TestTheCollection:
    async def test_is_made_once(self, index: SkillIndex):
        home = tree()
        await index.write([folded(home, skill("north 0"))])
        await index.prepare()
        assert await index.exists()
        assert await titles(index, home) == ["north 0"]

    async def test_that_is_gone_is_an_unavailable_index(self, qdrant: AsyncQdrantClient, compass: Embedder):
        gone = SkillIndex(qdrant, compass)
        assert not await gone.exists()
        with pytest.raises(UnavailableError, match="the index answers 404"):
            await gone.write([folded(tree(), skill("north 0"))])

    async def test_of_a_server_that_does_not_answer_is_an_unavailable_index(self, compass: Embedder):
        nobody = AsyncQdrantClient(url="http://127.0.0.1:9", check_compatibility=False)
        with pytest.raises(UnavailableError, match="the index cannot be reached"):
            await SkillIndex(nobody, compass).heads([str(uuid4())])
        await nobody.close()
