"""A model proposes, the board disposes: what becomes of each proposal, and that none of them breaks anything."""

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftlog.contracts.events import TaskFailed, TaskOpened, TaskStarted, TaskSucceeded
from craftlog.observer.commands import (
    DescribeTask,
    FailTask,
    LinkMessages,
    LinkPlanning,
    NotePreference,
    NoteUserPreference,
    OpenTask,
    RecordProgress,
    StartTask,
    SucceedTask,
)
from craftlog.observer.decider import INITIAL, decide, evolve
from craftlog.observer.proposals import Proposals, rule
from craftlog.observer.sizes import FULL
from craftlog.testing.examples import SESSION_ID

OPENED = (
    TaskOpened(task_id="a", order=1, description="Collect the news", engine="m"),
    TaskOpened(task_id="b", order=2, description="Write the page", engine="m"),
)
BOARD = reduce(evolve, [*OPENED, TaskStarted(task_id="a")], INITIAL)
POSITIONS = [5, 6, 7]


def ruled(*commands, board=BOARD):
    return rule(board, Proposals.model_validate({"commands": commands}), SESSION_ID, POSITIONS, "m")


def accepted(*commands, board=BOARD):
    ruling = ruled(*commands, board=board)
    assert ruling.refusals == []
    return ruling.commands


def refused(*commands, board=BOARD):
    ruling = ruled(*commands, board=board)
    assert ruling.commands == []
    return ruling.refusals


class TestNames:
    def test_of_a_task_that_the_board_has_no_room_for_mean_nothing(self):
        full = replace(BOARD, size=FULL)
        new = {"do": "open_task", "ref": "new1", "description": "Ask", "before": None}
        no_room, nothing = refused(
            new, {"do": "set_status", "task": "new1", "status": "running", "reason": None}, board=full
        )
        assert "The board is full" in no_room
        assert "There is no task 'new1'" in nothing

    def test_that_are_wrong_cost_no_more_words_on_a_long_board(self):
        opened = (TaskOpened(task_id=f"t{n}", order=n, description=f"Page {n}", engine="m") for n in range(1, 501))
        news = [
            {"do": "open_task", "ref": f"{n}{'x' * 9_000}", "description": f"New {n}", "before": None} for n in range(9)
        ]
        ruling = ruled(
            *news, {"do": "add_progress", "task": "T900", "note": "x"}, board=reduce(evolve, opened, INITIAL)
        )
        [wrong] = ruling.refusals
        assert "T500, " in wrong
        assert len(wrong) < 1_000


class TestAccepted:
    def test_opens_a_task_that_later_commands_call_by_its_ref(self):
        opened, linked = accepted(
            {"do": "open_task", "ref": "new1", "description": " Ask\nfor the colours ", "before": "T2"},
            {"do": "link_messages", "task": "new1", "messages": [6]},
        )
        assert opened == OpenTask(opened.task_id, "Ask for the colours", "m", "b")
        assert linked == LinkMessages(opened.task_id, (6,))

    def test_finds_the_same_id_for_a_new_task_again(self):
        new = {"do": "open_task", "ref": "n", "description": "Ask", "before": None}
        assert accepted(new) == accepted(new | {"ref": "other"})

    def test_words_and_notes(self):
        assert accepted(
            {"do": "describe_task", "task": "T1", "description": "Collect old news"},
            {"do": "add_progress", "task": "T1", "note": "I searched."},
            {"do": "add_preference", "task": "T2", "preference": "No red."},
            {"do": "add_preference", "task": None, "preference": "In French."},
            {"do": "link_messages", "task": "planning", "messages": [5, 7]},
        ) == [
            DescribeTask("a", "Collect old news"),
            RecordProgress("a", "I searched."),
            NotePreference("b", "No red."),
            NoteUserPreference("In French."),
            LinkPlanning((5, 7)),
        ]

    @pytest.mark.parametrize(
        ("task", "status", "commands"),
        [
            ("T1", "success", [SucceedTask("a")]),
            ("T2", "success", [StartTask("b"), SucceedTask("b")]),
            ("T2", "running", [StartTask("b")]),
            ("T2", "failed", [FailTask("b", "No time.")]),
        ],
    )
    def test_moves_a_task(self, task, status, commands):
        assert accepted({"do": "set_status", "task": task, "status": status, "reason": "No time."}) == commands

    @pytest.mark.parametrize("end", [TaskSucceeded(task_id="a"), TaskFailed(task_id="a", reason="No.")])
    def test_moves_a_finished_task_back_to_running(self, end):
        again = {"do": "set_status", "task": "T1", "status": "running", "reason": None}
        assert accepted(again, board=evolve(BOARD, end)) == [StartTask("a")]

    def test_begins_a_task_that_there_is_progress_on(self):
        assert accepted({"do": "add_progress", "task": "T2", "note": "I wrote it."}) == [
            StartTask("b"),
            RecordProgress("b", "I wrote it."),
        ]


class TestRefused:
    @pytest.mark.parametrize(
        ("command", "why"),
        [
            (
                {"do": "describe_task", "task": "T9", "description": "x"},
                "There is no task 'T9'. The newest are: T1, T2.",
            ),
            ({"do": "describe_task", "task": "T1", "description": " \0 "}, "The description is empty."),
            ({"do": "open_task", "ref": "T1", "description": "x", "before": None}, "'T1' is taken"),
            ({"do": "open_task", "ref": "n", "description": "x", "before": "T7"}, "no task 'T7'"),
            ({"do": "open_task", "ref": "n", "description": "write the PAGE", "before": None}, "That is T2 already"),
            ({"do": "link_messages", "task": "T1", "messages": [5, 4]}, "Message 4 is not among the new ones, 5 to 7"),
            ({"do": "link_messages", "task": "T1", "messages": [-1]}, "Message -1 is not among"),
            ({"do": "set_status", "task": "T1", "status": "failed", "reason": None}, "The reason is empty"),
        ],
    )
    def test_in_words_that_say_what_to_do(self, command, why):
        [refusal] = refused(command)
        assert refusal.startswith(f"Command 1 ({command['do']}): ")
        assert why in refusal

    def test_progress_on_a_finished_task(self):
        [refusal] = refused(
            {"do": "add_progress", "task": "T1", "note": "More."}, board=evolve(BOARD, TaskSucceeded(task_id="a"))
        )
        assert "Start it first" in refusal

    def test_leaves_nothing_half_done_and_the_others_as_they_are(self):
        done = evolve(BOARD, TaskSucceeded(task_id="a"))
        ruling = ruled(
            {"do": "set_status", "task": "T1", "status": "failed", "reason": "Wrong."},
            {"do": "add_preference", "task": None, "preference": "In French."},
            board=done,
        )
        assert ruling.commands == [NoteUserPreference("In French.")]
        assert len(ruling.refusals) == 1

    def test_what_goes_beyond_any_measure(self):
        many = [{"do": "add_preference", "task": None, "preference": f"p{number}"} for number in range(500)]
        ruling = ruled(*many)
        assert len(ruling.commands) == 200
        assert ruling.refusals == ["Only the first 200 commands count."]


names = st.sampled_from(["T1", "T2", "T3", "T-1", "0", "", "new1", "new2", "planning", "a"])
texts = st.text(max_size=30)
proposals = st.one_of(
    st.fixed_dictionaries(
        {"do": st.just("open_task"), "ref": names, "description": texts, "before": st.none() | names}
    ),
    st.fixed_dictionaries({"do": st.just("describe_task"), "task": names, "description": texts}),
    st.fixed_dictionaries(
        {
            "do": st.just("set_status"),
            "task": names,
            "status": st.sampled_from(["running", "success", "failed"]),
            "reason": st.none() | texts,
        }
    ),
    st.fixed_dictionaries({"do": st.just("add_progress"), "task": names, "note": texts}),
    st.fixed_dictionaries({"do": st.just("add_preference"), "task": st.none() | names, "preference": texts}),
    st.fixed_dictionaries(
        {
            "do": st.just("link_messages"),
            "task": names,
            "messages": st.lists(st.integers(-3, 9) | st.integers(), max_size=4),
        }
    ),
)


class TestAnything:
    @given(st.lists(proposals, max_size=30))
    def test_that_is_proposed_gives_commands_that_the_board_takes_as_they_are(self, commands):
        board = BOARD
        for command in ruled(*commands).commands:
            board = reduce(evolve, decide(board, command), board)
        linked = [position for task in board.tasks.values() for position in task.positions]
        assert set(linked) | board.planning <= set(POSITIONS)
        for task in board.tasks.values():
            for text in (task.description, *task.notes, *task.preferences):
                assert text
                text.encode()
