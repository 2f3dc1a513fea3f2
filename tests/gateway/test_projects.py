"""A project's configs, as whoever holds one of its keys reads and changes them."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from tests.gateway.clients import Api
from tests.gateway.conftest import Serve, client

from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.handlers import Gateway
from craftlog.testing.stack import Stack


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Iterator[Api]:
    with client(stack.base_url, stack.admin_token) as http:
        yield Api(http, "/admin/v1/project")


@pytest.fixture
def project(admin: Api) -> str:
    made: str = admin.post("", expect=201, json={"name": "configured"})["id"]
    return made


@pytest.fixture
def holder(stack: Stack, admin: Api, project: str) -> Iterator[Api]:
    key = admin.post(f"/{project}/key", expect=201, json={"name": "tuner"})["key"]
    with client(stack.base_url, key) as http:
        yield Api(http)


def refusal(api: Api, body: object, status: int) -> str:
    refused = api.http.patch("/api/v1/project/configs", json=body)
    assert refused.status_code == status
    reason: str = refused.json()["msg"]
    return reason


class TestConfigs:
    def test_are_none_at_first(self, holder: Api) -> None:
        assert holder.get("/project/configs") == {}

    def test_are_changed_name_by_name_and_read_at_once(self, holder: Api) -> None:
        first = {
            "task_success_criteria": "It is shipped.",
            "observing": {"idle": 2, "age": 30},
            "own": [None, {"$a": 1}],
        }
        assert holder.patch("/project/configs", json=first) == first
        changed = holder.patch("/project/configs", json={"observing": {"messages": 5}, "own": None, "no": None})
        assert changed == {"task_success_criteria": "It is shipped.", "observing": {"messages": 5}}
        assert holder.get("/project/configs") == changed

    def test_are_those_of_the_project_that_the_key_belongs_to(self, holder: Api, http: object) -> None:
        mark = str(uuid4())
        holder.patch("/project/configs", json={"mark": mark})
        other = Api(http).get("/project/configs")  # type: ignore[arg-type] # the fixture of the whole stack
        assert other.get("mark") != mark

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ([], "body: must be an object"),
            ({"observing": {"idle": -1}}, "observing.idle: must be"),
            ({"observing": {"pace": 1}}, "observing.pace: is not known"),
            ({"task_failure_criteria": "x" * 2001}, "task_failure_criteria: must have at most 2000"),
            ({"task_success_criteria": 7}, "task_success_criteria: must be a valid string"),
        ],
    )
    def test_are_refused_by_path_and_change_nothing(self, holder: Api, wrong: object, said: str) -> None:
        assert said in refusal(holder, wrong, 400)
        assert holder.get("/project/configs") == {}

    def test_grow_only_up_to_a_limit(self, holder: Api) -> None:
        holder.patch("/project/configs", json={"a": "x" * 40_000})
        assert "configs: " in refusal(holder, {"b": "x" * 40_000}, 413)
        assert list(holder.get("/project/configs")) == ["a"]

    async def test_said_again_are_no_event(self, holder: Api, project: str, beside: Gateway) -> None:
        versions = []
        for _ in range(2):
            holder.patch("/project/configs", json={"a": 1, "b": None})
            last = await beside.log.last(Address(Kind.PROJECT, project, project))
            assert last is not None
            versions.append(last.version)
        assert versions[0] == versions[1]

    def test_need_nobody_who_manages_projects(self, serve: Serve, stack: Stack) -> None:
        own = f"sk-ac-{uuid4()}"
        ours = str(uuid4())
        environment = {name.removeprefix("CRAFTLOG_").lower(): value for name, value in stack.env.items()}
        settings = environment | {"tokens": f'{{"{own}": "{ours}"}}', "admin_token": "", "api_key_pepper": ""}
        api = Api(serve(own, **settings))
        assert api.get("/project/configs") == {}
        assert api.patch("/project/configs", json={"a": 1}) == {"a": 1}
        assert api.get("/project/configs") == {"a": 1}

    def test_of_a_project_do_not_void_its_keys(self, holder: Api) -> None:
        for at in range(3):
            holder.patch("/project/configs", json={"at": at})
        assert holder.get("/session")["items"] == []


class TestSessionConfigs:
    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    def test_are_refused_by_path(self, holder: Api, method: str) -> None:
        session = holder.post("/session", expect=201, json={"configs": {"observing": {"messages": 2}}})
        path = f"/api/v1/session/{session['id']}/configs"
        refused = holder.http.request(method, path, json={"configs": {"observing": {"idle": "soon"}}})
        assert refused.status_code == 400
        assert refused.json()["msg"].startswith("configs.observing.idle: must be")
        assert holder.get(f"/session/{session['id']}/configs")["configs"] == {"observing": {"messages": 2}}

    def test_are_refused_by_path_at_the_beginning(self, holder: Api) -> None:
        refused = holder.http.post("/api/v1/session", json={"configs": {"observing": {"idle": 3601}}})
        assert refused.status_code == 400
        assert refused.json()["msg"].startswith("configs.observing.idle: must be less than or equal to 3600")
        assert holder.get("/session")["items"] == []
