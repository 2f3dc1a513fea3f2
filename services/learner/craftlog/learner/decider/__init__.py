"""Pure: what may happen to the tree of one space, by the learner's own doing or by people's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from craftlog.contracts.events import Event, TreeDeleted
from craftlog.contracts.questions import (
    AddBlock,
    ChangeBlock,
    MoveBlock,
    RemoveBlock,
    ResolveProposal,
    SortBlock,
    TreeEdit,
)
from craftlog.learner.decider import edits, lessons
from craftlog.learner.decider.lessons import FileSop, ForgetSession, SkipLesson
from craftlog.learner.decider.refusals import AbsentError
from craftlog.learner.decider.state import State


@dataclass(frozen=True, slots=True)
class RenameTools:
    """Give tools other names wherever they are used: old and new names, of which no new one is an old one as well."""

    renames: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DeleteTree:
    """End the tree: its space is gone."""


Command = FileSop | SkipLesson | ForgetSession | TreeEdit | RenameTools | DeleteTree


def decide(state: State, command: Command) -> Sequence[Event]:
    """Return what a command comes to. Asking twice for the same thing yields nothing new.

    Raises:
        RejectedError: a skill cannot be filed as it was proposed.
        EditRefusedError: a person's edit is wrong, or names what is not there.
    """
    match command:
        case FileSop():
            return lessons.learn(state, command)
        case SkipLesson():
            return lessons.skip(state, command)
        case ForgetSession():
            return [] if state.deleted else lessons.forget(state, command)
        case RenameTools(renames):
            return edits.rename(state, renames)
        case DeleteTree():
            return [] if state.deleted else [TreeDeleted()]
        case _:
            if state.deleted:
                raise AbsentError("space_id", "there is no such space")
            return _edit(state, command)


def _edit(state: State, command: TreeEdit) -> Sequence[Event]:
    match command:
        case AddBlock():
            return edits.add(state, command)
        case ChangeBlock():
            return edits.change(state, command)
        case MoveBlock() | SortBlock():
            return edits.move(state, command)
        case RemoveBlock(block_id=block_id):
            return edits.remove(state, block_id)
        case ResolveProposal():
            return lessons.resolve(state, command)
        case _:
            assert_never(command)
