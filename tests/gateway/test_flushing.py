"""What a flush does where a board does not move."""

import asyncio
from types import SimpleNamespace

import pytest

from craftlog.gateway import flushing
from craftlog.gateway.decider.session_commands import RequestFlush
from craftlog.gateway.errors import UnfinishedError
from craftlog.runtime.log import Position
from craftlog.testing.examples import SESSION


class Standing:
    """A gateway before a board that stands still; ``due`` is what is known to be intended.

    The observer has heard the log through ``heard``, and the session's last event is at 7.
    """

    def __init__(self, due, heard=7):
        self.asked = []
        self.due = due
        self.heard = heard
        self.heads = self.sessions = self.reads = self.log = self

    async def transact(self, _address, commands, *, cause):  # noqa: ARG002 - as the desk has it
        self.asked += commands
        return SimpleNamespace(state=SimpleNamespace(tracked=True, messages=3), position=Position(5, 7))

    async def acknowledged(self, _durable):
        return self.heard

    async def until(self, *_):
        raise TimeoutError

    async def observing_due(self, _session_id):
        return self.due


async def connected():
    await asyncio.Event().wait()


class TestFlush:
    async def test_asks_once_more_where_nobody_intends_to_read(self):
        gateway = Standing({})
        with pytest.raises(UnfinishedError, match="0 of 3 messages"):
            await flushing.flush(gateway, SESSION, connected, budget=0.05)
        assert gateway.asked == [RequestFlush(), RequestFlush(again=True)]

    async def test_waits_quietly_where_nobody_has_heard_of_it_yet(self):
        gateway = Standing({}, heard=6)
        with pytest.raises(UnfinishedError):
            await flushing.flush(gateway, SESSION, connected, budget=0.05)
        assert gateway.asked == [RequestFlush()]

    async def test_waits_quietly_where_somebody_does(self):
        gateway = Standing({"due_at": None, "parked": False})
        with pytest.raises(UnfinishedError):
            await flushing.flush(gateway, SESSION, connected, budget=0.05)
        assert gateway.asked == [RequestFlush()]
