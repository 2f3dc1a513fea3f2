"""The demo as a person starts it, and what it says when there is nothing to show."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from craftlog.cli import demo
from craftlog.cli.child import program
from craftlog.cli.demo import DemoError
from craftlog.cli.folder import free_port
from craftlog.cli.importing import Imported
from craftlog.cli.runs import runs

DEADLINE = 120.0


class TestDemo:
    def test_it_shows_tasks_a_skill_and_a_hit_and_ends(self, tmp_path: Path) -> None:
        argv = [program("craftlog"), "demo", "--once", "--data", str(tmp_path), "--port", str(free_port())]
        env = {**os.environ, "COLUMNS": "160"}
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE, check=False, env=env)
        assert ended.returncode == 0, ended.stderr
        tables = ("Tasks of the run sample-add-column", "Skills learned", "Search:", "issue_refund")
        for shown in (*tables, "engine: rules", "craftlog up --data"):
            assert shown in ended.stdout
        children = json.loads((tmp_path / "children.json").read_text())
        assert {child["pid"] for child in children.values()} == {None}


class TestNothingToShow:
    def test_no_task_no_skill_and_no_hit_are_each_named(self) -> None:
        run = Imported(run_id="sample", line=1, session_id="", messages=1)
        with pytest.raises(DemoError, match="no task was observed in the run sample"):
            demo._tasks(run, [])
        with pytest.raises(DemoError, match="no skill was learned"):
            demo._skills([])
        with pytest.raises(DemoError, match="no skill was found for"):
            demo._hits([])


class TestSamples:
    def test_every_result_answers_a_call_before_it(self) -> None:
        samples = list(runs(demo._SAMPLES))
        assert len(samples) == 3
        for run in samples:
            called: set[str] = set()
            for message in run.messages:
                called |= {call["id"] for call in message.get("tool_calls", ())}
                assert message["role"] != "tool" or message["tool_call_id"] in called
