"""Projects, their configs and keys, and the health of all, as the document describes them."""

from typing import Annotated, Any, Final

from pydantic import Field

from craftlog.contracts.configs import ProjectConfigs
from craftlog.gateway.document.said import Id, Items, Page, Said, Sent, Shape, Time


class Project(Shape):
    """A tenant."""

    id: Id
    name: str
    created_at: Time


class Key(Shape):
    """What is known of a key, and its own limits."""

    id: Id
    name: str
    requests_per_second: float | None
    burst: int | None
    body_bytes: int | None
    created_at: Time
    revoked_at: Time | None


class IssuedKey(Key):
    """A key, shown this once."""

    key: str


class Health(Shape):
    """What is down, what lags or stands still, and what each service says of itself."""

    down: list[str]
    degraded: list[str]
    services: dict[str, Any]


class Day(Shape):
    """What observing took on a day in UTC; a message that could not be read is not among ``messages``."""

    day: Annotated[str, Field(json_schema_extra={"format": "date"})]
    observations: int
    messages: int
    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: float


class NewProject(Sent):
    """A tenant to create."""

    name: str


class NewKey(Sent):
    """A key to issue; limits that are not given are those of the deployment."""

    name: str
    requests_per_second: float | None = None
    burst: int | None = None
    body_bytes: int | None = None


ROUTES: Final[dict[str, Said]] = {
    "GET /live": Said(),
    "GET /health": Said(Health, refusals=(503,)),
    "GET /ping": Said(),
    "GET /project/configs": Said(ProjectConfigs),
    "PATCH /project/configs": Said(ProjectConfigs, ProjectConfigs, needed=False),
    "GET /usage": Said(Items[Day]),
    "GET /admin/v1/project": Said(Page[Project]),
    "POST /admin/v1/project": Said(Project, NewProject, keyed=True),
    "GET /admin/v1/project/{project_id}": Said(Project),
    "GET /admin/v1/project/{project_id}/key": Said(Items[Key]),
    "POST /admin/v1/project/{project_id}/key": Said(IssuedKey, NewKey, keyed=True),
    "DELETE /admin/v1/project/{project_id}/key/{key_id}": Said(),
}
