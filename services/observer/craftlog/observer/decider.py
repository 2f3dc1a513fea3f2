"""Pure: what may happen to the board of one session, and what each fact makes of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from craftlog.contracts.events import (
    BoardDeleted,
    Event,
    MessageDropped,
    MessageSkipped,
    MessagesLinked,
    MessageTakenUp,
    PlanningLinked,
    SessionObserved,
    Used,
    UserPreferenceNoted,
)
from craftlog.observer import skipping, tasks
from craftlog.observer.commands import (
    BeginObserving,
    Command,
    DeleteBoard,
    DropMessage,
    FinishObserving,
    LinkPlanning,
    NoteUserPreference,
    SkipMessage,
    TakeUpMessage,
)
from craftlog.observer.sizes import FULL, growth
from craftlog.observer.skipping import NotParkedError, Skipped
from craftlog.observer.tasks import Rejected, Task, Tasks
from craftlog.observer.usage import counted, read_between


class OutrunError(Rejected):
    """What this observation starts from is not how far the board has read: somebody else was faster."""


class GoneError(Rejected):
    """The board was deleted with its session."""


@dataclass(frozen=True, slots=True)
class State:
    """A board: its tasks by id in their order, how far it has read, and what its engine wants to know again.

    ``preferences`` are the user's for the whole session. ``planning`` are the positions of talk about what to do,
    ``skipped`` says of messages that cannot be read why, by position. ``usage`` is what observing took, by day;
    ``size`` is that of the board in bytes.
    """

    tasks: Tasks = field(default_factory=dict)
    preferences: tuple[str, ...] = ()
    planning: frozenset[int] = frozenset()
    skipped: Skipped = field(default_factory=dict)
    through_position: int = 0
    memory: Mapping[str, Any] = field(default_factory=dict)
    usage: Mapping[str, Used] = field(default_factory=dict)
    size: int = 0
    deleted: bool = False

    @property
    def is_full(self) -> bool:
        """Tell whether the board takes no more tasks, notes and preferences."""
        return self.size >= FULL


INITIAL: Final = State()


def decide(state: State, command: Command) -> list[Event]:
    """Turn a command into facts. Asking twice for the same thing yields nothing new.

    Raises:
        Rejected: the task is unknown, or its status does not allow this.
        GoneError: the board was deleted.
        OutrunError: an observation starts from where the board no longer is.
        NotParkedError: a message that is to be taken up or dropped is not parked.
    """
    if isinstance(command, DeleteBoard):
        return [] if state.deleted else [BoardDeleted(usage=dict(counted(state.usage, command.spent)))]
    if state.deleted:
        raise GoneError("The board was deleted with its session. Nothing can be added.")
    match command:
        case BeginObserving() | FinishObserving():
            return _observe(state, command)
        case SkipMessage() | TakeUpMessage() | DropMessage():
            return skipping.decide(state.skipped, state.through_position, command)
        case NoteUserPreference() | LinkPlanning():
            decided = _note(state, command)
        case _:
            decided = tasks.decide(state.tasks, command)
    if state.is_full and any(growth(state.tasks, event) > 0 for event in decided):
        raise Rejected("The board is full. Go on with the tasks that it has, without further notes and preferences.")
    return decided


def evolve(state: State, event: Event) -> State:
    """Return the board after a fact. Facts about tasks that it has never seen change nothing."""
    after, grown = _evolve(state, event), growth(state.tasks, event)
    return replace(after, size=after.size + grown) if grown else after


def _evolve(state: State, event: Event) -> State:
    match event:
        case BoardDeleted():
            state = State(deleted=True)
        case SessionObserved(through_position=through, memory=memory, spent=spent):
            usage = counted(state.usage, spent, read_between(state.through_position, through, state.skipped))
            state = replace(state, through_position=through, memory=memory, usage=usage)
        case UserPreferenceNoted(preference=preference):
            state = replace(state, preferences=(*state.preferences, preference))
        case PlanningLinked(positions=positions):
            moved = frozenset(positions)
            state = replace(state, tasks=tasks.without(state.tasks, moved), planning=state.planning | moved)
        case MessageSkipped() | MessageTakenUp() | MessageDropped():
            usage = skipping.usage_after(state.usage, event)
            state = replace(state, skipped=skipping.evolve(state.skipped, event), usage=usage)
        case _:
            linked = event.positions if isinstance(event, MessagesLinked) else ()
            state = replace(state, tasks=tasks.evolve(state.tasks, event), planning=_less(state.planning, linked))
    return state


def _less(planning: frozenset[int], linked: Collection[int]) -> frozenset[int]:
    return planning if planning.isdisjoint(linked) else planning.difference(linked)


def _observe(state: State, command: BeginObserving | FinishObserving) -> list[Event]:
    through = state.through_position
    if isinstance(command, BeginObserving):
        if through != command.after:
            raise OutrunError(f"The board has read through {through}, not {command.after}. Read on from there.")
        return []
    if command.through < through:
        raise Rejected(f"The board has already read through {through}. It never goes back.")
    if command.through == through:
        return []
    how: dict[str, Any] = {"engine": command.engine, "memory": dict(command.memory), "spent": command.spent}
    return [SessionObserved(through_position=command.through, **how)]


def _note(state: State, command: NoteUserPreference | LinkPlanning) -> list[Event]:
    match command:
        case NoteUserPreference(preference):
            return [] if preference in state.preferences else [UserPreferenceNoted(preference=preference)]
        case LinkPlanning(positions):
            tasks.must_exist(positions)
            new = tuple(sorted(set(positions) - state.planning))
            return [PlanningLinked(positions=new)] if new else []


__all__ = ["INITIAL", "GoneError", "NotParkedError", "OutrunError", "Rejected", "State", "Task", "decide", "evolve"]
