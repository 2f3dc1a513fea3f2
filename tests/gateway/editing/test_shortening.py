from collections.abc import Sequence

import pytest
from tests.gateway.editing.histories import Said, call, history, result, text

from craftlog.contracts.messages import Message
from craftlog.gateway import tokens
from craftlog.gateway.editing.shortening import from_the_middle, from_the_oldest

TEN = "yes " * 9 + "yes"


def said(role: str, words: str = TEN, **meta: str) -> Said:
    return ("assistant" if role == "assistant" else "user", [text(words)], meta)


def exchange(one: str) -> list[Said]:
    return [("assistant", [text(TEN), call(one, "", "")], {}), ("user", [result(one, TEN)], {})]


def ids(messages: Sequence[Message]) -> str:
    return " ".join(message.message_id[1:] for message in messages)


TALK = history(*[said(role) for _ in range(4) for role in ("user", "assistant")])
RUN = history(said("user"), *exchange("a"), *exchange("b"), *exchange("c"), said("assistant"))


def test_the_histories_of_these_tests_have_ten_tokens_a_message():
    assert tokens.each(TALK) == [10] * 8
    assert tokens.each(RUN) == [10] * 8


class TestFromTheOldest:
    @pytest.mark.parametrize(
        ("limit", "left"),
        [(80, "1 2 3 4 5 6 7 8"), (79, "3 4 5 6 7 8"), (60, "3 4 5 6 7 8"), (59, "5 6 7 8"), (20, "7 8"), (1, "7 8")],
    )
    def test_a_question_goes_with_its_answer_and_the_newest_stays(self, limit, left):
        assert ids(from_the_oldest(TALK, limit)) == left

    @pytest.mark.parametrize(
        ("limit", "left"), [(79, "1 4 5 6 7 8"), (60, "1 4 5 6 7 8"), (50, "1 6 7 8"), (20, "1 8"), (1, "1 8")]
    )
    def test_of_a_long_turn_the_oldest_steps_go_before_the_question(self, limit, left):
        assert ids(from_the_oldest(RUN, limit)) == left

    def test_of_a_turn_that_goes_on_the_last_step_stays(self):
        assert ids(from_the_oldest(RUN[:-1], 1)) == "1 6 7"
        assert ids(from_the_oldest(RUN[:-2], 1)) == "1 6"

    def test_an_old_turn_goes_step_by_step_too(self):
        messages = history(said("user"), *exchange("a"), said("assistant"), said("user"), said("assistant"))
        assert ids(from_the_oldest(messages, 50)) == "1 4 5 6"
        assert ids(from_the_oldest(messages, 30)) == "5 6"

    def test_instructions_stay(self):
        rules = said("user", original_role="system"), said("user", original_role="developer")
        messages = history(rules[0], said("user"), rules[1], said("assistant"), said("user"), said("assistant"))
        assert ids(from_the_oldest(messages, 40)) == "1 3 5 6"
        assert ids(from_the_oldest(messages, 1)) == "1 3 5 6"

    def test_an_agent_that_speaks_first_needs_no_question(self):
        messages = history(said("assistant"), *exchange("a"), *exchange("b"))
        assert ids(from_the_oldest(messages, 40)) == "2 3 4 5"
        assert ids(from_the_oldest(messages, 20)) == "4 5"

    def test_a_result_without_its_call_goes_by_itself(self):
        messages = history(*exchange("a")[1:], said("user"), said("assistant"))
        assert ids(from_the_oldest(messages, 20)) == "2 3"

    def test_a_result_of_a_call_before_the_page_stays_with_it(self):
        calls: Said = ("assistant", [call("a", "f"), call("b", "f")], {})
        answers: list[Said] = [("user", [result(one, TEN)], {}) for one in "ab"]
        messages = history(said("user"), calls, *answers, said("assistant"), said("user"), said("assistant"))
        for shorten in (from_the_oldest, from_the_middle):
            assert ids(shorten(messages[3:], 1, messages[:3])) == "4 6 7"
            assert ids(shorten(messages[2:], 1, messages[:2])) == "3 4 6 7"

    def test_results_of_one_message_hold_all_their_calls_together(self):
        both: list[Said] = [("assistant", [call("a", "f"), call("b", "f")], {})]
        both += [("user", [result("b", TEN)], {}), ("user", [result("a", TEN)], {})]
        messages = history(said("user"), *both, said("assistant"))
        assert ids(from_the_oldest(messages, 35)) == "1 5"


class TestFromTheMiddle:
    @pytest.mark.parametrize(
        ("limit", "left"), [(80, "1 2 3 4 5 6 7 8"), (60, "1 2 5 6 7 8"), (40, "1 2 7 8"), (20, "7 8"), (1, "7 8")]
    )
    def test_what_is_nearest_to_the_middle_goes_first(self, limit, left):
        assert ids(from_the_middle(TALK, limit)) == left

    @pytest.mark.parametrize(("limit", "left"), [(60, "1 2 3 6 7 8"), (40, "1 6 7 8"), (20, "1 8"), (1, "1 8")])
    def test_of_a_long_turn_the_steps_in_the_middle_go_before_the_question(self, limit, left):
        assert ids(from_the_middle(RUN, limit)) == left

    def test_of_a_turn_in_the_middle_the_steps_go_before_question_and_answer(self):
        turn = [said("user"), said("assistant")]
        messages = history(*turn, said("user"), *exchange("a"), *exchange("b"), said("assistant"), *turn)
        assert ids(from_the_middle(messages, 80)) == "1 2 3 6 7 8 9 10"
        assert ids(from_the_middle(messages, 60)) == "1 2 3 8 9 10"
        assert ids(from_the_middle(messages, 50)) == "1 2 9 10"

    def test_the_middle_is_counted_in_tokens(self):
        long = said("user", "yes " * 100)
        messages = history(long, said("assistant"), *[said(role) for _ in range(3) for role in ("user", "assistant")])
        assert ids(from_the_middle(messages, 100)) == "3 4 5 6 7 8"

    def test_instructions_stay(self):
        messages = history(said("user", original_role="system"), *[said("user"), said("assistant")] * 3)
        assert ids(from_the_middle(messages, 30)) == "1 6 7"
