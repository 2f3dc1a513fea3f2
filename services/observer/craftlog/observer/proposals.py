"""What a model may propose, and what that comes to: commands for the board, and refusals in words. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field

from craftlog.contracts.envelope import event_id
from craftlog.observer.commands import (
    Command,
    DescribeTask,
    FailTask,
    LinkMessages,
    LinkPlanning,
    NotePreference,
    NoteUserPreference,
    OpenTask,
    RecordProgress,
    StartTask,
    SucceedTask,
)
from craftlog.observer.decider import Rejected, State, Task, decide, evolve
from craftlog.observer.words import clip

PLANNING: Final = "planning"
_LONGEST: Final = 500  # characters of a text on the board
_MOST_COMMANDS: Final = 200
_MOST_NAMED: Final = 20


class Proposal(BaseModel):
    """One command of a model, told from the others by ``do``."""

    model_config = ConfigDict(extra="forbid")


class Open(Proposal):
    """Open a task."""

    do: Literal["open_task"]
    ref: str = Field(description="a name for it in the commands that follow, such as new1")
    description: str
    before: str | None = Field(description="the task that it stands before, or null for the end of the board")


class Describe(Proposal):
    """Word a task anew."""

    do: Literal["describe_task"]
    task: str
    description: str


class SetStatus(Proposal):
    """Move a task to another status."""

    do: Literal["set_status"]
    task: str
    status: Literal["running", "success", "failed"]
    reason: str | None = Field(description="why it failed, else null")


class AddProgress(Proposal):
    """Record what the agent did."""

    do: Literal["add_progress"]
    task: str
    note: str


class AddPreference(Proposal):
    """Record how the user wants it."""

    do: Literal["add_preference"]
    task: str | None = Field(description="the task that it is about, or null for the whole conversation")
    preference: str


class Link(Proposal):
    """Count messages to a task."""

    do: Literal["link_messages"]
    task: str = Field(description="a task, or planning")
    messages: list[int]


class Proposals(BaseModel):
    """The changes to the board that the new messages make."""

    model_config = ConfigDict(extra="forbid")

    commands: list[Open | Describe | SetStatus | AddProgress | AddPreference | Link]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What proposals come to: the commands that the board accepts, and why it refuses the others."""

    commands: list[Command] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


def rule(board: State, proposals: Proposals, session_id: str, positions: Sequence[int], engine: str) -> Ruling:
    """Try proposals on the board, one after the other.

    Args:
        board: the board as the model saw it.
        proposals: what it answered.
        session_id: for the ids of new tasks, which a repeat finds again.
        positions: those of the new messages, which alone can be linked.
        engine: who is said to have found new tasks.
    """
    ruling = Ruling()
    names = {name_of(task): task.id for task in board.tasks.values()}
    for number, proposal in enumerate(proposals.commands[:_MOST_COMMANDS], start=1):
        after, accepted = board, []
        try:
            for command in _commands(board, proposal, names, (session_id, positions, engine)):
                after = reduce(evolve, decide(after, command), after)
                accepted.append(command)
        except Rejected as refusal:
            ruling.refusals.append(f"Command {number} ({proposal.do}): {refusal}")
        else:
            board = after
            ruling.commands.extend(accepted)
    if len(proposals.commands) > _MOST_COMMANDS:
        ruling.refusals.append(f"Only the first {_MOST_COMMANDS} commands count.")
    return ruling


def name_of(task: Task) -> str:
    """Return what a model calls a task: by the number it was opened as, which never changes."""
    return f"T{task.order}"


def _commands(
    board: State, proposal: Any, names: dict[str, str], case: tuple[str, Sequence[int], str]
) -> Iterator[Command]:
    session_id, positions, engine = case
    match proposal:
        case Open():
            task_id = event_id(session_id, "task", str(positions[0]), str(len(names)))
            yield _open(board, proposal, names, task_id, engine)
            names[proposal.ref] = task_id  # not where the board refuses it: what follows would mean a task that is none
        case Describe():
            yield DescribeTask(_id(names, proposal.task), _text(proposal.description, "description"))
        case SetStatus():
            yield from _move(board.tasks[_id(names, proposal.task)], proposal)
        case AddProgress():
            task = board.tasks[_id(names, proposal.task)]
            if task.status == "pending":
                yield StartTask(task.id)
            yield RecordProgress(task.id, _text(proposal.note, "note"))
        case AddPreference(task=None):
            yield NoteUserPreference(_text(proposal.preference, "preference"))
        case AddPreference():
            yield NotePreference(_id(names, str(proposal.task)), _text(proposal.preference, "preference"))
        case Link():
            yield _link(proposal, names, positions)
        case _:
            assert_never(proposal)


def _open(board: State, proposal: Open, names: dict[str, str], task_id: str, engine: str) -> OpenTask:
    if proposal.ref in names or proposal.ref == PLANNING:
        raise Rejected(f"{clip(proposal.ref, 40)!r} is taken. Choose another ref.")
    description = _text(proposal.description, "description")
    for task in board.tasks.values():
        if task.description.casefold() == description.casefold() and task.status in {"pending", "running"}:
            raise Rejected(f"That is {name_of(task)} already.")
    before = None if proposal.before is None else _id(names, proposal.before)
    return OpenTask(task_id, description, engine, before)


def _move(task: Task, proposal: SetStatus) -> Iterator[Command]:
    if proposal.status == "failed":
        yield FailTask(task.id, _text(proposal.reason or "", "reason"))
        return
    if proposal.status == "running" or task.status == "pending":
        yield StartTask(task.id)
    if proposal.status == "success":
        yield SucceedTask(task.id)


def _link(proposal: Link, names: dict[str, str], positions: Sequence[int]) -> Command:
    strange = [position for position in proposal.messages if position not in positions]
    if strange:
        raise Rejected(f"Message {strange[0]} is not among the new ones, {positions[0]} to {positions[-1]}.")
    linked = tuple(proposal.messages)
    return LinkPlanning(linked) if proposal.task == PLANNING else LinkMessages(_id(names, proposal.task), linked)


def _id(names: dict[str, str], name: str) -> str:
    if name not in names:
        # It goes into a prompt, whose budget does not grow with the board.
        newest = ", ".join(clip(there, 40) for there in list(names)[-_MOST_NAMED:]) or "none yet"
        raise Rejected(f"There is no task {clip(name, 40)!r}. The newest are: {newest}.")
    return names[name]


def _text(text: str, field_name: str) -> str:
    if not (said := " ".join(text.replace("\0", "").split())):
        raise Rejected(f"The {field_name} is empty.")
    return clip(said, _LONGEST)
