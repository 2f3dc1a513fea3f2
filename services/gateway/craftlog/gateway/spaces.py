"""What a request about a space or its tree wants becomes a command, or an edit that the learner is asked for."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from craftlog.contracts.envelope import event_id
from craftlog.contracts.events import CONFIRM
from craftlog.contracts.questions import Refusal, ToolsAnswered, ToolsAsked, TreeAnswered, TreeAsked, TreeEdit
from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.asking import answer_of
from craftlog.gateway.decider.refusals import ReusedKeyError
from craftlog.gateway.decider.space import ConfigureSpace, CreateSpace, DeleteSpace
from craftlog.gateway.digests import digest
from craftlog.gateway.errors import InvalidError, MissingError
from craftlog.gateway.fields import Json
from craftlog.gateway.handlers import Gateway
from craftlog.gateway.heads import Seen
from craftlog.runtime.errors import UnavailableError

# Trees are renamed in one after the other, and it is answered when all can be read so.
_RENAMING_BUDGET: Final = 25.0


def checked(configs: Json | None) -> Json | None:
    """Return configs, or raise InvalidError where the one that means something to us is no flag."""
    if configs and not isinstance(configs.get(CONFIRM, False), bool):
        raise InvalidError(f"configs.{CONFIRM}", "must be true or false")
    return configs


async def create_space(
    gateway: Gateway, project: str, configs: dict[str, Any] | None, key: str | None
) -> tuple[str, datetime]:
    """Create a space, or find the one that the same key made; return its id and when it began.

    Raises:
        AbsentError: the key made a space that was deleted.
        ReusedKeyError: the key made a space from another body.
    """
    wanted = CreateSpace(configs)
    if key:
        wanted = replace(wanted, request=digest(asdict(wanted)))
    address = Address(Kind.SPACE, project, event_id(project, "POST /space", key) if key else str(uuid4()))
    decided = await gateway.spaces.transact(address, [wanted], cause=address.id)
    if not decided.recorded:
        return address.id, (await gateway.heads.seen(address)).head["created_at"]
    await gateway.heads.await_version(address, decided.position.version)
    return address.id, decided.recorded[0].time


async def configure_space(gateway: Gateway, address: Address, configs: dict[str, Any]) -> None:
    """Replace a space's configs; raises AbsentError where there is none."""
    decided = await gateway.spaces.transact(address, [ConfigureSpace(configs)], cause=str(uuid4()))
    await gateway.heads.await_version(address, decided.position.version)


async def delete_space(gateway: Gateway, address: Address) -> None:
    """End a space; raises AbsentError where there is none."""
    decided = await gateway.spaces.transact(address, [DeleteSpace()], cause=str(uuid4()))
    await gateway.heads.await_version(address, decided.position.version)


async def reached(gateway: Gateway, tree: Address) -> Seen | None:
    """Wait until a tree can be read as the log has it; None where nothing was ever filed in its space.

    Raises:
        MissingError: there is no such space.
        UnavailableError: its read model did not get there in time.
    """
    await gateway.check(Address(Kind.SPACE, tree.project, tree.id), "space_id")
    return await gateway.heads.seen_or_none(tree)


async def edit(gateway: Gateway, tree: Address, wanted: TreeEdit) -> None:
    """Have the learner make an edit, and wait a moment for it to be visible.

    Raises:
        MissingError: there is no such space, or not the block that is named.
        InvalidError: the edit is wrong; it names the field.
        ReusedKeyError: the key added another block.
        UnavailableError: the learner does not answer, or cannot do it now.
    """
    await gateway.check(Address(Kind.SPACE, tree.project, tree.id), "space_id")
    asked = TreeAsked(id=str(uuid4()), project=tree.project, space_id=tree.id, edit=wanted)
    answered = await answer_of(gateway, "learner", "tree", asked, TreeAnswered)
    if answered.unavailable:
        raise UnavailableError(answered.unavailable)
    if answered.refusal:
        raise _named(answered.refusal)
    await gateway.heads.await_version(tree, answered.version)


async def rename_tools(gateway: Gateway, project: str, renames: Sequence[tuple[str, str]]) -> None:
    """Have the learner rename tools in every tree of a project, and wait for it to be visible.

    Raises:
        UnavailableError: not all could be renamed now; asked again, the learner goes on.
    """
    asked = ToolsAsked(id=str(uuid4()), project=project, renames=tuple(renames))
    answered = await answer_of(gateway, "learner", "tools", asked, ToolsAnswered, budget=_RENAMING_BUDGET)
    if answered.unavailable:
        raise UnavailableError(answered.unavailable)
    await asyncio.gather(
        *(
            gateway.heads.await_version(Address(Kind.TREE, project, space_id), version, _RENAMING_BUDGET)
            for space_id, version in answered.versions.items()
        )
    )


def _named(refusal: Refusal) -> Exception:
    match refusal.why:
        case "missing":
            return MissingError(f"{refusal.field}: {refusal.reason}")
        case "reused":
            return ReusedKeyError(refusal.reason)
        case _:
            return InvalidError(refusal.field, refusal.reason)
