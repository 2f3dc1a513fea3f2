"""Answers what people ask of trees: an edit of one, and other names for tools in all of a project."""

import asyncio
from typing import Final

from craftlog.contracts.questions import Refusal, ToolsAnswered, ToolsAsked, TreeAnswered, TreeAsked
from craftlog.contracts.subjects import Address, Kind
from craftlog.learner.decider import Command, RenameTools
from craftlog.learner.decider.refusals import AbsentError, EditRefusedError, ReusedKeyError
from craftlog.learner.decider.state import State
from craftlog.learner.store import Trees
from craftlog.runtime.desk import Desk
from craftlog.runtime.errors import UnavailableError

_TREES_AT_ONCE: Final = 8


class Answers:
    """What this service answers. Asked again for the same, it does nothing more and answers the same."""

    def __init__(self, desk: Desk[State, Command], trees: Trees) -> None:
        self._desk = desk
        self._trees = trees

    async def tree(self, asked: TreeAsked) -> TreeAnswered:
        """Make an edit, or say why not."""
        address = Address(Kind.TREE, asked.project, asked.space_id)
        try:
            decided = await self._desk.transact(address, [asked.edit], cause=asked.id)
        except EditRefusedError as refusal:
            return TreeAnswered(refusal=_refusal(refusal))
        except UnavailableError as error:
            return TreeAnswered(unavailable=error.public)
        return TreeAnswered(version=decided.position.version)

    async def tools(self, asked: ToolsAsked) -> ToolsAnswered:
        """Rename tools in each tree that uses them; asked again after an interruption it renames what is left."""
        at_once = asyncio.Semaphore(_TREES_AT_ONCE)
        versions: dict[str, int] = {}
        try:
            trees = await self._trees.using(asked.project, [old for old, _ in asked.renames])
            renaming = (self._rename(tree, asked, at_once) for tree in trees)
            # All are tried, so that as little as possible is left where one of them cannot be renamed in now.
            for done in await asyncio.gather(*renaming, return_exceptions=True):
                if isinstance(done, BaseException):
                    raise done
                versions |= done
        except UnavailableError as error:
            return ToolsAnswered(unavailable=error.public)
        return ToolsAnswered(versions=versions)

    async def _rename(self, tree: Address, asked: ToolsAsked, at_once: asyncio.Semaphore) -> dict[str, int]:
        async with at_once:
            decided = await self._desk.transact(tree, [RenameTools(asked.renames)], cause=f"{asked.id}:{tree.id}")
        return {tree.id: decided.position.version} if decided.recorded else {}


def _refusal(refusal: EditRefusedError) -> Refusal:
    match refusal:
        case AbsentError():
            return Refusal(why="missing", field=refusal.field, reason=str(refusal))
        case ReusedKeyError():
            return Refusal(why="reused", field=refusal.field, reason=str(refusal))
        case _:
            return Refusal(why="wrong", field=refusal.field, reason=str(refusal))
