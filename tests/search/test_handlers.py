"""What a question is answered, by an index that is ahead, behind, stalled or away."""

import asyncio
from uuid import uuid4

from qdrant_client import AsyncQdrantClient

from craftlog.contracts.events import SopFiled
from craftlog.contracts.questions import SearchAnswered, SearchAsked, Stalled
from craftlog.contracts.subjects import Address, Kind
from craftlog.llm.embeddings import Embedder
from craftlog.runtime.projector import Folded
from craftlog.search.handlers import Answers
from craftlog.search.projection import project
from craftlog.search.store import SkillIndex
from craftlog.testing.examples import PROJECT, example, history

PATIENT = 30.0
HASTY = 0.0
OTHER_PROJECT = "00000000-0000-4000-8000-000000000002"


def space() -> Address:
    return Address(Kind.TREE, PROJECT, str(uuid4()))


async def file(index: SkillIndex, address: Address, *titles: str) -> None:
    events = [example(SopFiled, block_id=str(uuid4()), use_when=title) for title in titles]
    changes = project(None, history(address, *events))
    assert await index.write([Folded(address, 0, len(events), len(events), changes)]) == {}


def question(address: Address, **changes: object) -> SearchAsked:
    return SearchAsked.model_validate(
        {"project": address.project, "space_id": address.id, "query": "due 0", "limit": 10, **changes}
    )


def titles(answer: SearchAnswered) -> list[str]:
    return [cited.title for cited in answer.cited_blocks]


class TestAnIndexThatHasSeenIt:
    async def test_answers_with_what_is_near(self, index: SkillIndex, compass: Embedder):
        home = space()
        await file(index, home, "east 90", "north 10")
        answer = await Answers(index, compass, patience=HASTY).experience(question(home, at_version=2))
        assert (titles(answer), answer.behind) == (["north 10"], False)

    async def test_takes_the_asker_s_threshold_and_limit(self, index: SkillIndex, compass: Embedder):
        home, answers = space(), Answers(index, compass, patience=HASTY)
        await file(index, home, "east 90", "north 10", "north 20")
        assert titles(await answers.experience(question(home, threshold=2, limit=2))) == ["north 10", "north 20"]
        assert titles(await answers.experience(question(home, threshold=0))) == []

    async def test_answers_nothing_of_a_space_without_skills(self, index: SkillIndex, compass: Embedder):
        answer = await Answers(index, compass, patience=HASTY).experience(question(space()))
        assert answer == SearchAnswered(cited_blocks=())


class TestAnIndexThatIsBehind:
    async def test_is_waited_for(self, index: SkillIndex, compass: Embedder):
        home = space()
        waiting = asyncio.create_task(
            Answers(index, compass, patience=PATIENT).experience(question(home, at_version=2))
        )
        await file(index, home, "north 10")
        await file(index, home, "north 10", "north 20")
        answer = await waiting
        assert (answer.behind, titles(answer)[-1]) == (False, "north 20")

    async def test_answers_what_it_has_and_says_so(self, index: SkillIndex, compass: Embedder):
        home = space()
        await file(index, home, "north 10")
        answer = await Answers(index, compass, patience=HASTY).experience(question(home, at_version=2))
        assert (titles(answer), answer.behind) == (["north 10"], True)

    async def test_is_behind_for_a_project_whose_space_it_is_not(self, index: SkillIndex, compass: Embedder):
        home = space()
        await file(index, home, "north 10")
        foreign = question(home, project=OTHER_PROJECT, at_version=1)
        assert await Answers(index, compass, patience=HASTY).experience(foreign) == SearchAnswered(
            cited_blocks=(), behind=True
        )


class TestAnIndexThatStalled:
    async def test_answers_at_once_what_was_folded_before(self, index: SkillIndex, compass: Embedder):
        home = space()
        await file(index, home, "north 10")
        await index.stall(Stalled(kind=Kind.TREE, project=PROJECT, id=home.id, version=1, reason="a test wants it"))
        answer = await Answers(index, compass, patience=PATIENT).experience(question(home, at_version=2))
        assert (titles(answer), answer.behind) == (["north 10"], False)


class TestAnIndexThatIsAway:
    async def test_is_behind(self, compass: Embedder):
        nobody = AsyncQdrantClient(url="http://127.0.0.1:9", check_compatibility=False)
        answer = await Answers(SkillIndex(nobody, compass), compass, patience=HASTY).experience(question(space()))
        assert answer == SearchAnswered(cited_blocks=(), behind=True)
        await nobody.close()
