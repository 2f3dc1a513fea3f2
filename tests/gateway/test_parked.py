"""What is parked, as operators see it: listed, tried again, given up; and what a session waits for."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.gateway.clients import Api
from tests.gateway.conftest import client

from craftlog.contracts.events import MessageSkipped, SessionObserved
from craftlog.contracts.readmodels import BOARDS, OBSERVER_DUE
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import parking
from craftlog.gateway.handlers import Gateway
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.log import Draft, Position
from craftlog.testing.stack import Stack
from craftlog.testing.waiting import until

WHY = "its parts are not in the bucket"


class Project(Api):
    """A client of a project of its own, and what stands behind it."""

    def __init__(self, http: httpx.Client, id_: str, behind: Gateway) -> None:
        super().__init__(http)
        self.id = id_
        self.behind = behind

    @property
    def collections(self) -> Any:
        return self.behind.reads._database

    async def with_skipped(self, *skipped: int, seq: int | None = None) -> str:
        """Return a session of three messages that is not observed, on whose board these were skipped."""
        session: str = self.post("/session", 201, {"disable_task_tracking": True})["id"]
        for text in ("Please book a flight.", "To Rome.", "Thank you."):
            self.append(session, text)
        facts = [MessageSkipped(position=at, reason=WHY, seq=seq) for at in skipped]
        drafts = [Draft(str(uuid4()), fact, datetime.now(UTC)) for fact in facts]
        drafts.append(Draft(str(uuid4()), SessionObserved(through_position=3, engine="rules"), datetime.now(UTC)))
        await self.behind.log.append(Address(Kind.BOARD, self.id, session), Position(), drafts)
        boards = self.collections[BOARDS]
        await until(lambda: boards.find_one({"_id": session, "through_position": 3}))
        return session

    async def waiting(self, session: str, **more: Any) -> None:
        """Have the observer's work on a session wait, or be parked."""
        now = datetime.now(UTC).replace(microsecond=0)
        item = {"project": self.id, "due_at": now + timedelta(hours=1), "since": now, "data": {}, "tries": 5}
        item |= {"alike": 5, "error": "the model does not answer", "parked": False, "parked_at": None, **more}
        await self.collections[OBSERVER_DUE].replace_one({"_id": session}, item, upsert=True)

    async def park(self, session: str) -> None:
        await self.waiting(session, parked=True, parked_at=datetime.now(UTC), error="SessionCreated cannot be read")


@pytest.fixture
def made(stack: Stack, beside: Gateway) -> Iterator[Callable[[], Project]]:
    """Give a function that makes a project that has nothing yet."""
    clients: list[httpx.Client] = []

    def one() -> Project:
        with client(stack.base_url, stack.admin_token) as http:
            admin = Api(http, "/admin/v1")
            made = admin.post("/project", 201, {"name": "parked"})["id"]
            key = admin.post(f"/project/{made}/key", 201, {"name": "parked"})["key"]
        own = client(stack.base_url, key)
        clients.append(own.__enter__())
        return Project(clients[-1], made, beside)

    yield one
    for http in clients:
        http.close()


@pytest.fixture
def project(made: Callable[[], Project]) -> Project:
    return made()


class TestList:
    async def test_has_messages_with_reason_and_original_and_sessions(self, project: Project) -> None:
        session, other = await project.with_skipped(2), project.make("session")
        await project.park(other)
        by_session = {one["session_id"]: one for one in project.get("/parked")["items"]}
        message, whole = by_session[session], by_session[other]
        assert (message["id"], message["position"], message["reason"]) == (f"{session}:2", 2, WHY)
        assert message["original"]["parts"] == [{"type": "text", "text": "To Rome."}]
        assert message["original"]["session_task_process_status"] == "failed"
        assert (whole["id"], whole["position"], whole["original"], whole["tries"]) == (other, None, None, 5)
        assert whole["reason"] == "SessionCreated cannot be read"
        assert message["parked_at"].endswith("Z")

    async def test_has_what_the_log_has_where_there_is_no_message(self, project: Project) -> None:
        session = await project.with_skipped(1)
        address = Address(Kind.SESSION, project.id, session)
        garbage = b"\xff" + b"{not json" * 1000
        stored = await project.behind.log.jetstream.publish(address.subject, garbage)
        board = Address(Kind.BOARD, project.id, session)
        last = await project.behind.log.last(board)
        assert last is not None
        lost = [
            MessageSkipped(position=4, reason="no event", seq=stored.seq),
            MessageSkipped(position=5, reason="gone"),
        ]
        drafts = [Draft(str(uuid4()), fact, datetime.now(UTC)) for fact in lost]
        await project.behind.log.append(board, Position(last.version, last.seq), drafts)

        async def there() -> Any:
            items = project.get("/parked")["items"]
            return items if len(items) == 3 else None

        items = await until(there)
        assert items[1]["original"] == garbage[:4096].decode(errors="replace")
        assert items[2]["original"] is None

    async def test_goes_through_pages_without_gaps_and_repeats(self, project: Project) -> None:
        sessions = [await project.with_skipped(*skipped) for skipped in ((1, 2, 3), (2,), (1, 3))]
        for session in (sessions[0], project.make("session")):
            await project.park(session)
        everything = [one["id"] for one in project.get("/parked")["items"]]
        assert len(everything) == len(set(everything)) == 8
        for limit in (1, 2, 3, 7, 8):
            assert [one["id"] for one in project.pages("/parked", limit=limit)] == everything

    def test_refuses_a_cursor_of_another_list(self, project: Project) -> None:
        project.get("/parked", 400, cursor="WyJhIl0")
        project.get("/parked", 400, limit=0)

    async def test_is_each_projects_own(self, made: Callable[[], Project]) -> None:
        ours, theirs = made(), made()
        session = await theirs.with_skipped(1)
        await theirs.park(session)
        assert ours.get("/parked")["items"] == []
        for wanted in ("retry", "drop"):
            for strange in (session, f"{session}:1", f"{session}:0", f"{session}:٣", str(uuid4()), "x", "%00", "a:b:c"):
                ours.post(f"/parked/{strange}/{wanted}", 404)
        assert len(theirs.get("/parked")["items"]) == 2


class TestRetry:
    async def test_reads_a_message_anew_once(self, project: Project) -> None:
        session = await project.with_skipped(1, 2)
        assert project.post(f"/parked/{session}:2/retry") == {"parked": False, "reason": None}
        assert [one["position"] for one in project.get("/parked")["items"]] == [1]
        assert project.get(f"/session/{session}/observing_status")["observed"] == 2
        project.post(f"/parked/{session}:2/retry", 404)

    async def test_makes_a_session_due(self, project: Project) -> None:
        session = project.post("/session", 201, {"disable_task_tracking": True})["id"]
        await project.park(session)
        assert project.post(f"/parked/{session}/retry") == {"parked": False, "reason": None}
        due = project.collections[OBSERVER_DUE]

        async def done() -> bool:
            return not await due.count_documents({"_id": session})

        await until(done)


class TestDrop:
    async def test_gives_up_a_message_and_a_session(self, project: Project) -> None:
        session = await project.with_skipped(1, 2)
        await project.park(session)
        project.post(f"/parked/{session}:2/drop")
        project.post(f"/parked/{session}/drop")
        assert [one["id"] for one in project.get("/parked")["items"]] == [f"{session}:1"]
        project.post(f"/parked/{session}:2/drop", 404)
        project.post(f"/parked/{session}/drop", 404)
        status = project.get(f"/session/{session}/observing_status")
        assert (status["observed"], status["parked"]) == (1, 1)


class TestAlone:
    async def test_says_at_once_that_the_observer_does_not_run(self, gateway: Gateway) -> None:
        project, session = str(uuid4()), str(uuid4())
        item = {"_id": session, "project": project, "parked": True}
        await gateway.reads._database[OBSERVER_DUE].insert_one(item)
        with pytest.raises(UnavailableError, match="the observer service is not running"):
            async with asyncio.timeout(2):
                await parking.ask(gateway, project, session, "retry")


class TestStatus:
    async def test_says_what_a_session_waits_for(self, project: Project) -> None:
        session = await project.with_skipped(2)
        status = project.get(f"/session/{session}/observing_status")
        assert (status["observed"], status["parked"], status["waiting"]) == (2, 1, None)
        await project.waiting(session)
        waiting = project.get(f"/session/{session}/observing_status")["waiting"]
        assert (waiting["reason"], waiting["tries"]) == ("the model does not answer", 5)
        assert datetime.fromisoformat(waiting["next_attempt_at"]) > datetime.now(UTC)
        await project.park(session)
        status = project.get(f"/session/{session}/observing_status")
        assert (status["parked"], status["waiting"]) == (2, None)
