"""What configs may say that means something to a service; whatever else is in them is the client's own."""

from pydantic import BaseModel, ConfigDict, Field


class Observing(BaseModel):
    """When a session's new messages are due: at so many of them, after ``idle``, at the latest after ``age`` seconds.

    What is not given is that of the project, then that of the deployment.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    messages: int | None = Field(default=None, ge=1, le=1000)
    idle: float | None = Field(default=None, ge=0, le=3_600)
    age: float | None = Field(default=None, ge=0, le=86_400)


class SessionConfigs(BaseModel):
    """What a session's configs may say."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")

    observing: Observing | None = None


class ProjectConfigs(SessionConfigs):
    """What a project's configs may say: ``observing`` for all its sessions, and when a task succeeded or failed."""

    task_success_criteria: str | None = Field(default=None, max_length=2_000)
    task_failure_criteria: str | None = Field(default=None, max_length=2_000)
