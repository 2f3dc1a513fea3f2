"""Whose turn it is: each project's in turn, however much of the others is due before."""

from datetime import UTC, datetime, timedelta

from craftlog.runtime.due import Item
from craftlog.runtime.turns import Turns

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(seconds=1)


def item(key: str, project: str, due_at: datetime = START) -> Item:
    return Item(key, project, due_at, START)


def taken(turns: Turns) -> list[Item]:
    found: list[Item] = []
    while one := turns.take(NOW):
        found.append(one)
    return found


def test_two_busy_projects_keep_a_third_waiting_for_the_end_of_one_turn():
    turns = Turns(8, 4)
    for number in range(100):
        for project in "AB":
            turns.put(item(f"{project}{number}", project, START + timedelta(milliseconds=number)))
    running = taken(turns)
    assert sorted(one.project for one in running) == [*"AAAABBBB"]
    turns.put(item("C", "C", NOW))
    assert not taken(turns)
    del turns.items[running[0].key]
    turns.give_back(running[0])
    assert [one.key for one in taken(turns)] == ["C"]


def test_a_project_takes_its_own_in_the_order_of_their_times_and_no_more_than_its_share():
    turns = Turns(8, 2)
    for key, late in (("later", 3), ("first", 1), ("second", 2)):
        turns.put(item(key, "A", START + timedelta(milliseconds=late)))
    assert [one.key for one in taken(turns)] == ["first", "second"]
    assert turns.next_at() is None
    turns.give_back(turns.items.pop("first"))
    assert [one.key for one in taken(turns)] == ["later"]


def test_what_is_put_off_while_it_waits_for_a_place_has_no_turn_before_its_time():
    turns = Turns(8, 1)
    for key in ("one", "two"):
        turns.put(item(key, "A"))
    [first] = taken(turns)
    turns.put(item("two", "A", NOW + timedelta(hours=1)))
    turns.give_back(turns.items.pop(first.key))
    assert not taken(turns)
    assert turns.next_at() == NOW + timedelta(hours=1)
