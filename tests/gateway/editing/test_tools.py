from tests.gateway.editing.histories import call, history, result, text

from craftlog.contracts.messages import Message, Part
from craftlog.gateway.editing.strategies import RemoveCallParams, RemoveToolResults, Spared
from craftlog.gateway.editing.tools import without_params, without_results

MESSAGES = history(
    ("user", [text("go")], {}),
    ("assistant", [call("a", "find", '{"q":1}'), call("b", "book", '{"q":2}')], {}),
    ("user", [result("b", "booked " * 50), result("a", "found")], {}),
    ("assistant", [call("c", "find", '{"q":3}')], {}),
    ("user", [result("c", "found again")], {}),
)


def results(messages: list[Message]) -> list[str | None]:
    return [part.text for message in messages for part in message.parts if part.type == "tool-result"]


def arguments(messages: list[Message]) -> list[str]:
    return [part.meta["arguments"] for message in messages for part in message.parts if part.type == "tool-call"]


class TestWithoutResults:
    def test_keeps_the_last_ones_counted_by_result_not_by_message(self):
        emptied = without_results(MESSAGES, RemoveToolResults(Spared(recent=2)))
        assert results(emptied) == ["Done", "found", "found again"]

    def test_keeps_none_where_none_is_to_be_kept(self):
        assert results(without_results(MESSAGES, RemoveToolResults(Spared(recent=0), "x"))) == ["x", "x", "x"]

    def test_keeps_all_where_there_are_no_more(self):
        assert without_results(MESSAGES, RemoveToolResults(Spared(recent=3))) == MESSAGES

    def test_knows_a_result_s_tool_by_its_call_and_does_not_count_tools_that_are_kept(self):
        wanted = RemoveToolResults(Spared(recent=1, tools=frozenset({"book"})))
        assert results(without_results(MESSAGES, wanted)) == ["booked " * 50, "Done", "found again"]

    def test_knows_a_result_s_tool_by_a_call_before_the_page_too(self):
        wanted = RemoveToolResults(Spared(recent=0, tools=frozenset({"book"})))
        assert results(without_results(MESSAGES[2:], wanted, MESSAGES[:2])) == ["booked " * 50, "Done", "Done"]

    def test_keeps_what_has_no_more_tokens_than_said(self):
        wanted = RemoveToolResults(Spared(recent=0, up_to=2))
        assert results(without_results(MESSAGES, wanted)) == ["Done", "found", "found again"]

    def test_what_belongs_to_a_result_goes_with_its_content(self):
        image = Part(type="image", meta={"url": "https://example.com/a.png", "of_result": True})
        seen = Part(type="tool-result", text="see", meta={"tool_call_id": "a", "is_error": True, "anthropic": {"x": 1}})
        messages = history(("assistant", [call("a", "find")], {}), ("user", [seen, image, text("and?")], {}))
        _, emptied = without_results(messages, RemoveToolResults(Spared(recent=0)))
        assert emptied.parts == (
            Part(type="tool-result", text="Done", meta={"tool_call_id": "a", "is_error": True}),
            text("and?"),
        )

    def test_what_a_provider_asked_its_own_servers_stays(self):
        there = {"tool_call_id": "a", "type": "web_search_tool_result"}
        messages = history(("assistant", [call("a", "web"), Part(type="tool-result", text="[]", meta=there)], {}))
        assert without_results(messages, RemoveToolResults(Spared(recent=0))) == messages
        assert without_params(messages, RemoveCallParams(Spared(recent=0))) == messages


class TestWithoutParams:
    def test_keeps_the_last_ones_counted_by_call(self):
        assert arguments(without_params(MESSAGES, RemoveCallParams(Spared(recent=1)))) == ["{}", "{}", '{"q":3}']

    def test_keeps_tools_and_what_is_small(self):
        spared = Spared(recent=0, tools=frozenset({"book"}))
        assert arguments(without_params(MESSAGES, RemoveCallParams(spared))) == ["{}", '{"q":2}', "{}"]
        assert without_params(MESSAGES, RemoveCallParams(Spared(recent=0, up_to=100))) == MESSAGES

    def test_names_and_ids_stay(self):
        emptied = without_params(MESSAGES, RemoveCallParams(Spared(recent=0)))
        assert emptied[3].parts == (call("c", "find", "{}"),)
