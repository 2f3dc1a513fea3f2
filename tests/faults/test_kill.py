"""`kill -9` of any process while runs are imported: nothing is lost, nothing is there twice."""

import asyncio
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.faults import runs
from tests.faults.world import Document, World, behind, nothing_of

from craftlog.cli.child import program
from craftlog.cli.stack import SERVERS, SERVICES
from craftlog.contracts.readmodels import BLOCKS, BOARDS, LESSONS, MESSAGES, SESSIONS, TREES
from craftlog.contracts.subjects import Address, Kind
from craftlog.testing.stack import Stack
from craftlog.testing.waiting import until

VICTIMS = (*SERVERS, *SERVICES)
KILLED_AT = (0.3, 0.7)  # shares of the messages that are stored; and once more while the sessions are flushed
DEADLINE = 120.0
WORK = ("observer_due", "learner_due")
# Each import has a project to itself, so that all of them can be read side by side.
PROJECTS = {name: f"00000000-0000-4000-8000-{at:012}" for at, name in enumerate(("nobody", *VICTIMS), start=10)}
# What depends on when and in which batches, and in which turn the runs of one space were finished.
VARYING = frozenset({"version", "seq", "created_at", "updated_at", "sort", "lease_until", "observations"})
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# All that can be read after an import by what it is, in the form in which two imports are the same.
Readable = dict[str, list[str]]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    tokens = {token_of(victim): project for victim, project in PROJECTS.items()}
    with Stack(tmp_path_factory.mktemp("kill"), env={"CRAFTLOG_TOKENS": json.dumps(tokens)}) as stack:
        yield stack


@pytest.fixture(scope="module")
def undisturbed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Readable:
    """Give what can be read after an import in peace."""
    return asyncio.run(import_killing("nobody", stack, tmp_path_factory.mktemp("runs") / "runs.jsonl"))


def token_of(victim: str) -> str:
    return f"sk-ac-{victim}"


async def import_killing(victim: str, stack: Stack, file: Path) -> Readable:
    """Import the runs, kill a process at several moments, have everything observed and learned, and read it all."""
    sent = runs.write(file)
    async with behind(stack, token_of(victim)) as world:
        space_id = (await world.api.post("/space", {}))["id"]
        start, total = await world.last_seq(), sum(map(len, sent))
        with importing(stack, file, space_id, token_of(victim)) as process:
            for share in KILLED_AT if victim in VICTIMS else ():
                await until(lambda at=start + share * total: _is_reached(world, at), DEADLINE)  # type: ignore[misc] # bound at once
                assert process.poll() is None, "the import was over before anything was killed"
                stack.kill_and_await_restart(victim)
        sessions = [one["id"] for one in (await world.api.get("/session", limit=200))["items"]]
        flushing = [asyncio.create_task(world.api.post(f"/session/{session_id}/flush")) for session_id in sessions]
        if victim in VICTIMS:
            await asyncio.wait(flushing, return_when=asyncio.FIRST_COMPLETED)
            stack.kill_and_await_restart(victim)
        await asyncio.gather(*flushing)
        await nothing_of(lambda: _unsettled(world, PROJECTS[victim]), DEADLINE)
        stored = [(await world.api.get(f"/session/{session_id}/messages"))["items"] for session_id in sessions]
        assert _told(stored, {}) == _told(sent, {})
        return await _read(world, PROJECTS[victim], space_id)


@contextmanager
def importing(stack: Stack, file: Path, space_id: str, token: str) -> Iterator["subprocess.Popen[str]"]:
    """Run `craftlog import` beside the block, and see it succeed."""
    argv = [program("craftlog"), "import", str(file), "--url", stack.base_url, "--token", token]
    argv += ["--space", space_id, "--concurrency", "4", "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
            said, trouble = process.communicate(timeout=DEADLINE)
            assert process.returncode == 0, trouble[-2000:]
            assert json.loads(said)["refused"] == []
        finally:
            process.kill()


async def _is_reached(world: World, seq: float) -> bool:
    return await world.last_seq() >= seq


async def _unsettled(world: World, project: str) -> list[str]:
    """Return what is still due, finished tasks without a lesson, and spaces of which somebody has not seen all."""
    stored = _of(project, await world.collections())
    finished = {
        task["id"] for board in stored[BOARDS] for task in board["tasks"] if task["status"] in {"success", "failed"}
    }
    trees = {tree["_id"]: tree["version"] for tree in stored[TREES]}
    last = [await world.log.last(Address(Kind.TREE, project, space_id)) for space_id in trees]
    written = {one.address.id: one.version for one in last if one}
    heads = [point for point in await world.points() if point["type"] == "head" and point["project"] == project]
    indexed = {head["space_id"]: head["version"] for head in heads}
    return [
        *(f"{name}: {item}" for name in WORK for item in stored[name]),
        *(f"no lesson: {task_id}" for task_id in finished - {lesson["task_id"] for lesson in stored[LESSONS]}),
        *([] if written == trees == indexed else [f"written {written}, read {trees}, indexed {indexed}"]),
    ]


async def _read(world: World, project: str, space_id: str) -> Readable:
    stored = _of(project, await world.collections())
    names = {project: "the project", space_id: "the space", **_names(stored)}
    return {
        **{name: _told(documents, names) for name, documents in stored.items()},
        "points": _told((point for point in await world.points() if point["project"] == project), names),
        "objects": _told((key for key in world.object_keys() if key.startswith(project)), names),
        "log": _told(await _sessions(world, project), names),
    }


def _of(project: str, stored: Mapping[str, list[Document]]) -> dict[str, list[Document]]:
    return {name: [one for one in documents if one["project"] == project] for name, documents in stored.items()}


def _names(stored: Mapping[str, list[Document]]) -> dict[str, str]:
    """Return what each id stands for: sessions by their run, messages by their place, tasks by their order …"""
    sessions = {one["_id"]: one["configs"]["run_id"] for one in stored[SESSIONS]}
    messages = {
        one["message_id"]: f"message {one['position']} of {sessions[one['session_id']]}" for one in stored[MESSAGES]
    }
    tasks = {
        task["id"]: f"task {task['order']} of {sessions[board['_id']]}"
        for board in stored[BOARDS]
        for task in board["tasks"]
    }
    pages = {block["_id"]: f"page {block['title']}" for block in stored[BLOCKS] if block["type"] == "page"}
    skills = {
        block["_id"]: f"skill of {tasks[block['provenance']['task_id']]}"
        for block in stored[BLOCKS]
        if block["type"] == "sop"
    }
    names = {**sessions, **messages, **tasks, **pages, **skills}
    assert len(set(names.values())) == len(names)
    return names


def _told(values: Iterable[Any], names: Mapping[str, str]) -> list[str]:
    """Return values as texts in order, without what varies, and with names for the ids."""
    return sorted(json.dumps(_lasting(value, names), sort_keys=True, default=str) for value in values)


def _lasting(value: Any, names: Mapping[str, str]) -> Any:
    match value:
        case dict():
            return {_lasting(key, names): _lasting(value[key], names) for key in value.keys() - VARYING}
        case list():
            return [_lasting(one, names) for one in value]
        case str():
            return UUID.sub(lambda id_: names.get(id_[0], id_[0]), value)
        case _:
            return value


async def _sessions(world: World, project: str) -> list[Document]:
    """Return what the log holds of each session; of all aggregates, see that no version is missing or double."""
    told: list[Document] = []
    versions: dict[str, list[int]] = {}
    events = await world.events()
    for recorded in events:
        own = versions.setdefault(recorded.address.subject, [])
        own.append(recorded.version)
        if (recorded.address.project, recorded.address.kind) == (project, Kind.SESSION) and recorded.event:
            said = recorded.event.model_dump(mode="json")
            told.append({"session": recorded.address.id, "ordinal": len(own), "type": recorded.type, "said": said})
    assert all(own == list(range(1, len(own) + 1)) for own in versions.values())
    assert len({recorded.id for recorded in events}) == len(events)
    return told


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


class TestImport:
    def test_in_peace_leaves_something_of_every_kind_to_read(self, undisturbed: Readable) -> None:
        assert len(undisturbed[SESSIONS]) == runs.HOW_MANY
        assert len(undisturbed["objects"]) > 1
        assert len(undisturbed["points"]) > 1
        assert {json.loads(lesson)["state"] for lesson in undisturbed[LESSONS]} == {"learned", "skipped"}

    @pytest.mark.parametrize("victim", VICTIMS)
    async def test_is_as_in_peace_whatever_was_killed(
        self, victim: str, undisturbed: Readable, stack: Stack, tmp_path: Path
    ) -> None:
        disturbed = await import_killing(victim, stack, tmp_path / "runs.jsonl")
        assert stack.children()[victim]["restarts"] == len(KILLED_AT) + 1
        changed = differing(undisturbed, disturbed)
        assert not changed, "\n".join(changed[:20])
