"""What a conversation was: who said what, and which call got which result."""

import pytest
from tests.learner.conversations import agent, call, conversation, result, user

from craftlog.contracts.messages import Message, Part
from craftlog.learner.calls import Call, read, words


class TestReading:
    def test_a_result_belongs_to_the_newest_call_with_its_id_that_has_none(self):
        # One agent was seen to use an id again within a conversation.
        calls = read(conversation(call("find", "x"), result("one", "x"), call("store", "x"), result("two", "x"))).calls
        assert [(one.tool, one.result) for one in calls] == [("find", "one"), ("store", "two")]

    def test_results_of_parallel_calls_find_their_call_in_any_order(self):
        calls = read(conversation(call("find", "x"), call("store", "y"), result("two", "y"), result("one", "x"))).calls
        assert [(one.tool, one.result) for one in calls] == [("find", "one"), ("store", "two")]

    def test_no_result_takes_anothers_place(self):
        calls = read(conversation(call("find", "x"), call("find", "x"), result("one", "x"), result("two", "x"))).calls
        assert {one.result for one in calls} == {"one", "two"}

    def test_a_result_without_an_id_is_found_by_name(self):
        calls = read(conversation(call("find", "x"), result("one", None, name="find"))).calls
        assert calls[0].result == "one"

    def test_instructions_of_the_system_are_not_the_users_words(self):
        part = Part(type="text", text="You are an agent.")
        system = Message(message_id="m0", position=1, role="user", parts=(part,), meta={"original_role": "system"})
        assert read([system, *conversation(user("Hello"), agent("Hi"))]).user_texts == ["Hello"]

    @pytest.mark.parametrize("arguments", ["not JSON", "[1, 2]", "", None, {"a": 1}, 7])
    def test_arguments_of_any_shape_are_read(self, arguments: object):
        part = Part(type="tool-call", meta={"name": "find", "arguments": arguments})
        message = Message(message_id="m1", position=1, role="assistant", parts=(part,))
        assert read([message]).calls[0].tool == "find"


class TestFailure:
    @pytest.mark.parametrize(
        "text",
        [
            "Error: no such order",
            "Traceback (most recent call last):",
            '{"error": "no such order"}',
            '{"success": false}',
            '{"status": "failed", "code": 3}',
            "failed to connect",
            "HTTP 404 not found",
        ],
    )
    def test_an_error_is_told_by_its_shape(self, text: str):
        assert read(conversation(call("find"), result(text))).calls[0].failed

    @pytest.mark.parametrize(
        "text", ["", "done", '{"error": null, "id": 4}', '[{"success": true}]', "404 pages were read"]
    )
    def test_anything_else_is_none(self, text: str):
        assert not read(conversation(call("find"), result(text))).calls[0].failed

    def test_a_provider_may_say_so(self):
        assert read(conversation(call("find"), result("sorry", is_error=True))).calls[0].failed


class TestNames:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("get_user_details", ["get", "user", "details"]),
            ("createPullRequest", ["create", "pull", "request"]),
            ("mcp__github__list-issues", ["mcp", "github", "list", "issues"]),
        ],
    )
    def test_words_are_found_in_any_style(self, name: str, expected: list[str]):
        assert words(name) == expected

    def test_a_tool_for_thoughts_is_known_by_its_name_or_its_argument(self):
        assert Call("think", {"thought": "Hm."}, 0).is_thinking
        assert Call("note", {"reasoning": "Hm."}, 0).is_thinking
        assert not Call("rethink_budget", {"amount": 3, "year": 2}, 0).is_thinking
