"""What is read of a chat completion: the client library believes an endpoint everything, and this does not."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Count = Annotated[int, Field(ge=0)] | None


class _Read(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Function(_Read):
    """A function that the model calls; the arguments are JSON."""

    name: str
    arguments: str


class Call(_Read):
    """A call of a tool of whatever type."""

    function: Function | None = None


class Message(_Read):
    """What the model says."""

    content: str | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None

    def arguments_of(self, tool: str) -> Iterator[str]:
        """Yield the arguments of the calls of one tool; those of tools that nobody offered are no answer."""
        for call in self.tool_calls or ():
            if call.function and call.function.name == tool:
                yield call.function.arguments


class Choice(_Read):
    """One of the answers."""

    message: Message
    finish_reason: str | None = None


class Completion(_Read):
    """The whole of it."""

    choices: list[Choice] | None = None
    model: str | None = None


class Details(_Read):
    """What the tokens of a prompt were."""

    cached_tokens: _Count = None


class Spending(_Read):
    """What it took, in tokens."""

    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    prompt_tokens_details: Details | None = None
