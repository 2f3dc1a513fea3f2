"""Asking other services: at once, within a budget, and in words where nobody answers."""

from typing import Final, TypeVar

from nats.errors import NoRespondersError

from craftlog.contracts.messages import Shape
from craftlog.contracts.subjects import ask
from craftlog.gateway.handlers import Gateway
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.jetstream import CONNECTION_ERRORS

A = TypeVar("A", bound=Shape)

BUDGET: Final = 10.0


async def answer_of(
    gateway: Gateway, service: str, question: str, asked: Shape, answered: type[A], *, budget: float = BUDGET
) -> A:
    """Return what a service answers within the budget (seconds).

    Raises:
        UnavailableError: nobody answers; at once where the service is not running.
    """
    try:
        body = asked.model_dump_json().encode()
        reply = await gateway.log.client.request(ask(service, question), body, timeout=budget)
    except NoRespondersError as nobody:
        raise UnavailableError(f"the {service} service is not running") from nobody
    except CONNECTION_ERRORS as error:
        raise UnavailableError(f"the {service} service does not answer", error) from error
    return answered.model_validate_json(reply.data)
