"""Asking a model one question for one structured answer, on any endpoint that speaks OpenAI's protocol."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from json import JSONDecodeError
from typing import Any, Final, Generic, Literal, TypeVar

import openai
import structlog
from openai.types.chat import ChatCompletion, ChatCompletionFunctionToolParam
from pydantic import BaseModel, ValidationError

from craftlog.llm.breaker import Breaker
from craftlog.llm.protocol import Completion, Spending

T = TypeVar("T", bound=BaseModel)

_REFUSED_FOR_GOOD: Final = (openai.BadRequestError, openai.UnprocessableEntityError)
_NOT_WHOLE: Final = ("length", "content_filter")
_NAME: Final = "answer"
_NEWER_CAP: Final = "max_completion_tokens"
_MOST_WRONG: Final = 5

logger = structlog.get_logger()


class ModelAwayError(Exception):
    """The endpoint gives no answer, refuses the key or has no such model: a delay, whatever was asked."""


class LeftAloneError(ModelAwayError):
    """The endpoint was not asked, or asks not to be: that says nothing of the question."""


class QuestionError(Exception):
    """The endpoint refuses this very question, such as one that is too long."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is and how it is asked.

    ``timeout`` in seconds for a whole call. ``headers``, ``query`` and ``arguments`` (of the completion, such as
    ``{"temperature": 0}``) go with every call.
    """

    base_url: str
    model: str
    api_key: str = "none"
    timeout: float = 60.0
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, object] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer took, in tokens; ``cached`` of the ``prompt`` cost less."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.prompt + other.prompt, self.completion + other.completion, self.cached + other.cached)


class AnswerError(Exception):
    """The model answered, and not with what was asked for; the text says why. Another try may go better.

    ``usage`` is what the answer took: it is paid like any other.
    """

    def __init__(self, reason: str, usage: Usage | None = None) -> None:
        super().__init__(reason)
        self.usage = usage or Usage()


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A model's answer in the shape that was wanted, and the name that the endpoint gives the model."""

    value: T
    usage: Usage
    model: str


class Model:
    """One model on one endpoint, with a circuit breaker before it.

    It never tries again by itself: how long to wait is for whoever knows what else there is to do. An endpoint that
    refuses a JSON schema is asked with a tool call from then on, and one that refuses the cap of an answer by its older
    name gets it by the newer one.
    """

    def __init__(self, endpoint: Endpoint, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = endpoint.model
        self._endpoint = endpoint
        self._clock = clock
        self._breaker = Breaker()
        self._by_tool = False
        self._cap = "max_tokens"
        self._client = openai.AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.api_key,
            timeout=endpoint.timeout,
            max_retries=0,
            default_headers=dict(endpoint.headers),
            default_query=dict(endpoint.query),
        )

    async def ask(self, turns: Sequence[Turn], wanted: type[T], most_tokens: int) -> Answer[T]:
        """Return the answer to a prompt in the shape ``wanted``, of at most ``most_tokens``.

        Raises:
            ModelAwayError: there was no answer, or the circuit is open.
            AnswerError: the answer was cut off, withheld, or has another shape.
            QuestionError: the endpoint refuses what was asked.
        """
        if not self._breaker.admits(self._clock(), self._endpoint.timeout):
            raise LeftAloneError(f"{self.name} did not answer; it is left alone for a while")
        try:
            completion = await self._completion(turns, _tool(wanted), most_tokens)
        except _REFUSED_FOR_GOOD as error:
            self._breaker.succeeded()
            raise QuestionError(_first_line(error)) from error
        except (openai.APIError, JSONDecodeError, UnicodeDecodeError, TimeoutError) as error:
            if _is_too_large(error):
                self._breaker.succeeded()
                raise QuestionError(_first_line(error)) from error
            self._breaker.failed(self._clock(), _retry_after(error))
            what = LeftAloneError if isinstance(error, openai.RateLimitError) else ModelAwayError
            raise what(f"{self.name} does not answer: {_first_line(error)}") from error
        if not isinstance(completion, ChatCompletion):
            self._breaker.failed(self._clock())
            raise ModelAwayError(f"{self.name} does not speak the protocol; is the address right?")
        self._breaker.succeeded()
        return _answer(completion, wanted, self.name)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _completion(
        self, turns: Sequence[Turn], tool: ChatCompletionFunctionToolParam, most_tokens: int
    ) -> ChatCompletion:
        """Ask with a JSON schema, or with a tool call where the endpoint has refused that."""
        if not self._by_tool:
            try:
                return await self._create(turns, most_tokens, response_format=_schema(tool))
            except _REFUSED_FOR_GOOD as refusal:
                # Nothing says whether the schema was refused or the question: the same question by tool call tells.
                logger.info("schema_refused", model=self.name, reason=_first_line(refusal))
        completion = await self._create(turns, most_tokens, tools=[tool], tool_choice="required")
        self._by_tool = True
        return completion

    async def _create(self, turns: Sequence[Turn], most_tokens: int, **shape: Any) -> ChatCompletion:
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        how: dict[str, Any] = {self._cap: most_tokens, **self._endpoint.arguments, **shape, "messages": messages}
        try:
            # The client's own timeout begins anew with each byte.
            async with asyncio.timeout(self._endpoint.timeout):
                completion: ChatCompletion = await self._client.chat.completions.create(model=self.name, **how)
        except openai.BadRequestError as refusal:
            if self._cap == _NEWER_CAP or refusal.param != self._cap:
                raise
            self._cap = _NEWER_CAP
            return await self._create(turns, most_tokens, **shape)
        return completion


@cache
def _tool(wanted: type[BaseModel]) -> ChatCompletionFunctionToolParam:
    """Return a tool that takes this shape; made once, since a schema takes as long as a short question."""
    return openai.pydantic_function_tool(wanted, name=_NAME)


def _schema(tool: ChatCompletionFunctionToolParam) -> Mapping[str, Any]:
    """Return the response format with a tool's parameters, which are a strict schema already."""
    described = {"name": _NAME, "strict": True, "schema": tool["function"]["parameters"]}
    return {"type": "json_schema", "json_schema": described}


def _answer(completion: ChatCompletion, wanted: type[T], name: str) -> Answer[T]:
    usage = _usage(completion, name)
    try:
        read = Completion.model_validate(completion)
    except ValidationError as error:
        raise AnswerError(f"the answer is none in this protocol: {_in_words(error)}", usage) from error
    if not read.choices:
        raise AnswerError("the answer has no choices", usage)
    choice = read.choices[0]
    if choice.finish_reason in _NOT_WHOLE:
        raise AnswerError(f"the answer is not whole: {choice.finish_reason}", usage)
    text = next(choice.message.arguments_of(_NAME), choice.message.content)
    if text is None:
        raise AnswerError(f"the model refuses: {choice.message.refusal}", usage)
    try:
        value = wanted.model_validate_json(text)
    except ValidationError as error:
        raise AnswerError(_in_words(error), usage) from error
    return Answer(value, usage, read.model or name)


def _usage(completion: ChatCompletion, name: str) -> Usage:
    """Return what the endpoint says that it took; nothing where that cannot be read, for the answer is as good."""
    try:
        said = Spending.model_validate(completion.usage)
    except ValidationError as error:
        if completion.usage is not None:
            logger.warning("usage_unreadable", model=name, reason=_in_words(error))
        return Usage()
    details = said.prompt_tokens_details
    return Usage(said.prompt_tokens or 0, said.completion_tokens or 0, (details and details.cached_tokens) or 0)


def _in_words(error: ValidationError) -> str:
    """Return what is wrong with each field, so that a model can do better."""
    wrong = (f"{'.'.join(map(str, one['loc'])) or 'answer'}: {one['msg']}" for one in error.errors()[:_MOST_WRONG])
    return "; ".join(wrong)


def _is_too_large(error: Exception) -> bool:
    return isinstance(error, openai.APIStatusError) and error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def _retry_after(error: Exception) -> float | None:
    value = error.response.headers.get("retry-after", "") if isinstance(error, openai.APIStatusError) else ""
    return float(value) if value.isdecimal() else None


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]
