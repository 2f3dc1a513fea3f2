"""`kill -9` of any process while runs are imported: nothing is lost, nothing is there twice."""

import asyncio
import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from tests.faults import runs
from tests.faults.world import World, behind, nothing_of

from craftlog.cli.child import program
from craftlog.cli.stack import SERVERS, SERVICES
from craftlog.contracts.readmodels import BLOCKS, BOARDS, LESSONS, TREES
from craftlog.contracts.subjects import Address, Kind
from craftlog.testing.stack import Stack
from craftlog.testing.waiting import until

KILLED_AT = (0.2, 0.5, 0.8)  # shares of the messages that are stored
DEADLINE = 120.0
WORK = ("observer_due", "learner_due")
# What depends on when and in which batches, and in which turn the runs of one space were finished.
VARYING = frozenset({"version", "seq", "created_at", "updated_at", "sort", "lease_until"})


# All that can be read after an import by what it is, in the form in which two imports are the same.
Readable = dict[str, list[str]]


@contextmanager
def importing(stack: Stack, file: Path, space_id: str) -> Iterator["subprocess.Popen[str]"]:
    """Run `craftlog import` beside the block, and see it succeed."""
    argv = [program("craftlog"), "import", str(file), "--url", stack.base_url, "--token", stack.token]
    argv += ["--space", space_id, "--concurrency", "4", "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
            said, trouble = process.communicate(timeout=DEADLINE)
            assert process.returncode == 0, trouble[-2000:]
            assert json.loads(said)["refused"] == []
        finally:
            process.kill()


async def import_killing(world: World, file: Path, victim: str | None) -> Readable:
    """Import the runs, kill a process at several moments, have everything observed and learned, and read it all."""
    sent = runs.write(file)
    space_id = (await world.api.post("/space", {}))["id"]
    start, total = await world.last_seq(), sum(map(len, sent))
    with importing(world.stack, file, space_id) as process:
        for share in KILLED_AT if victim else ():
            await until(lambda at=start + share * total: _is_reached(world, at), DEADLINE)  # type: ignore[misc] # bound at once
            assert process.poll() is None, "the import was over before anything was killed"
            world.stack.kill_and_await_restart(str(victim))
    sessions = [one["id"] for one in (await world.api.get("/session", space_id=space_id, limit=200))["items"]]
    flushing = [asyncio.create_task(world.api.post(f"/session/{session_id}/flush")) for session_id in sessions]
    if victim:
        await asyncio.wait(flushing, return_when=asyncio.FIRST_COMPLETED)
        world.stack.kill_and_await_restart(victim)
    await asyncio.gather(*flushing)
    await nothing_of(lambda: _unsettled(world), DEADLINE)
    stored = [(await world.api.get(f"/session/{session_id}/messages"))["items"] for session_id in sessions]
    assert _told(stored) == _told(sent)
    return await _read(world, space_id)


async def _is_reached(world: World, seq: float) -> bool:
    return await world.last_seq() >= seq


async def _unsettled(world: World) -> list[str]:
    """Return what is still due, finished tasks without a lesson, and spaces of which somebody has not seen all."""
    stored = await world.collections()
    finished = {
        task["id"] for board in stored[BOARDS] for task in board["tasks"] if task["status"] in {"success", "failed"}
    }
    trees = {tree["_id"]: tree["version"] for tree in stored[TREES]}
    last = [await world.log.last(Address(Kind.TREE, tree["project"], tree["_id"])) for tree in stored[TREES]]
    written = {one.address.id: one.version for one in last if one}
    indexed = {point["space_id"]: point["version"] for point in await world.points() if point["type"] == "head"}
    return [
        *(f"{name}: {item}" for name in WORK for item in stored.get(name, [])),
        *(f"no lesson: {task_id}" for task_id in finished - {lesson["task_id"] for lesson in stored[LESSONS]}),
        *([] if written == trees == indexed else [f"written {written}, read {trees}, indexed {indexed}"]),
    ]


async def _read(world: World, space_id: str) -> Readable:
    stored, points = await world.collections(), await world.points()
    pages = {block["_id"]: f"page {block['title']}" for block in stored[BLOCKS] if block["type"] == "page"}
    skills = {
        block["_id"]: f"skill of {block['provenance']['task_id']}"
        for block in stored[BLOCKS]
        if block["_id"] not in pages
    }
    names = {space_id: "the space", **pages, **skills}
    assert len(set(names.values())) == len(names)
    return {
        **{name: _told(documents, names) for name, documents in stored.items()},
        "points": _told(points, names),
        "objects": world.object_keys(),
        "log": await _sessions(world, names),
    }


def _told(documents: Sequence[Any], names: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """Return documents as texts in order, without what varies, and with names for ids that follow from the space's."""
    texts = [json.dumps(_lasting(document), sort_keys=True, default=str) for document in documents]
    for id_, name in names.items():
        texts = [text.replace(id_, name) for text in texts]
    return sorted(texts)


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lasting(inner) for name, inner in value.items() if name not in VARYING}
    if isinstance(value, list):
        return (
            sorted(map(_lasting, value), key=lambda one: json.dumps(one, sort_keys=True))
            if _is_set(value)
            else [_lasting(one) for one in value]
        )
    return value


def _is_set(value: list[Any]) -> bool:
    """Tell whether these are the pages of a tree, which stand in the order in which they came."""
    return bool(value) and isinstance(value[0], dict) and "filed" in value[0]


async def _sessions(world: World, names: dict[str, str]) -> list[str]:
    """Return what the log holds of each session; of all aggregates, see that no version is missing or double."""
    told: list[dict[str, Any]] = []
    versions: dict[str, list[int]] = {}
    events = await world.events()
    for recorded in events:
        own = versions.setdefault(recorded.address.subject, [])
        own.append(recorded.version)
        if recorded.address.kind == Kind.SESSION and recorded.event:
            said = recorded.event.model_dump(mode="json")
            told.append({"session": recorded.address.id, "ordinal": len(own), "type": recorded.type, "said": said})
    assert all(own == list(range(1, len(own) + 1)) for own in versions.values())
    assert len({recorded.id for recorded in events}) == len(events)
    return _told(told, names)


def differing(one: Readable, other: Readable) -> list[str]:
    """Return what is only in one of them, short enough to be read."""
    places = sorted(one.keys() | other.keys())
    both = [(place, Counter(one.get(place, [])), Counter(other.get(place, []))) for place in places]
    return [
        f"{sign} {place}: {text[:500]}"
        for place, mine, theirs in both
        for sign, only in (("-", mine - theirs), ("+", theirs - mine))
        for text in only.elements()
    ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Readable:
    """Give what can be read after an import in peace."""
    folder = tmp_path_factory.mktemp("undisturbed")

    async def in_peace(stack: Stack) -> Readable:
        async with behind(stack) as world:
            return await import_killing(world, folder / "runs.jsonl", None)

    with Stack(folder / "data") as stack:
        return asyncio.run(in_peace(stack))


class TestImport:
    def test_in_peace_leaves_something_of_every_kind_to_read(self, undisturbed: Readable) -> None:
        assert len(undisturbed["sessions"]) == runs.HOW_MANY
        assert len(undisturbed["objects"]) > 1
        assert len(undisturbed["points"]) > 1
        assert {json.loads(lesson)["state"] for lesson in undisturbed[LESSONS]} == {"learned", "skipped"}

    @pytest.mark.parametrize("victim", [*SERVERS, *SERVICES])
    async def test_is_as_in_peace_whatever_was_killed(self, victim: str, undisturbed: Readable, tmp_path: Path) -> None:
        with Stack(tmp_path / "data") as stack:
            async with behind(stack) as world:
                disturbed = await import_killing(world, tmp_path / "runs.jsonl", victim)
            assert stack.children()[victim]["restarts"] == len(KILLED_AT) + 1
        changed = differing(undisturbed, disturbed)
        assert not changed, "\n".join(changed[:20])
