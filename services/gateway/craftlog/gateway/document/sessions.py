"""Sessions, their messages, and what was observed and learned of them, as the document describes them."""

from typing import Final, Literal

from craftlog.contracts.configs import SessionConfigs
from craftlog.gateway.document.messages import Messages
from craftlog.gateway.document.said import Absent, Flag, Id, Items, Page, Said, Sent, Shape, Status, Time, Times
from craftlog.gateway.fields import Json


class Session(Times):
    """A conversation."""

    id: Id
    project_id: Id
    disable_task_tracking: bool
    space_id: Id | None
    configs: Json | None


class Configs(Shape):
    """What a session or space is configured with."""

    configs: Json


class Copy(Shape):
    """Which session was copied, and its copy."""

    old_session_id: Id
    new_session_id: Id


class Waiting(Shape):
    """Why observing failed, how often, and when it is tried again."""

    reason: str
    next_attempt_at: Time
    tries: int


class ObservingStatus(Shape):
    """How many messages are on the board, how many wait for it, and how many wait for a person (``GET /parked``)."""

    observed: int
    in_process: int
    pending: int
    parked: int
    waiting: Waiting | None
    updated_at: Time


class TaskData(Shape):
    """What a task is about."""

    task_description: str
    progresses: list[str] | Absent = None
    user_preferences: list[str] | Absent = None


class Task(Times):
    """One thing that is to be done in a session; ``engine`` found it."""

    id: Id
    session_id: Id
    project_id: Id
    order: int
    data: TaskData
    status: Status
    is_planning: bool
    space_digested: bool
    engine: str


class TaskDetail(Task):
    """A task with a page of its messages, in the format that was asked for."""

    messages: Messages


class Lesson(Shape):
    """What became of a finished task."""

    task_id: Id
    task_description: str
    task_status: Status
    state: str
    reason: str | None
    block_id: Id | None
    engine: str | None
    created_at: Time | None


class LearningStatus(Shape):
    """How many successful tasks have a lesson, and how many wait for one."""

    space_digested_count: int
    not_space_digested_count: int


class NewSession(Sent):
    """A conversation to begin."""

    configs: SessionConfigs | None = None
    disable_task_tracking: bool | None = None
    space_id: Id | Literal[""] | None = None


class NewConfigs(Sent):
    """Configs in the place of those before; without any nothing changes."""

    configs: SessionConfigs | None = None


class ConfigChanges(Sent):
    """Configs to set, and with null to remove."""

    configs: SessionConfigs


class Connection(Sent):
    """The space that a session is to teach."""

    space_id: Id


ROUTES: Final[dict[str, Said]] = {
    "GET /session": Said(Page[Session], refusals=(501,)),
    "POST /session": Said(Session, NewSession, needed=False, keyed=True, refusals=(404, 501)),
    "GET /session/{session_id}/configs": Said(Session),
    "PUT /session/{session_id}/configs": Said(body=NewConfigs, needed=False),
    "PATCH /session/{session_id}/configs": Said(Configs, ConfigChanges),
    "GET /session/{session_id}/observing_status": Said(ObservingStatus),
    "DELETE /session/{session_id}": Said(),
    "POST /session/{session_id}/copy": Said(Copy, keyed=True, refusals=(413,)),
    "POST /session/{session_id}/connect_to_space": Said(body=Connection),
    "POST /session/{session_id}/flush": Said(Flag),
    "GET /session/{session_id}/task": Said(Page[Task]),
    "GET /session/{session_id}/task/{task_id}": Said(TaskDetail),
    "GET /session/{session_id}/get_learning_status": Said(LearningStatus),
    "GET /session/{session_id}/lessons": Said(Items[Lesson]),
}
