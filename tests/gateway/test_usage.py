"""What observing took, by project and day: from the log's facts, whatever becomes of the sessions."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.gateway.clients import Api
from tests.gateway.conftest import client

from craftlog.contracts.readmodels import USAGE
from craftlog.gateway.handlers import Gateway
from craftlog.runtime.mongo import Database
from craftlog.testing.stack import Stack

NONE = {"calls": 0, "prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0, "cost": 0.0}


@pytest.fixture
def project(stack: Stack) -> Iterator[Api]:
    """Give a client of a project that has nothing yet."""
    with client(stack.base_url, stack.admin_token) as http:
        admin = Api(http, "/admin/v1")
        made = admin.post("/project", 201, {"name": "counted"})["id"]
        key = admin.post(f"/project/{made}/key", 201, {"name": "counted"})["key"]
    with client(stack.base_url, key) as own:
        yield Api(own)


def days_of(project: Api, **wanted: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = project.get("/usage", **wanted)["items"]
    return found


class TestUsage:
    def test_counts_what_was_observed_and_keeps_it_when_the_session_goes(self, project: Api) -> None:
        assert days_of(project) == []
        for _ in range(2):
            session = project.make("session")
            for text in ("Please book a flight.", "To Rome.", "Thank you."):
                project.append(session, text)
            assert project.post(f"/session/{session}/flush")["status"] == 200
        today = datetime.now(UTC).date().isoformat()
        [day] = days_of(project)
        assert day == {"day": today, "observations": day["observations"], "messages": 6, **NONE}
        assert day["observations"] >= 2
        project.delete(f"/session/{session}")
        assert days_of(project) == [day]

    @pytest.mark.parametrize(
        ("wanted", "field"),
        [
            ({"from": "2026-01-01", "to": "2027-01-02"}, "from"),
            ({"from": "2026-01-02", "to": "2026-01-01"}, "from"),
            ({"from": "yesterday"}, "from"),
            ({"to": "2026-02-30"}, "to"),
            ({"from": "2026-W01"}, "from"),
            ({"to": "20260101"}, "to"),
        ],
    )
    def test_is_asked_for_a_year_at_most(self, http: httpx.Client, wanted: dict[str, str], field: str) -> None:
        refused = http.get("/api/v1/usage", params=wanted)
        assert refused.status_code == 400
        assert refused.json()["msg"].startswith(f"{field}: ")
        assert http.get("/api/v1/usage", params={"from": "2026-01-01", "to": "2027-01-01"}).status_code == 200
        assert http.get("/api/v1/usage", params={"to": "0001-01-03"}).status_code == 200

    async def test_sums_the_sessions_of_a_project_by_day(self, gateway: Gateway, database: Database) -> None:
        took = {"observations": 1, "messages": 16, "calls": 1, "prompt_tokens": 900, "cached_tokens": 500}
        took |= {"completion_tokens": 80}
        for project, session, day in (
            ("ours", "a", "2026-01-01"),
            ("ours", "b", "2026-01-01"),
            ("ours", "a", "2026-01-03"),
            ("ours", "a", "2026-01-04"),
            ("theirs", "c", "2026-01-01"),
        ):
            key = {"_id": f"{session}/{day}", "project": project, "session_id": session, "day": day}
            await database[USAGE].insert_one({**key, **took, "cost": 0.25})
        assert await gateway.reads.usage("ours", "2026-01-01", "2026-01-03") == [
            {"day": "2026-01-01", **{name: 2 * value for name, value in took.items()}, "cost": 0.5},
            {"day": "2026-01-03", **took, "cost": 0.25},
        ]
