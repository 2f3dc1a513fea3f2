"""The evaluation of an engine: its labels can be met, its scoring takes off what is wrong, and it runs."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.observer.evaluation.__main__ import conversations, judge, total
from tests.observer.evaluation.scoring import Found, Labelled, Score, labels, pair, score

from craftlog.contracts.events import TaskStatus
from craftlog.observer.rules import RulesAgent

ROOT = Path(__file__).parents[2]

ROOM = Labelled("Book a room for Tuesday", ["room"], "success", [["quiet"]])
LUNCH = Labelled("Order lunch for eight", ["lunch|catering", "order|buy"], "failed")
WISHES = [["british"]]
BOARD = [
    Found("Book a room for Tuesday", "success", ["I want a quiet one"]),
    Found("Order the catering", "failed"),
]
NOTED = ["Always use British spelling"]


def of(found=BOARD, noted=NOTED):
    return score([ROOM, LUNCH], WISHES, found, noted)


def as_labelled(document):
    """The tasks and preferences as somebody would note them who reads as the labels do."""
    found = [
        Found(task.description, task.status, [in_words(wish) for wish in task.preferences]) for task in labels(document)
    ]
    return found, [in_words(wish) for wish in document["preferences"]]


def in_words(keywords):
    return " ".join(one.split("|")[0] for one in keywords)


class TestScore:
    def test_of_a_board_as_labelled_is_one(self):
        assert set(of().figures.values()) == {1.0}

    def test_of_a_missing_task_loses_recall_alone(self):
        figures = of(BOARD[:1]).figures
        assert figures["recall of tasks"] == 0.5
        assert figures["precision of tasks"] == figures["status accuracy, of the tasks found"] == 1.0

    def test_of_an_invented_task_loses_precision_alone(self):
        figures = of([*BOARD, Found("Water the plants", "success"), Found("Feed the cat", "running")]).figures
        assert figures["precision of tasks"] == 0.5
        assert figures["recall of tasks"] == figures["status accuracy, of the tasks found"] == 1.0

    def test_of_a_task_found_twice_loses_precision(self):
        assert of([*BOARD, BOARD[0]]).figures["precision of tasks"] == pytest.approx(2 / 3)

    def test_of_one_task_for_two_finds_one(self):
        both = Found("Book a room and order lunch", "success")
        assert (of([both]).right, of([both]).labelled) == (1, 2)

    def test_of_swapped_statuses_loses_both(self):
        swapped = [replace(BOARD[0], status="failed"), replace(BOARD[1], status="success")]
        figures = of(swapped).figures
        assert figures["status accuracy, of the tasks found"] == 0.0
        assert figures["recall of tasks"] == 1.0

    def test_of_a_missing_preference_loses_its_recall(self):
        assert of(noted=[]).figures["preference recall"] == 0.5

    def test_of_a_preference_in_another_place_loses_its_place(self):
        figures = of([replace(BOARD[0], preferences=NOTED), BOARD[1]], ["I want a quiet one"]).figures
        assert figures["preference recall"] == 1.0
        assert figures["preference recall, with the right task or the session"] == 0.0

    def test_of_nothing_where_nothing_is_right_is_one(self):
        assert set(score([], [], [], []).figures.values()) == {1.0}

    def test_adds_up(self):
        assert of() + of(BOARD[:1]) == Score(4, 3, 3, 3, 4, 4, 4)


class TestPairs:
    def test_are_as_many_as_can_be(self):
        # The first found task could be either; only one choice leaves something for the second.
        found = [
            Found("Book a room for Tuesday, order lunch", "success"),
            Found("Book a room for Tuesday", "success"),
        ]
        assert pair([ROOM, LUNCH], found) == {1: 0, 0: 1}

    def test_are_the_most_alike(self):
        found = [Found("Find out whether a room is warm", "failed"), Found("Book a room for Tuesday", "success")]
        assert pair([ROOM], found) == {0: 1}

    def test_want_all_key_words_at_the_beginning_of_words(self):
        assert not pair([LUNCH], [Found("Order dinner", "failed"), Found("Reorder brunch lunch", "failed")])


class TestLabels:
    def test_are_those_of_twenty_conversations(self):
        assert len(conversations()) == 20

    @pytest.mark.parametrize("name", conversations())
    def test_can_all_be_met(self, name):
        document = conversations()[name]
        found, noted = as_labelled(document)
        assert set(score(labels(document), document["preferences"], found, noted).figures.values()) == {1.0}
        assert {task.status for task in labels(document)} <= set(TaskStatus.__args__)


class TestEvaluation:
    async def test_reads_every_conversation_to_its_end_with_the_rules(self):
        judged = [await judge(RulesAgent(), name, document) for name, document in conversations().items()]
        assert not [one.name for one in judged if one.trouble]
        assert [one.board.through_position for one in judged] == [
            len(document["messages"]) for document in conversations().values()
        ]
        assert total(judged).labelled == sum(len(document["tasks"]) for document in conversations().values())

    def test_ends_well_whatever_the_score_and_speaks_json(self):
        command = [sys.executable, "-m", "tests.observer.evaluation", "--json"]
        env = {name: value for name, value in os.environ.items() if not name.startswith("CRAFTLOG_")}
        ran = subprocess.run(command, check=True, cwd=ROOT, env=env, capture_output=True, text=True)
        said = json.loads(ran.stdout)
        assert said["engine"] == "rules"
        assert set(said["figures"]) == set(Score().figures)
