"""What belongs to one case is taken out of a sentence, and what is left can be read."""

import string

import pytest
from hypothesis import given as always
from hypothesis import strategies as st
from tests.learner.conversations import call, conversation, result, user

from craftlog.learner import case_values
from craftlog.learner.calls import read


def general(text: str, *said: dict[str, object]) -> str:
    return case_values.of(read(conversation(user(text), *said))).without(text)[0]


class TestWhatIsTakenOut:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("I want to book a flight from Berlin to Porto on May 20th.", "I want to book a flight."),
            ("Please mail the report to dora@example.com by Friday.", "Please mail the report."),
            ("Cancel order A-1042 and order 77.", "Cancel order and order."),
            ("The build failed at 10:45 pm on 2024-05-20.", "The build failed."),
            ("I can pay up to $1,000 within the $50 limit.", "I can pay up within the limit."),
            ("Open https://example.com/x?y=1 and read /etc/hosts.", "Open and read."),
            ("My user ID is dora_q_42, but I lost my password.", "My user ID is …, but I lost my password."),
            ("Remove the passenger named Sophia from my trip.", "Remove the passenger from my trip."),
        ],
    )
    def test_by_how_it_is_written(self, text: str, expected: str):
        assert general(text) == expected

    @pytest.mark.parametrize("text", ["Send me the CSV, please.", "I'd say I'm done.", "What is my user ID?"])
    def test_but_not_what_everybody_writes_so(self, text: str):
        assert general(text) == text

    def test_what_a_tool_was_given_even_in_small_letters(self):
        assert general("Find the cheapest red lamp.", call("search", query="red lamp")) == "Find the cheapest."

    def test_what_a_tool_gave_back_where_it_is_no_ordinary_word(self):
        found = result({"owner": "quill", "team": "Blue Owls", "state": "open"})
        text = "Tell blue owls that the ticket is open."
        assert general(text, call("get_ticket"), found) == "Tell that the ticket is open."

    def test_but_not_the_words_of_the_tools_themselves(self):
        found = result({"prices": {"economy": 10, "business": 20}})
        given = call("search_flights", "c1"), found, call("book_seat", "c2", cabin="economy")
        assert general("Change my seat to economy.", *given) == "Change my seat to economy."

    @pytest.mark.parametrize("text", ["", "   ", "…", "?!", "请把报告发给我。", "Ich hätte gern einen Bericht."])
    def test_any_text_is_taken(self, text: str):
        general(text)


IDENTITIES = st.from_regex(r"\A[a-z]{2,5}_[a-z]{2,5}_[0-9]{2,5}\Z|\A[A-Z0-9]{4,8}[0-9]\Z|\A20[12][0-9]-0[1-9]-1[0-9]\Z")
NAMES = st.text(string.ascii_lowercase, min_size=4, max_size=9).map(lambda name: f"Zu{name}")
FREE = st.lists(NAMES, min_size=1, max_size=3).map(" ".join)


class TestAnyValue:
    @always(
        st.one_of(IDENTITIES, NAMES, FREE),
        st.sampled_from(["Please look at {} now.", "It is {}!", "{} is mine.", "({})"]),
    )
    def test_that_a_tool_was_given_is_gone(self, value: str, said: str):
        assert value.lower() not in general(said.format(value), call("look_at", thing=value)).lower()
