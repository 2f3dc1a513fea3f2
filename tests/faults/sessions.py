"""Sessions to be observed, what their boards say, and whether each message was observed exactly once."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.faults import runs
from tests.faults.faulty_observer import LISTENING
from tests.faults.world import Document, World, nothing_of

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import SessionObserved
from craftlog.contracts.readmodels import BOARDS, SESSIONS
from craftlog.contracts.subjects import STREAM, Address, Kind
from craftlog.runtime.mongo import by_id, find
from craftlog.testing.waiting import until

DEADLINE = 60.0
DUE = "observer_due"
_VARYING = ("_id", "version", "seq", "created_at", "updated_at", "usage")


async def filled(world: World, numbers: Iterable[int]) -> dict[int, str]:
    """Make a session of each of these runs, with all its messages, and return their ids."""
    made: dict[int, str] = {}
    for number in numbers:
        made[number] = (await world.api.post("/session", {"configs": {"run": number}}))["id"]
        await world.api.post(f"/session/{made[number]}/messages/batch", {"blobs": list(runs.run(number))})
    return made


async def boards(world: World, sessions: Mapping[int, str]) -> dict[int, Document]:
    """Return the boards by run, once each has read everything, without what differs between equal ones."""
    wanted = {session_id: len(list(runs.run(number))) for number, session_id in sessions.items()}

    async def complete() -> list[Document] | None:
        found = await find(world.database[BOARDS], {"_id": {"$in": list(wanted)}})
        read = {head["_id"]: head.get("through_position", 0) for head in found}
        return found if read == wanted else None

    heads = {head["_id"]: head for head in await until(complete, DEADLINE)}
    return {number: _lasting(heads[session_id]) for number, session_id in sessions.items()}


async def observed_once(world: World, sessions: Collection[str]) -> None:
    """Assert that the log holds each message of these sessions read once, and linked at most once a decision."""
    heads = await by_id(world.database[SESSIONS], list(sessions))
    assert heads.keys() == set(sessions)
    for session_id, head in heads.items():
        session = Address(Kind.SESSION, head["project"], session_id)
        last = [past async for past in world.log.read(session) if past.type.startswith("MessageAppended")][-1]
        stored = [past async for past in world.log.read(replace(session, kind=Kind.BOARD))]
        assert [past.version for past in stored] == list(range(1, len(stored) + 1))
        assert len({past.id for past in stored}) == len(stored)
        through = 0
        for decision in _decisions(stored):
            reached = decision[-1].through_position
            linked = [at for event in decision[:-1] for at in getattr(event, "positions", ())]
            assert through < reached
            assert len(set(linked)) == len(linked), f"linked twice: {linked}"
            assert all(at <= reached for at in linked)
            through = reached
        assert through == last.event.position  # type: ignore[union-attr] # its type was asked for


async def facts(world: World, sessions: Collection[str]) -> list[Recorded]:
    """Return what the log holds of the boards of these sessions."""
    return [past for past in await world.events() if past.address.kind == Kind.BOARD and past.address.id in sessions]


async def all_heard(world: World) -> None:
    """Wait until the observers have heard and acknowledged all that sessions say."""

    async def heard() -> bool:
        info = await world.log.jetstream.consumer_info(STREAM, LISTENING)
        return not (info.num_pending or info.num_ack_pending)

    await until(heard, DEADLINE)


async def nothing_due(world: World) -> None:
    """Wait until the observers have nothing left to do."""
    await nothing_of(lambda: _due(world), DEADLINE)


async def _due(world: World) -> list[str]:
    return [str(item) for item in await find(world.database[DUE], {})]


def _decisions(stored: Sequence[Recorded]) -> list[list[Any]]:
    """Return the events between one observation's end and the next one's."""
    decisions: list[list[Any]] = [[]]
    for past in stored:
        decisions[-1].append(past.event)
        if isinstance(past.event, SessionObserved):
            decisions.append([])
    assert not decisions[-1], f"half an observation: {decisions[-1]}"
    return decisions[:-1]


def _lasting(head: Document) -> Document:
    """Return a board without what says when and where, and with each task's place for its id."""
    places = {task["id"]: f"task {place}" for place, task in enumerate(head["tasks"], start=1)}
    kept = {name: value for name, value in head.items() if name not in {*_VARYING, "project"}}
    kept["tasks"] = [{name: task[name] for name in task.keys() - set(_VARYING)} for task in head["tasks"]]
    text = json.dumps(kept, sort_keys=True)
    for task_id, place in places.items():
        text = text.replace(task_id, place)
    told: Document = json.loads(text)
    return told
