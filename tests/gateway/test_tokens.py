import pytest

from craftlog.contracts.messages import Message, Part
from craftlog.gateway import tokens


def said(*parts: Part) -> Message:
    return Message(message_id="m", position=1, role="user", parts=parts)


class TestOfTexts:
    @pytest.mark.parametrize(
        ("text", "count"),
        [
            ("", 0),
            ("hello world", 2),
            ("tiktoken is great!", 6),
            ("antidisestablishmentarianism", 6),
            ("2 + 2 = 4", 7),
            ("お誕生日おめでとう", 8),
            ("   \n\n\t x", 3),
            ("🧠", 3),
            ("a\0b", 3),
            ("<|endoftext|>", 7),
        ],
    )
    def test_counts_as_the_published_tokenizer_does(self, text, count):
        assert tokens.of_texts([text]) == [count]


class TestCount:
    def test_sums_up_what_is_said(self):
        assert tokens.count([said(Part(type="text", text="hello world")), said(Part(type="text", text="hello"))]) == 3

    def test_includes_names_arguments_and_results(self):
        call = Part(type="tool-call", meta={"id": "not counted", "name": "hello world", "arguments": "2 + 2 = 4"})
        answer = Part(type="tool-result", text="hello world", meta={"tool_call_id": "not counted"})
        assert tokens.each([said(call), said(answer), said(call, answer)]) == [9, 2, 11]

    def test_counts_arguments_that_are_no_text_as_the_json_they_are(self):
        as_text = Part(type="tool-call", meta={"name": "f", "arguments": '{"città":[1,null]}'})
        as_json = Part(type="tool-call", meta={"name": "f", "arguments": {"città": [1, None]}})
        assert tokens.count([said(as_json)]) == tokens.count([said(as_text)])

    def test_an_image_and_an_empty_history_count_nothing(self):
        assert tokens.count([said(Part(type="image", meta={"url": "https://example.com/a.png"}))]) == 0
        assert tokens.count([]) == 0
