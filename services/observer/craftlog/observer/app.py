"""Composition root: the only place where the observer reads the environment and builds clients."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final

from pydantic import Field, SecretStr

from craftlog.contracts.readmodels import BOARDS, OBSERVER_DUE
from craftlog.contracts.subjects import OBSERVER_HEARS, Address, Kind
from craftlog.llm.models import Endpoint, Model
from craftlog.observer import settings as own_settings
from craftlog.observer.agent import Agent
from craftlog.observer.decider import INITIAL, decide, evolve
from craftlog.observer.handlers import Listener
from craftlog.observer.modelled import CriteriaOf, ModelAgent, Prices, no_criteria
from craftlog.observer.observing import Observer
from craftlog.observer.parked import Parked
from craftlog.observer.projection import project
from craftlog.observer.prompting import Budget
from craftlog.observer.reading import Reader
from craftlog.observer.rules import RulesAgent
from craftlog.observer.settings import Patience
from craftlog.observer.store import COLLECTIONS, SETTINGS, Boards, OwnSettings
from craftlog.observer.tab import Tab
from craftlog.runtime import telemetry
from craftlog.runtime.desk import Desk, Rules
from craftlog.runtime.lane import Lane
from craftlog.runtime.log import Log, patiently
from craftlog.runtime.mongo import MongoStore, connect, reach
from craftlog.runtime.objects import Objects
from craftlog.runtime.projector import Projector
from craftlog.runtime.rebuild import prepare
from craftlog.runtime.service import Running, broker, run
from craftlog.runtime.settings import Settings
from craftlog.runtime.work import Work

_FILLED_BY: Final = {
    BOARDS: ["observer-board"],
    OBSERVER_DUE: [OBSERVER_HEARS],
    SETTINGS: ["observer-project", OBSERVER_HEARS],
}


class ObserverSettings(Settings):
    """What the observer takes from the environment besides. See ``settings.Patience``; times in seconds.

    With ``llm_base_url`` and ``llm_model`` a model observes, else the rules do. Headers, query and arguments of the
    completion are JSON; prices are for a million tokens; ``observe_prompt_*`` are tokens.
    """

    observe_messages: int = Field(default=16, ge=1)
    observe_idle: float = Field(default=4.0, ge=0, allow_inf_nan=False)
    observe_age: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    observe_prompt_board: int = 3_000
    observe_prompt_messages: int = 8_000
    llm_base_url: str | None = None
    llm_api_key: SecretStr = SecretStr("none")
    llm_model: str | None = None
    llm_timeout: float = 60.0
    llm_headers: dict[str, str] = Field(default_factory=dict)
    llm_query: dict[str, Any] = Field(default_factory=dict)
    llm_arguments: dict[str, Any] = Field(default_factory=dict)
    llm_price_prompt: float = 0.0
    llm_price_cached: float = 0.0
    llm_price_completion: float = 0.0


def model_of(settings: ObserverSettings) -> Model | None:
    """Return the model that the settings name, or None where they name none and the rules observe.

    Raises:
        ValueError: there is an address without a model, or a model without an address.
    """
    if not settings.llm_base_url and not settings.llm_model:
        return None
    if not (settings.llm_base_url and settings.llm_model):
        raise ValueError("CRAFTLOG_LLM_BASE_URL and CRAFTLOG_LLM_MODEL belong together: set both, or neither")
    return Model(
        Endpoint(
            base_url=settings.llm_base_url,
            model=settings.llm_model,
            api_key=settings.llm_api_key.get_secret_value(),
            timeout=settings.llm_timeout,
            headers=settings.llm_headers,
            query=settings.llm_query,
            arguments=settings.llm_arguments,
        )
    )


def agent_of(settings: ObserverSettings, model: Model | None, tab: Tab, criteria: CriteriaOf = no_criteria) -> Agent:
    """Return who observes: the model, who is told the criteria of a project, or the rules where there is none."""
    if model is None:
        return RulesAgent()
    budget = Budget(settings.observe_prompt_board, settings.observe_prompt_messages)
    prices = Prices(settings.llm_price_prompt, settings.llm_price_cached, settings.llm_price_completion)
    return ModelAgent(model, budget, prices, tab, criteria)


@asynccontextmanager
async def start(settings: ObserverSettings, log: Log) -> AsyncIterator[Running]:
    """Build what runs: the projectors, the lane that marks sessions due, and the observing itself."""
    model = model_of(settings)
    database = connect(settings)
    objects = Objects(settings)
    await patiently(lambda: prepare(database, log, COLLECTIONS, _FILLED_BY))
    desk = Desk(log, Rules(INITIAL, decide, evolve), Boards(database).snapshot)
    own = OwnSettings(database, log)
    patience = Patience(
        settings.observe_messages,
        idle=timedelta(seconds=settings.observe_idle),
        age=timedelta(seconds=settings.observe_age),
    )
    tab = Tab()
    reader, agent = Reader(log, objects), agent_of(settings, model, tab, own.criteria)

    async def age(session: Address) -> timedelta:
        said = await own.of([session.project, session.id])
        return patience.under(said.get(session.project)).under(said.get(session.id)).age

    observer = Observer(log, desk, reader, agent, age, tab=tab)
    work = Work(database, OBSERVER_DUE, observer.perform, kind=Kind.BOARD)
    await patiently(work.load)
    listener = Listener(work, patience, own, observer.in_hand)
    yield Running(
        projectors=[
            Projector(log, MongoStore(database, BOARDS), durable="observer-board", kind=Kind.BOARD, project=project),
            Projector(
                log,
                MongoStore(database, SETTINGS),
                durable="observer-project",
                kind=Kind.PROJECT,
                project=own_settings.project,
            ),
        ],
        lanes=[Lane(log, OBSERVER_HEARS, Kind.SESSION, listener.on_session, listener.on_undecodable)],
        works=[work],
        answers={"parked": Parked(work, desk, reader, agent, tab).answer},
        probes={"mongo": lambda: reach(lambda: database.command("ping")), "s3": objects.prepare},
    )
    await objects.aclose()
    database.client.close()
    if model:
        await model.close()


def main() -> None:
    """Run the observer until a signal ends it."""
    settings = ObserverSettings()
    telemetry.configure("observer", settings)
    run("observer", broker(settings, "observer"), partial(start, settings))
