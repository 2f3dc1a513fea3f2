"""Where a batch of messages ends."""

import pytest

from craftlog.contracts.messages import Message, Part
from craftlog.observer.cutting import Run, fewer


def call(name, call_id=None):
    return Part(type="tool-call", meta={"name": name, "arguments": "{}", **({"id": call_id} if call_id else {})})


def result(call_id=None, name=None):
    meta = {key: value for key, value in (("tool_call_id", call_id), ("name", name)) if value}
    return Part(type="tool-result", text="42", meta=meta)


TEXT = Part(type="text", text="Hello")


def run(*messages):
    """Return a run of messages with these parts; None is one that cannot be read."""
    return Run([parts and Message(message_id="m", position=1, role="user", parts=tuple(parts)) for parts in messages])


PAIR = [call("a", "1")], [result("1")]
PARALLEL = [call("a", "1"), call("b", "2")], [result("1")], [result("2")]


class TestEnd:
    def test_is_where_the_limit_is_among_texts(self):
        assert run(*[[TEXT]] * 5).end(3, ()) == 3

    def test_goes_before_a_call_whose_result_follows(self):
        assert run([TEXT], [TEXT], *PAIR, [TEXT]).end(3, ()) == 2

    @pytest.mark.parametrize("most", [2, 3, 4])
    def test_goes_before_parallel_calls_until_their_last_result(self, most):
        assert run([TEXT], *PARALLEL, [TEXT]).end(most, ()) == (4 if most == 4 else 1)

    def test_keeps_calls_and_results_together_by_name_where_there_are_no_ids(self):
        assert run([TEXT], [call("a")], [call("b")], [result(name="a")], [result(name="b")]).end(4, ()) == 1
        assert run([call("a")], [result()], [call("a")], [result()]).end(3, ()) == 2

    def test_is_after_a_call_with_its_result_in_one_message(self):
        assert run([TEXT], [call("a", "1"), result("1")], [TEXT]).end(2, ()) == 2

    def test_is_after_the_result_where_a_run_is_longer_than_the_limit(self):
        assert run(*PARALLEL, [TEXT]).end(2, ()) == 3

    def test_goes_before_what_is_kept(self):
        assert run([TEXT], *PAIR, [call("c", "3")]).end(16, [3]) == 3
        assert run([call("c", "3")], [TEXT]).end(16, [0]) == 0

    def test_goes_between_what_belongs_together_only_by_an_id_that_comes_again(self):
        assert run(*PAIR, *PAIR).end(3, ()) == 2

    def test_does_not_mind_what_cannot_be_read(self):
        assert run([TEXT], PAIR[0], None, PAIR[1]).end(3, ()) == 1


class TestOpen:
    def test_are_calls_after_which_the_agent_only_works(self):
        assert run([TEXT], [call("a", "1")], [call("b", "2")], [result("1")]).open() == [2]
        assert run([TEXT], PAIR[0], None).open() == [1]

    def test_are_not_those_that_the_conversation_went_on_without(self):
        assert run([call("a", "1")], [TEXT], [call("b", "2")]).open() == [2]
        assert run([call("a", "1")], [TEXT]).open() == []


class TestIsWhole:
    def test_tells_whether_calls_have_their_results(self):
        assert run(*PAIR, [TEXT]).is_whole(2)
        assert not run(*PAIR, [TEXT]).is_whole(1)
        assert not run([call("a", "1")], [TEXT]).is_whole(2)


class TestFewer:
    @pytest.mark.parametrize(("count", "half"), [(1, 0), (2, 1), (5, 2)])
    def test_is_about_half(self, count, half):
        assert len(fewer([Message(message_id="m", position=1, role="user", parts=(TEXT,))] * count)) == half

    def test_separates_a_call_from_its_result_only_where_nothing_else_is_left(self):
        pair = [Message(message_id="m", position=1, role="user", parts=tuple(parts)) for parts in PAIR]
        text = Message(message_id="m", position=1, role="user", parts=(TEXT,))
        assert fewer([text, *pair, text]) == [text]
        assert fewer([*pair, text]) == pair
        assert fewer(pair) == pair[:1]
