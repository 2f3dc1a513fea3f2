"""A session of ten thousand messages and five hundred tasks: no prompt, batch or document grows with it."""

import json
from pathlib import Path
from typing import Any, Final

import bson
from tests.faults.observers import Observer, observing
from tests.faults.sessions import observed_once
from tests.faults.world import World

from craftlog.contracts.readmodels import BOARDS
from craftlog.contracts.subjects import Address, Kind
from craftlog.observer.modelled import count
from craftlog.observer.prompting import Budget
from craftlog.runtime.mongo import find
from craftlog.testing.scripted_model import Json, Reply, scripted_model
from craftlog.testing.waiting import until

PROJECT = "long"
MESSAGES: Final = 10_000
TASKS: Final = 500
BATCHES: Final = 625
DEADLINE: Final = 300.0
AT_MOST_TIMES: Final = 1.5
HEADINGS: Final = 40  # tokens
FAR_UNDER: Final = 4 * 2**20  # bytes; MongoDB takes four times as many


class Bookkeeper:
    """A model that opens tasks, ends them and links all that it reads; it notes what each batch took the observer."""

    def __init__(self) -> None:
        self.observer: Observer | None = None
        self.prompts: list[str] = []
        self.spent: list[int] = []

    def __call__(self, body: Json) -> Reply:
        assert self.observer is not None
        self.spent.append(ticks(self.observer.pid))
        self.prompts.append(body["messages"][-1]["content"])
        board, _, new = (json.loads(part.split("\n", 1)[1]) for part in self.prompts[-1].split("\n\n# "))
        return Reply(json.dumps({"commands": self._commands(board, [message["id"] for message in new])}))

    def _commands(self, board: Json, positions: list[int]) -> list[Json]:
        running = [task["id"] for task in board["open"]]
        if len(self.prompts) % 5 == 0 and running:
            task, commands = running[-1], list[Json]()
        else:
            task = "new"
            said = f"Book the flights that message {positions[0]} asks for, and say what each of them costs"
            commands = [
                *({"do": "set_status", "task": one, "status": "success", "reason": None} for one in running),
                {"do": "open_task", "ref": task, "description": said, "before": None},
                {"do": "set_status", "task": task, "status": "running", "reason": None},
            ]
        notes = [f"I found flight {position} from Rome to Oslo for 120 dollars." for position in positions[:3]]
        return [
            *commands,
            *({"do": "add_progress", "task": task, "note": note} for note in notes),
            {"do": "link_messages", "task": task, "messages": positions},
        ]


def ticks(pid: int) -> int:
    """Return the processor time of a process so far, in the system's ticks."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(after_name[11]) + int(after_name[12])


def said(number: int) -> dict[str, Any]:
    text = f"Message {number}: please book flight {number} from Rome to Oslo. " + "It has to be in the morning. " * 5
    return {"role": "user" if number % 2 else "assistant", "content": text}


async def test_costs_each_batch_what_a_short_one_does(world: World) -> None:
    model = Bookkeeper()
    made = await world.api.post("/session", {})
    for start in range(0, MESSAGES, 500):
        blobs = [said(number) for number in range(start, start + 500)]
        await world.api.post(f"/session/{made['id']}/messages/batch", {"blobs": blobs})

    async def board() -> dict[str, Any] | None:
        found = await find(world.database[BOARDS], {"_id": made["id"], "through_position": MESSAGES})
        return found[0] if found else None

    with scripted_model(model) as endpoint, observing(world.stack, endpoint, "--engine", "model") as model.observer:
        head = await until(board, DEADLINE)
    assert len(head["tasks"]) == TASKS
    assert sorted(at for task in head["tasks"] for at in task["positions"]) == list(range(1, MESSAGES + 1))
    assert len(bson.encode(head)) < FAR_UNDER
    assert len(model.prompts) == BATCHES
    assert max(map(count, model.prompts)) <= Budget().board + Budget().messages + HEADINGS
    tenth = BATCHES // 10
    took = [model.spent[start + tenth] - model.spent[start] for start in (0, tenth, BATCHES - 1 - tenth)]
    # In the first tenth the observer also takes in what was appended, all of it.
    first, last = min(took[:2]), took[2]
    assert last <= AT_MOST_TIMES * first, f"{last} ticks for the last {tenth} batches, {first} for as many at first"
    await observed_once(world, [made["id"]])
    await shown(world, Address(Kind.SESSION, made["project_id"], made["id"]), head["tasks"][-1])


async def shown(world: World, session: Address, task: dict[str, Any]) -> None:
    """Assert that the last task can be read with its messages, and the usage of the day."""
    detail = await world.api.get(f"/session/{session.id}/task/{task['id']}", limit=1, time_desc="true")
    assert detail["messages"]["items"] == [said(task["positions"][-1] - 1)]
    [day] = (await world.api.get("/usage"))["items"]
    assert (day["observations"], day["messages"], day["calls"]) == (BATCHES, MESSAGES, BATCHES)
