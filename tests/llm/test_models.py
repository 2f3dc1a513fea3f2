"""A model behind OpenAI's protocol: what is asked, what an answer is, and what each fault comes to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from pydantic import BaseModel

from craftlog.llm.models import AnswerError, Endpoint, Model, ModelAwayError, QuestionError, Turn, Usage
from craftlog.testing.scripted_model import Reply, ScriptedModel, scripted_model

TURNS = [Turn("system", "You count."), Turn("user", "How many?")]


class Count(BaseModel):
    """How many there are."""

    number: int


def says(value: Any, **how: Any) -> Callable[[Any], Reply]:
    return lambda _: Reply(content=json.dumps(value), **how)


@asynccontextmanager
async def asking(script: Callable[[Any], Reply], **how: Any) -> AsyncIterator[tuple[Model, ScriptedModel]]:
    with scripted_model(script) as server:
        model = Model(Endpoint(server.url, "counter", **{"timeout": 5.0} | how))
        try:
            yield model, server
        finally:
            await model.close()


class TestQuestion:
    async def test_asks_for_the_shape_with_a_strict_schema_and_a_cap(self) -> None:
        async with asking(says({"number": 3})) as (model, server):
            answer = await model.ask(TURNS, Count, most_tokens=77)
        assert answer.value == Count(number=3)
        body = server.asked[0].body
        assert body["messages"] == [
            {"role": "system", "content": "You count."},
            {"role": "user", "content": "How many?"},
        ]
        assert body["max_tokens"] == 77
        assert body["response_format"]["json_schema"]["strict"] is True
        assert body["response_format"]["json_schema"]["schema"]["additionalProperties"] is False

    async def test_takes_headers_query_key_and_arguments_along(self) -> None:
        how: dict[str, Any] = {
            "api_key": "sk-1",
            "headers": {"X-Team": "a"},
            "query": {"api-version": "7"},
            "arguments": {"temperature": 0},
        }
        async with asking(says({"number": 3}), **how) as (model, server):
            await model.ask(TURNS, Count, most_tokens=9)
        asked = server.asked[0]
        assert asked.headers["Authorization"] == "Bearer sk-1"
        assert asked.headers["X-Team"] == "a"
        assert asked.path == "/v1/chat/completions?api-version=7"
        assert asked.body["temperature"] == 0

    async def test_says_what_it_took(self) -> None:
        async with asking(says({"number": 3})) as (model, _):
            answer = await model.ask(TURNS, Count, most_tokens=9)
        assert answer.usage == Usage(prompt=4, completion=3)
        assert answer.model == "counter"

    @pytest.mark.parametrize(
        "usage", [None, "much", {"prompt_tokens": -1, "completion_tokens": 2}, {"prompt_tokens": None}]
    )
    async def test_is_as_good_where_nobody_can_read_what_it_took(self, usage: object) -> None:
        said = {"choices": [{"message": {"content": '{"number": 3}'}}], "usage": usage}
        async with asking(lambda _: Reply(raw=json.dumps(said).encode())) as (model, _):
            answer = await model.ask(TURNS, Count, most_tokens=9)
        assert (answer.value, answer.usage, answer.model) == (Count(number=3), Usage(), "counter")

    async def test_falls_back_to_a_tool_call_where_schemas_are_refused_and_stays_with_it(self) -> None:
        def without_schemas(body: Any) -> Reply:
            if "response_format" in body:
                return Reply("response_format is not supported", status=400)
            return Reply('{"number": 5}', finish_reason="tool_calls")

        async with asking(without_schemas) as (model, server):
            answers = [await model.ask(TURNS, Count, most_tokens=9) for _ in range(2)]
        assert [answer.value.number for answer in answers] == [5, 5]
        assert ["response_format" in asked.body for asked in server.asked] == [True, False, False]
        assert server.asked[1].body["tool_choice"] == "required"

    async def test_caps_an_answer_by_the_name_that_the_endpoint_knows(self) -> None:
        def newer(body: Any) -> Reply:
            if "max_tokens" not in body:
                return Reply('{"number": 5}')
            error = {"message": "Unsupported parameter", "code": "unsupported_parameter", "param": "max_tokens"}
            return Reply(status=400, raw=json.dumps({"error": error}).encode())

        async with asking(newer) as (model, server):
            for _ in range(2):
                assert (await model.ask(TURNS, Count, most_tokens=9)).value.number == 5
        assert [asked.body.get("max_completion_tokens") for asked in server.asked] == [None, 9, 9]
        assert all("response_format" in asked.body for asked in server.asked)

    async def test_is_given_up_where_the_cap_is_refused_by_any_name(self) -> None:
        def strict(body: Any) -> Reply:
            [cap] = {"max_tokens", "max_completion_tokens"} & set(body)
            return Reply(status=400, raw=json.dumps({"error": {"message": f"no {cap}", "param": cap}}).encode())

        async with asking(strict) as (model, _):
            with pytest.raises(QuestionError, match="no max_completion_tokens"):
                await model.ask(TURNS, Count, most_tokens=9)


class TestFault:
    @pytest.mark.parametrize(
        "reply",
        [
            Reply('{"number": "many"}'),
            Reply("{}"),
            Reply("Three, I think."),
            Reply('{"number": 3', finish_reason="length"),
            Reply('{"number": 3}', finish_reason="content_filter"),
            Reply(raw=b'{"choices": []}'),
            Reply(raw=b'{"choices": {"0": 1}}'),
            Reply(raw=b'{"choices": [{"message": null}]}'),
            Reply(raw=b'{"choices": [{"message": {"content": ["number", 3]}}]}'),
            Reply(raw=b'{"choices": [{"message": {"tool_calls": [{"function": {"name": "no", "arguments": "{}"}}]}}]}'),
        ],
        ids=[
            *(
                "wrong type",
                "nothing in it",
                "no JSON",
                "cut off",
                "withheld",
                "no choice",
                "odd choices",
                "no message",
            ),
            *("no text", "unknown tool"),
        ],
    )
    async def test_in_an_answer_is_the_answers(self, reply: Reply) -> None:
        async with asking(lambda _: reply) as (model, _):
            for _ in range(5):
                with pytest.raises(AnswerError):
                    await model.ask(TURNS, Count, most_tokens=9)

    @pytest.mark.parametrize(
        ("reply", "usage"),
        [
            (Reply("Three, I think."), Usage(prompt=4, completion=3)),
            (Reply('{"number": 3', finish_reason="length"), Usage(prompt=4, completion=3)),
            (Reply(raw=b'{"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 0}}'), Usage(prompt=7)),
            (Reply(raw=b'{"choices": [{"message": null}], "usage": {"completion_tokens": 5}}'), Usage(completion=5)),
            (Reply(raw=b'{"choices": [{"message": {"refusal": "No."}}], "usage": {"prompt_tokens": 7}}'), Usage(7)),
            (Reply(raw=b'{"choices": [], "usage": "much"}'), Usage()),
        ],
        ids=["no JSON", "cut off", "no choice", "no message", "refusal", "unreadable"],
    )
    async def test_in_an_answer_says_what_that_took(self, reply: Reply, usage: Usage) -> None:
        async with asking(lambda _: reply) as (model, _):
            with pytest.raises(AnswerError) as unusable:
                await model.ask(TURNS, Count, most_tokens=9)
        assert unusable.value.usage == usage

    async def test_of_a_question_that_is_refused_in_any_form_is_the_questions(self) -> None:
        async with asking(lambda _: Reply("context length exceeded", status=400)) as (model, server):
            for _ in range(5):
                with pytest.raises(QuestionError, match="context length exceeded"):
                    await model.ask(TURNS, Count, most_tokens=9)
        assert all("response_format" in asked.body for asked in server.asked[::2])

    async def test_of_a_question_that_is_too_large_for_the_endpoint_is_the_questions(self) -> None:
        async with asking(lambda _: Reply("too large", status=413)) as (model, _):
            for _ in range(5):
                with pytest.raises(QuestionError, match="too large"):
                    await model.ask(TURNS, Count, most_tokens=9)

    @pytest.mark.parametrize(
        "reply",
        [
            Reply("broken", status=500),
            Reply("slow down", status=429),
            Reply("who are you", status=401),
            Reply("no such model", status=404),
            Reply('{"number": 3}', after=0.6),
            Reply(raw=b"<html>a proxy</html>", headers={"Content-Type": "text/html"}),
            Reply(raw=b"{"),
            Reply(raw=b"\xff\x80"),
        ],
        ids=["500", "429", "401", "404", "slow", "HTML", "half a body", "no text"],
    )
    async def test_of_an_endpoint_is_a_delay_and_no_storm(self, reply: Reply) -> None:
        async with asking(lambda _: reply, timeout=0.3) as (model, server):
            for _ in range(20):
                with pytest.raises(ModelAwayError):
                    await model.ask(TURNS, Count, most_tokens=9)
        assert len(server.asked) == 3

    async def test_that_sends_a_byte_now_and_then_lasts_no_longer_than_a_call_may(self) -> None:
        async def dawdle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n")
            with suppress(ConnectionError):
                while True:
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(0.05)
            writer.close()
            hung_up.set()

        hung_up = asyncio.Event()
        async with await asyncio.start_server(dawdle, "127.0.0.1") as server:
            port = server.sockets[0].getsockname()[1]
            model = Model(Endpoint(f"http://127.0.0.1:{port}/v1", "counter", timeout=0.3))
            async with asyncio.timeout(20):
                with pytest.raises(ModelAwayError, match="TimeoutError"):
                    await model.ask(TURNS, Count, most_tokens=9)
                await model.close()
                await hung_up.wait()

    async def test_that_nobody_listens_is_a_delay(self) -> None:
        with scripted_model(says({"number": 3})) as server:
            gone = server.url
        model = Model(Endpoint(gone, "counter", timeout=1.0))
        with pytest.raises(ModelAwayError):
            await model.ask(TURNS, Count, most_tokens=9)
        await model.close()

    async def test_that_ends_is_over_with_the_first_answer(self) -> None:
        now = [0.0]
        with scripted_model(lambda _: Reply("broken", status=500)) as server:
            model = Model(Endpoint(server.url, "counter", timeout=5.0), clock=lambda: now[0])
            for _ in range(4):
                with pytest.raises(ModelAwayError):
                    await model.ask(TURNS, Count, most_tokens=9)
            server.script = says({"number": 3})
            with pytest.raises(ModelAwayError):
                await model.ask(TURNS, Count, most_tokens=9)
            now[0] = 1.0
            answers = [await model.ask(TURNS, Count, most_tokens=9) for _ in range(3)]
            await model.close()
        assert [answer.value.number for answer in answers] == [3, 3, 3]
