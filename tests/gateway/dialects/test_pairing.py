"""Calls and results find each other over a conversation, also where no message has an id."""

from craftlog.contracts.messages import Message, Part
from craftlog.gateway.dialects.pairing import call_id, identified, lacks_calls, paired, tool_name


def call(name: str, **meta: object) -> Part:
    return Part(type="tool-call", meta={"name": name, "arguments": "{}", **meta})


def result(name: str = "", **meta: object) -> Part:
    return Part(type="tool-result", text="done", meta={**({"name": name} if name else {}), **meta})


def conversation(*turns: list[Part]) -> list[Message]:
    """Return messages at 1, 2, 3 …; those with results are the user's."""
    return [
        Message(
            message_id=str(position),
            position=position,
            role="user" if any(part.type == "tool-result" for part in parts) else "assistant",
            parts=tuple(parts),
        )
        for position, parts in enumerate(turns, start=1)
    ]


def ids(messages: list[Message]) -> list[list[str]]:
    return [[call_id(part) for part in message.parts] for message in messages]


class TestPaired:
    def test_results_without_ids_answer_the_calls_of_their_name_in_order(self) -> None:
        messages = conversation(
            [call("find"), call("book"), call("find")], [result("book"), result("find"), result("find")]
        )
        assert ids(paired(messages)) == [
            ["call_1_0", "call_1_1", "call_1_2"],
            ["call_1_1", "call_1_0", "call_1_2"],
        ]

    def test_results_in_messages_of_their_own_do_so_too(self) -> None:
        messages = conversation([call("find"), call("find")], [result("find")], [result("find")])
        assert ids(paired(messages)) == [["call_1_0", "call_1_1"], ["call_1_0"], ["call_1_1"]]

    def test_a_turn_may_have_several_messages(self) -> None:
        messages = conversation([call("find")], [call("find")], [result("find"), result("find")])
        assert ids(paired(messages)) == [["call_1_0"], ["call_2_0"], ["call_1_0", "call_2_0"]]

    def test_a_call_that_was_never_answered_does_not_take_the_result_of_a_later_one(self) -> None:
        messages = conversation([call("find")], [result("book")], [call("find")], [result("find")])
        assert ids(paired(messages)) == [["call_1_0"], ["call_2_0"], ["call_3_0"], ["call_3_0"]]

    def test_what_has_an_id_keeps_it_and_learns_the_name_of_its_tool(self) -> None:
        messages = conversation(
            [call("find", id="a"), call("book", id="b")], [result(tool_call_id="b"), result("find")]
        )
        _, answered = paired(messages)
        assert [(call_id(part), tool_name(part)) for part in answered.parts] == [("b", "book"), ("a", "find")]

    def test_the_page_does_not_change_the_ids(self) -> None:
        messages = conversation([call("find")], [result("find")], [call("find")], [result("find")])
        whole = paired(messages)
        for cut in range(len(messages)):
            assert paired(messages[cut:], before=messages[:cut]) == whole[cut:]

    def test_what_was_sent_stays_beside_what_follows_from_it(self) -> None:
        messages = paired(conversation([call("find")], [result("find"), result(tool_call_id="x")]))
        assert [part.meta for part in messages[1].parts] == [
            {"name": "find", "paired": {"id": "call_1_0"}},
            {"tool_call_id": "x"},
        ]
        assert [identified(part) for part in messages[1].parts] == [
            {"name": "find", "tool_call_id": "call_1_0"},
            {"tool_call_id": "x"},
        ]

    def test_asking_twice_changes_nothing(self) -> None:
        messages = conversation([call("find")], [result("find")], [result(tool_call_id="x")])
        assert paired(paired(messages)) == paired(messages)


class TestLacksCalls:
    def test_tells_of_a_result_without_an_id_whose_call_came_before(self) -> None:
        messages = conversation([call("find")], [result("find")], [call("find", id="b")], [result("find")])
        assert not lacks_calls(messages)
        assert lacks_calls(messages[1:])
        assert not lacks_calls(messages[2:])
        assert lacks_calls(messages[3:])

    def test_tells_of_one_that_does_not_name_its_tool_where_that_matters(self) -> None:
        messages = conversation([call("find", id="a")], [result(tool_call_id="a")])
        assert not lacks_calls(messages, "names")
        assert not lacks_calls(messages[1:])
        assert lacks_calls(messages[1:], "names")

    def test_tells_of_any_that_answers_a_call_from_before_where_that_matters(self) -> None:
        messages = conversation([call("find", id="a")], [result("find", tool_call_id="a")])
        assert not lacks_calls(messages, "calls")
        assert not lacks_calls(messages[1:], "names")
        assert lacks_calls(messages[1:], "calls")
