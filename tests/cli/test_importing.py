"""The import against a small in-memory API that forgets nothing, and answers as badly as it is told to."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from typer.testing import CliRunner

from craftlog.cli import client as clients
from craftlog.cli.__main__ import app
from craftlog.cli.client import Api, ApiRefusedError, GaveUpError
from craftlog.cli.folder import LOOPBACK
from craftlog.cli.importing import Summary, bar, import_runs, space_of
from craftlog.cli.runs import FileError, Run, runs


class MemoryApi:
    """Keeps sessions, and does what a key names only once; ``moods`` are the statuses of the next answers."""

    def __init__(self) -> None:
        self.messages: dict[str, list[object]] = {}
        self.spaces: list[str] = []
        self.connected: dict[str, str] = {}
        self.moods: list[int] = []
        self.lost = 0
        self.url = ""
        self._known: dict[str, str] = {}

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.post("/api/v1/space", self._space),
                web.post("/api/v1/session", self._session),
                web.get("/api/v1/session/{id}/configs", self._configs),
                web.post("/api/v1/session/{id}/connect_to_space", self._connect),
                web.post("/api/v1/session/{id}/messages", self._message),
            ],
        )
        return app

    async def _space(self, request: web.Request) -> web.Response:
        self.spaces.append(f"space-{len(self.spaces)}")
        return self._answer(request, {"id": self.spaces[-1]})

    async def _configs(self, request: web.Request) -> web.Response:
        session_id = request.match_info["id"]
        return self._answer(request, {"id": session_id, "space_id": self.connected.get(session_id)})

    async def _session(self, request: web.Request) -> web.Response:
        key = request.headers["Idempotency-Key"]
        if key not in self._known:
            self._known[key] = f"session-{len(self.messages)}"
            self.messages[self._known[key]] = []
        return self._answer(request, {"id": self._known[key]})

    async def _connect(self, request: web.Request) -> web.Response:
        self.connected[request.match_info["id"]] = (await request.json())["space_id"]
        return self._answer(request, None)

    async def _message(self, request: web.Request) -> web.Response:
        key, body = request.headers["Idempotency-Key"], await request.json()
        if body["blob"] == "bad":
            return web.json_response({"code": 400, "msg": "blob: not a message", "error": "bad_request"}, status=400)
        if key not in self._known:
            self._known[key] = "stored"
            self.messages[request.match_info["id"]].append(body["blob"])
        return self._answer(request, {})

    def _answer(self, request: web.Request, data: object) -> web.Response:
        """Answer in the mood of the moment: what was asked for is done by now, whatever is said of it."""
        mood = self.moods.pop() if self.moods else 200
        self.lost += mood != 200
        if mood == 0 and request.transport is not None:
            request.transport.abort()
        return web.json_response({"code": 0, "data": data, "msg": ""}, status=mood or 200)


@pytest.fixture
async def server() -> AsyncIterator[MemoryApi]:
    server = MemoryApi()
    runner = web.AppRunner(server.app())
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, 0)
    await site.start()
    server.url = site.name
    yield server
    await runner.cleanup()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "FIRST_DELAY", 0.001)


RUNS = [Run(1, "first", [{"n": n} for n in range(20)]), Run(2, None, [{"n": n} for n in range(30)])]


async def take(server: MemoryApi, what: list[Run]) -> Summary:
    with bar("importing", sum(len(run.messages) for run in what)) as shown:
        async with Api(server.url, "token", shown.trouble) as api:
            return await import_runs(api, what, await space_of(api, what[0]), 4, shown)


class TestImporting:
    async def test_every_message_is_stored_in_order_and_its_session_learns(self, server: MemoryApi) -> None:
        summary = await take(server, RUNS)
        stored = {run["run_id"]: server.messages[run["session_id"]] for run in summary.imported}
        assert stored == {run.run_id: run.messages for run in RUNS}
        assert server.connected == {run["session_id"]: summary.space_id for run in summary.imported}
        assert summary.refused == []

    async def test_importing_again_adds_nothing(self, server: MemoryApi) -> None:
        first = await take(server, RUNS)
        stored = json.dumps(server.messages)
        again = await take(server, RUNS)
        assert json.dumps(server.messages) == stored
        assert server.spaces == [first.space_id] == [again.space_id]
        assert Counter(map(str, again.imported)) == Counter(map(str, first.imported))

    async def test_lost_answers_and_a_busy_server_double_nothing(self, server: MemoryApi) -> None:
        server.moods = [200, 503, 0, 200, 429, 0] * 5 + [200] * 3
        await take(server, RUNS)
        assert server.lost == 20
        assert sorted(map(len, server.messages.values())) == [20, 30]

    async def test_a_refused_message_ends_its_run_and_no_other(self, server: MemoryApi) -> None:
        bad = Run(3, "bad", [{"n": 0}, "bad", {"n": 2}])
        summary = await take(server, [bad, *RUNS])
        assert [(run["run_id"], run["line"]) for run in summary.refused] == [("bad", 3)]
        assert "400 blob: not a message" in summary.refused[0]["reason"]
        assert sorted(map(len, server.messages.values())) == [1, 20, 30]

    async def test_it_gives_up_when_nothing_succeeds(self, server: MemoryApi, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(clients, "PATIENCE", 0.1)
        server.moods = [503] * 10_000
        with pytest.raises(GaveUpError, match=r"nothing has succeeded .* POST /session: 503"):
            await take(server, RUNS)

    async def test_a_server_that_refuses_the_token_is_not_asked_again(self, server: MemoryApi) -> None:
        server.moods = [401]
        with pytest.raises(ApiRefusedError, match="401"):
            await take(server, RUNS)


class TestFiles:
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("{", "line 2: not JSON"),
            ("[1]", "line 2: expected an object"),
            ('{"messages": []}', "line 2: messages: expected a list of at least one"),
            ('{"messages": "hello"}', "line 2: messages: expected a list"),
            ('{"messages": [{}], "run_id": 7}', "line 2: run_id: expected a string"),
            ("[" * 100_000, "line 2: nested too deep"),
        ],
    )
    def test_a_line_that_is_no_run_is_named(self, tmp_path: Path, line: str, reason: str) -> None:
        file = tmp_path / "runs.jsonl"
        file.write_text('{"messages": [{"role": "user", "content": "hi"}]}\n' + line)
        with pytest.raises(FileError, match=reason):
            list(runs(file))

    def test_a_run_is_known_by_what_it_says_and_not_by_its_place(self, tmp_path: Path) -> None:
        file = tmp_path / "runs.jsonl"
        file.write_text(
            '{"messages": [{"role": "user", "content": "hi"}]}\n\n{"messages": [{"content":"hi","role":"user"}]}'
        )
        one, other = runs(file)
        assert (one.line, other.line) == (1, 3)
        assert one.key == other.key
        assert one.key != Run(1, "named", one.messages).key

    def test_the_command_names_the_line_before_it_sends_anything(self, tmp_path: Path) -> None:
        file = tmp_path / "runs.jsonl"
        file.write_text('{"messages": [{"role": "user", "content": "hi"}]}\n{')
        ended = CliRunner().invoke(app, ["import", str(file), "--url", "http://127.0.0.1:9"])
        assert ended.exit_code == 1
        assert "craftlog: line 2: not JSON" in ended.stderr
