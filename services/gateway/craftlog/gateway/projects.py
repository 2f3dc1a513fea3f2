"""Projects and their keys: begun, configured, issued, revoked."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from craftlog.contracts.envelope import event_id
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.auth import DEFAULT_PROJECT, Keys
from craftlog.gateway.configs import not_too_large
from craftlog.gateway.decider.merging import merged
from craftlog.gateway.decider.project import (
    Command,
    ConfigureProject,
    CreateProject,
    IssueKey,
    Limits,
    Project,
    RevokeKey,
)
from craftlog.gateway.decider.refusals import ReusedKeyError
from craftlog.gateway.handlers import Gateway
from craftlog.runtime.desk import Decided


async def begin_projects(gateway: Gateway, projects: Iterable[str]) -> None:
    """Put projects that the settings know into the log as well; those that are there stay as they are."""
    for project in projects:
        address = Address(Kind.PROJECT, project, project)
        await gateway.projects.transact(address, [_begun(project)], cause=project)


async def create_project(gateway: Gateway, name: str, key: str | None = None) -> tuple[str, datetime]:
    """Create a project, or find the one that the same Idempotency-Key made; return its id and when it began.

    Raises:
        ReusedKeyError: the key made a project of another name.
    """
    project = event_id("POST /admin/v1/project", key) if key else str(uuid4())
    address = Address(Kind.PROJECT, project, project)
    decided = await gateway.projects.transact(address, [CreateProject(name)], cause=project)
    if not decided.recorded:
        made = (await gateway.heads.seen(address)).head
        if made["name"] != name:
            raise ReusedKeyError("made a project of another name")
        return project, made["created_at"]
    await gateway.heads.await_version(address, decided.position.version)
    return project, decided.recorded[0].time


async def configure_project(gateway: Gateway, project: str, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Change a project's configs by name and return them all.

    Raises:
        TooLargeError: they would have more than 64 KiB.
    """
    address = Address(Kind.PROJECT, project, project)
    not_too_large(merged((await gateway.projects.state(address)).state.configs, changes))
    # Whoever holds a key of the settings may be the first to say something of the project.
    commands: list[Command] = [_begun(project), ConfigureProject(changes)]
    decided = await gateway.projects.transact(address, commands, cause=str(uuid4()))
    await gateway.heads.await_version(address, decided.position.version)
    return decided.state.configs


async def issue_key(
    gateway: Gateway, keys: Keys, project: str, name: str, limits: Limits, *, once: str | None = None
) -> tuple[str, str, datetime]:
    """Issue a key; return its id, the key itself, which nobody will see again, and when that was.

    Raises:
        AbsentError: there is no such project.
        TooManyKeysError: it has as many keys as it may.
        ReusedKeyError: one was issued with the Idempotency-Key ``once`` before, and cannot be shown again.
    """
    key_id = event_id(project, "POST key", once) if once else str(uuid4())
    key, hashed = keys.make(project)
    decided = await _decide(gateway, keys, project, IssueKey(key_id, name, hashed, limits))
    if not decided.recorded:
        raise ReusedKeyError(f"issued key {key_id}, which is not shown again: revoke it, and send another one")
    return key_id, key, decided.recorded[0].time


async def revoke_key(gateway: Gateway, keys: Keys, project: str, key_id: str) -> None:
    """Revoke a key: this gateway refuses it from now on, others within a second.

    Raises:
        AbsentError: there is no such project or key.
    """
    await _decide(gateway, keys, project, RevokeKey(key_id))


def _begun(project: str) -> CreateProject:
    return CreateProject("default" if project == DEFAULT_PROJECT else project)


async def _decide(gateway: Gateway, keys: Keys, project: str, command: Command) -> Decided[Project]:
    address = Address(Kind.PROJECT, project, project)
    decided = await gateway.projects.transact(address, [command], cause=str(uuid4()))
    await keys.moved(project, decided)
    await gateway.heads.await_version(address, decided.position.version)
    return decided
