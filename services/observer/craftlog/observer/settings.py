"""Pure: when a session's messages are due and what counts as success, as projects and sessions say in their configs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from craftlog.contracts.configs import ProjectConfigs
from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import ProjectConfigured, SessionConfigured, SessionCreated
from craftlog.contracts.readmodels import Changes, Document


@dataclass(frozen=True, slots=True)
class Patience:
    """When a session's new messages are due: at ``messages`` of them, after ``idle``, at the latest after ``age``."""

    messages: int
    idle: timedelta
    age: timedelta

    def under(self, settings: Mapping[str, Any] | None) -> "Patience":
        """Return what is left of it where a project or a session has settings of its own."""
        own = (settings or {}).get("observing") or {}
        return Patience(
            own.get("messages", self.messages),
            timedelta(seconds=own["idle"]) if "idle" in own else self.idle,
            timedelta(seconds=own["age"]) if "age" in own else self.age,
        )


@dataclass(frozen=True, slots=True)
class Criteria:
    """When a task of a project has succeeded and when it has failed, in the project's own words, if it has any."""

    success: str | None = None
    failure: str | None = None


def project(head: Mapping[str, Any] | None, events: Sequence[Recorded]) -> Changes:
    """Return a project's settings after these events: ``{observing, success, failure}``, null where it says nothing."""
    settings: Document = dict(head or {"observing": None, "success": None, "failure": None})
    for recorded in events:
        if isinstance(recorded.event, ProjectConfigured):
            configs = recorded.event.configs
            settings["observing"] = _said("observing", configs)
            settings["success"] = _said("task_success_criteria", configs)
            settings["failure"] = _said("task_failure_criteria", configs)
    return Changes(settings)


def observing_of(recorded: Recorded) -> Document | None:
    """Return what an event sets of a session's observing from then on, None where it sets nothing.

    Whatever is set is set by the newest event that says anything of the session's configs.
    """
    match recorded.event:
        case SessionCreated(configs=dict(configs)) | SessionConfigured(configs=configs):
            return _said("observing", configs) or None
        case _:
            return None


def _said(name: str, configs: Mapping[str, Any]) -> Any:
    """Return a setting, None where it is not there or has not its shape: it is older than the shape."""
    try:
        return ProjectConfigs.model_validate({name: configs.get(name)}).model_dump(exclude_none=True).get(name)
    except ValidationError:
        return None
