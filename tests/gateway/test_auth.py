"""Keys: who is let in, from memory wherever that is true, and from the log wherever it may not be."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import nats
import pytest
from nats.aio.client import Client

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway import auth
from craftlog.gateway.auth import CHECKED_EVERY, DEFAULT_PROJECT, Keys
from craftlog.gateway.decider import project as rules
from craftlog.gateway.decider.project import CreateProject, IssueKey, Limits, RevokeKey
from craftlog.gateway.errors import UnauthorizedError
from craftlog.gateway.keys import SECRET_BYTES, Stamp
from craftlog.runtime.desk import Decided, Desk, Rules
from craftlog.runtime.errors import UnavailableError
from craftlog.runtime.log import Log
from craftlog.testing.servers import nats_server
from craftlog.testing.waiting import until

STAMP = Stamp("pepper" * 6)
NONE = Limits()


async def nothing(_address: Address) -> None:
    """Stand for a read model that holds nothing."""


@dataclass
class Door:
    """One gateway's keys, with a clock that the test turns, and a count of what the log was asked."""

    client: Client
    default: Limits = NONE
    tokens: dict[str, str] = field(default_factory=dict)
    now: float = 0.0
    asked: int = 0

    def __post_init__(self) -> None:
        log = Log(self.client)
        log.last = self._counted(log.last)  # type: ignore[method-assign]
        self.projects: Desk[rules.Project, rules.Command] = Desk(
            log, Rules(rules.INITIAL, rules.decide, rules.evolve), nothing
        )
        self.keys = Keys(self.tokens, STAMP, log, self.projects, default=self.default, clock=lambda: self.now)

    def _counted(self, ask):
        async def last(address):
            self.asked += 1
            return await ask(address)

        return last

    async def decide(self, project: str, *commands: rules.Command) -> Decided[rules.Project]:
        address = Address(Kind.PROJECT, project, project)
        return await self.projects.transact(address, commands, cause=str(uuid4()))

    async def issue(self, limits: Limits = NONE) -> tuple[str, str, str]:
        """Return a new project, the id of its key, and the key."""
        project, key_id = str(uuid4()), str(uuid4())
        key, hashed = self.keys.make(project)
        await self.decide(project, CreateProject("research"), IssueKey(key_id, "crawler", hashed, limits))
        return project, key_id, key

    async def lets(self, key: str) -> str | None:
        try:
            return (await self.keys.grant(f"Bearer {key}".encode())).project
        except UnauthorizedError:
            return None


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    made = await nats.connect(nats_url)
    await Log(made).prepare()
    yield made
    await made.close()


@pytest.fixture
def door(client: Client) -> Door:
    return Door(client)


class TestKeysOfTheSettings:
    def test_refuse_an_empty_one_at_the_start(self, door: Door) -> None:
        with pytest.raises(ValueError, match="must not be empty"):
            Door(door.client, tokens={"": DEFAULT_PROJECT})

    def test_refuse_a_project_that_is_none_at_the_start_and_do_not_name_the_key(self, door: Door) -> None:
        with pytest.raises(ValueError, match="'mine' is not a canonical") as refused:
            Door(door.client, tokens={"sk-ac-secret": "mine"})
        assert "secret" not in str(refused.value)

    async def test_let_in_without_asking_the_log(self, client: Client) -> None:
        door = Door(client, tokens={"sk-ac-one": DEFAULT_PROJECT, "zwei-ü": DEFAULT_PROJECT})
        assert [await door.lets(key) for key in ("sk-ac-one", "zwei-ü")] == [DEFAULT_PROJECT] * 2
        assert door.asked == 0


class TestAnyOtherHeader:
    @pytest.mark.parametrize(
        "header",
        [
            None,
            b"",
            b"Bearer",
            b"Bearer ",
            b"bearer KEY",
            b"Bearer  KEY",
            b"Basic KEY",
            b"KEY",
            b"Bearer KEY ",
            b"\xff",
        ],
    )
    async def test_is_refused_without_asking_the_log(self, header: bytes | None, client: Client) -> None:
        door = Door(client, tokens={"KEY": DEFAULT_PROJECT})
        with pytest.raises(UnauthorizedError):
            await door.keys.grant(header)
        assert door.asked == 0

    async def test_with_a_key_that_was_made_up_is_refused_without_asking_the_log(self, door: Door) -> None:
        project, _, key = await door.issue()
        made_up = [Stamp("other" * 8).key(project, bytes([n]) * SECRET_BYTES) for n in range(100)]
        assert {
            await door.lets(one) for one in (*made_up, key[:-1] + ("y" if key[-1] == "x" else "x"), "sk-ac-" + "x" * 32)
        } == {None}
        assert door.asked == 0
        assert not door.keys._known

    async def test_with_a_key_that_was_never_issued_is_refused(self, door: Door) -> None:
        project, _, _ = await door.issue()
        assert await door.lets(STAMP.key(project, b"x" * SECRET_BYTES)) is None
        assert await door.lets(STAMP.key(str(uuid4()), b"x" * SECRET_BYTES)) is None


class TestIssuedKeys:
    async def test_let_into_their_project_and_ask_the_log_once(self, door: Door) -> None:
        project, _, key = await door.issue()
        assert [await door.lets(key) for _ in range(10)] == [project] * 10
        assert door.asked == 1

    async def test_are_known_at_once_where_their_project_was_known_before(self, door: Door, client: Client) -> None:
        project, _, key = await door.issue()
        beside = Door(client)
        await beside.lets(key)
        second, hashed = door.keys.make(project)
        await door.decide(project, IssueKey(str(uuid4()), "second", hashed))
        assert await beside.lets(second) == project

    async def test_that_were_revoked_here_are_refused_at_once(self, door: Door) -> None:
        project, key_id, key = await door.issue()
        await door.lets(key)
        await door.keys.moved(project, await door.decide(project, RevokeKey(key_id)))
        asked = door.asked
        assert [await door.lets(key) for _ in range(10)] == [None] * 10
        assert door.asked == asked

    async def test_that_were_revoked_elsewhere_are_refused_as_soon_as_that_is_heard(
        self, door: Door, client: Client
    ) -> None:
        project, key_id, key = await door.issue()
        beside = Door(client)
        await beside.keys.listen()
        assert await beside.lets(key) == project
        await door.keys.moved(project, await door.decide(project, RevokeKey(key_id)))

        async def refused() -> bool:
            return await beside.lets(key) is None

        await until(refused, 1)

    async def test_that_were_revoked_elsewhere_unheard_are_refused_after_a_while(
        self, door: Door, client: Client
    ) -> None:
        project, key_id, key = await door.issue()
        beside = Door(client)
        assert await beside.lets(key) == project
        await door.decide(project, RevokeKey(key_id))
        beside.now += CHECKED_EVERY - 0.001
        assert await beside.lets(key) == project
        beside.now += 0.001
        assert await beside.lets(key) is None

    async def test_that_were_revoked_elsewhere_are_refused_once_a_slow_log_has_said_so(
        self, door: Door, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project, key_id, key = await door.issue()
        beside = Door(client)
        assert await beside.lets(key) == project
        await door.decide(project, RevokeKey(key_id))
        last, answering = beside.keys._log.last, asyncio.Event()

        async def slow(address: Address) -> Recorded | None:
            await answering.wait()
            return await last(address)

        monkeypatch.setattr(auth, "_PATIENCE", 0.01)
        beside.keys._log.last = slow  # type: ignore[method-assign]
        beside.now += CHECKED_EVERY
        assert await beside.lets(key) == project
        answering.set()

        async def refused() -> bool:
            return await beside.lets(key) is None

        await until(refused)

    async def test_are_forgotten_where_they_are_not_used_and_too_many(
        self, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(auth, "MOST_PROJECTS", 2)
        issued = [await door.issue() for _ in range(3)]
        for project, _, key in (*issued, issued[1], issued[2]):
            assert await door.lets(key) == project
        assert list(door.keys._known) == [issued[1][0], issued[2][0]]
        assert door.asked == 3


class TestWithoutTheLog:
    async def test_keys_that_are_known_go_on_working_and_others_are_neither_let_in_nor_refused(
        self, tmp_path: Path
    ) -> None:
        with nats_server(tmp_path) as server:
            client = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.05)  # type: ignore[arg-type] # it sleeps for it
            await Log(client).prepare()
            door = Door(client)
            project, _, key = await door.issue()
            await door.lets(key)
            never_seen = STAMP.key(str(uuid4()), b"x" * SECRET_BYTES)
            server.kill()
            for _ in range(3):
                door.now += CHECKED_EVERY
                assert await door.lets(key) == project
            assert await door.lets(Stamp("other" * 8).key(project, b"x" * SECRET_BYTES)) is None
            with pytest.raises(UnavailableError):
                await door.lets(never_seen)
            server.start()

            async def answered() -> bool:
                try:
                    return await door.lets(never_seen) is None
                except UnavailableError:
                    return False

            await until(answered)
            assert await door.lets(key) == project
            await client.close()

    async def test_keys_that_are_known_go_on_working_where_it_answers_that_it_cannot(self, door: Door) -> None:
        async def refuse(_address: Address) -> None:
            raise UnavailableError("the log does not answer")

        project, _, key = await door.issue()
        await door.lets(key)
        door.keys._log.last = refuse  # type: ignore[method-assign]
        door.now += CHECKED_EVERY
        assert await door.lets(key) == project
        with pytest.raises(UnavailableError):
            await door.lets(STAMP.key(project, b"x" * SECRET_BYTES))


class TestLimits:
    async def test_of_a_key_stand_in_place_of_those_of_the_deployment(self, client: Client) -> None:
        door = Door(client, default=Limits(5, 7, 1000), tokens={"fixed": DEFAULT_PROJECT})
        _, _, plain = await door.issue()
        _, _, own = await door.issue(Limits(0.5, None, 2000))
        found = [await door.keys.grant(f"Bearer {key}".encode()) for key in ("fixed", plain, own)]
        assert [grant.body_bytes for grant in found] == [1000, 1000, 2000]
        assert [(grant.bucket.per_second, grant.bucket.burst) for grant in found if grant.bucket] == [
            (5, 7),
            (5, 7),
            (0.5, 1),
        ]

    async def test_are_not_full_again_only_because_the_project_was_looked_at_again(self, client: Client) -> None:
        door = Door(client, default=Limits(5, 7))
        _, _, key = await door.issue()
        before = (await door.keys.grant(f"Bearer {key}".encode())).bucket
        door.now += CHECKED_EVERY
        after = (await door.keys.grant(f"Bearer {key}".encode())).bucket
        assert door.asked == 2
        assert before is after is not None

    async def test_of_many_requests_at_once_ask_the_log_no_more_than_they_must(self, client: Client) -> None:
        door = Door(client)
        project, _, key = await door.issue()
        await door.lets(key)
        door.now += CHECKED_EVERY
        assert set(await asyncio.gather(*(door.lets(key) for _ in range(50)))) == {project}
        assert door.asked == 2
