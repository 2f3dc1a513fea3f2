"""The shortest way that worked, and where each argument comes from."""

from tests.learner.conversations import REFUND, agent, call, conversation, result, user

from craftlog.learner import procedure
from craftlog.learner.calls import read


def way(*said: dict[str, object]) -> list[str]:
    return [step.tool for step in procedure.shortest(read(conversation(*said)).calls).steps]


def told(*said: dict[str, object]) -> list[str]:
    known = read(conversation(*said))
    return [step.action for step in procedure.told(procedure.shortest(known.calls), known)]


class TestTheShortestWay:
    def test_thoughts_refusals_repeats_and_empty_searches_are_left_out(self):
        found = procedure.shortest(
            read(
                conversation(
                    call("search", "1", q="a"),
                    result("[]", "1"),
                    call("search", "2", q="b"),
                    result([{"id": 7}], "2"),
                    call("search", "3", q="b"),
                    result([{"id": 7}], "3"),
                    call("think", "4", thought="So."),
                    call("open_case", "5", id=7),
                    result("Error: no title", "5"),
                    call("open_case", "6", id=7, title="x"),
                    result("opened", "6"),
                )
            ).calls
        )
        assert ([step.tool for step in found.steps], found.detours) == (["search", "open_case"], 2)

    def test_what_is_done_for_each_is_told_once(self):
        rounds = [call("read", str(n), id=n) if n % 2 else call("tag", str(n), id=n) for n in range(1, 7)]
        assert way(*rounds, call("report", "9")) == ["read", "tag", "report"]

    def test_the_same_tool_at_another_point_is_another_step(self):
        assert way(call("run", "1", c="a"), call("edit", "2"), call("run", "3", c="b")) == ["run", "edit", "run"]

    def test_a_tool_that_was_only_refused_is_no_step(self):
        assert way(call("find", "1"), result("x", "1"), call("store", "2"), result("Error", "2")) == ["find"]


class TestTelling:
    def test_arguments_come_from_the_user_from_results_or_from_the_case(self):
        find, get, refund = told(*REFUND)
        assert find == "Find customer with the customer id the user gave."
        assert get == "Get order with the order id the user gave."
        assert refund == (
            "Once the user agrees, refund order with the order id the user gave; the card found by find_customer; "
            "the amount found by get_order. Check the card first: what is wrong is refused."
        )

    def test_a_result_that_repeats_what_was_given_found_nothing(self):
        said = (call("look", "1", city="JFK"), result({"city": "JFK"}, "1"), call("book", "2", city="JFK"))
        assert told(*said)[1] == "Book with the city given to look."

    def test_a_refused_call_is_no_source(self):
        refused = call("run", "1", place="staging", text="a"), result("Error: wrong text", "1")
        worked = call("run", "2", place="staging", text="b"), result("done", "2")
        assert told(*refused, *worked, call("check", "3", place="staging")) == [
            "Run with the place and text the case needs. Check the text first: what is wrong is refused.",
            "Check with the place given to run.",
        ]

    def test_a_date_is_recognised_as_people_say_it(self):
        assert told(user("It must be May 3rd."), call("plan", day="2024-05-03")) == ["Plan with the day the user gave."]

    def test_what_varies_is_named(self):
        said = (user("Close them."), call("close", "1", id="A1", why="x"), call("close", "2", id="B2", why="x"))
        assert told(*said) == ["Close with the id and why the case needs, once for each id."]

    def test_agreement_counts_only_as_an_answer_to_a_question(self):
        asked, unasked = agent("Shall I delete it?"), agent("I looked at it.")
        deletes = call("delete_file")
        assert told(asked, user("Yes."), deletes) == ["Once the user agrees, delete file."]
        assert told(unasked, user("Yes."), deletes) == told(asked, user("Wait."), deletes) == ["Delete file."]

    def test_a_long_way_is_cut(self):
        said = [call(f"step_{'abcdefghijklmnopqrstuvwxyz'[n]}", str(n)) for n in range(26)]
        assert len(told(*said)) == procedure.MOST_STEPS


class TestPageTitle:
    def title(self, *tools: str) -> str:
        found = procedure.shortest(read(conversation(*(call(tool, tool) for tool in tools))).calls)
        return procedure.page_title(found)

    def test_it_is_what_the_last_change_is_about(self):
        assert self.title("get_user", "update_order_items", "get_order") == "order_items"

    def test_without_a_change_it_is_what_was_looked_at(self):
        assert self.title("search_news", "think") == "news"

    def test_it_never_says_skill_or_sop_and_is_short(self):
        assert self.title("create_skill_for_the_new_sop_page_of_users") == "new_page_users"

    def test_there_is_always_one(self):
        assert self.title() == self.title("run") == "general"
