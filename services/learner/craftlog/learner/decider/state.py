"""The tree of one space as far as decisions need it, and what each event makes of it. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar

from craftlog.contracts.events import (
    BlockAdded,
    BlockChanged,
    BlockMoved,
    BlocksRemoved,
    BlocksShifted,
    BlockType,
    Event,
    LessonProposed,
    LessonSkipped,
    PageAdded,
    SessionForgotten,
    SopFiled,
    ToolRenamed,
    ToolStep,
    TreeDeleted,
)
from craftlog.contracts.readmodels import Document

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Block:
    """One block. ``session_id`` taught it, if a session did; ``by_person`` tells who added it.

    ``request`` is the digest of the keyed request that made it.
    """

    type: BlockType
    parent_id: str | None
    sort: int
    title: str
    props: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    session_id: str | None = None
    by_person: bool = False
    request: str | None = None

    @property
    def tools(self) -> list[str]:
        """Return the tools of its steps, in their order."""
        return [step["tool_name"] for step in self.props["tool_sops"]] if self.type == "sop" else []


@dataclass(frozen=True, slots=True)
class State:
    """Blocks by id, proposals by task, the tasks with a lesson, the sessions forgotten."""

    blocks: Mapping[str, Block] = field(default_factory=lambda: MappingProxyType({}))
    proposals: Mapping[str, LessonProposed] = field(default_factory=lambda: MappingProxyType({}))
    settled: frozenset[str] = frozenset()
    forgotten: frozenset[str] = frozenset()
    deleted: bool = False

    def children(self, parent_id: str | None) -> list[str]:
        """Return the ids of the blocks directly below a block, or of those at the root, in their order."""
        found = [(block.sort, id_) for id_, block in self.blocks.items() if block.parent_id == parent_id]
        return [id_ for _, id_ in sorted(found)]

    def below(self, block_id: str) -> list[str]:
        """Return a block and all that is below it, the lowest first."""
        children = defaultdict[str | None, list[str]](list)
        for id_, block in self.blocks.items():
            children[block.parent_id].append(id_)
        found = [block_id]
        for id_ in found:  # it grows meanwhile
            found += children[id_]
        return found[::-1]


INITIAL: Final = State()


def steps_as_props(preferences: str, steps: Iterable[ToolStep]) -> Document:
    """Return what a skill has beside its use, in the form in which it is stored and read."""
    return {"preferences": preferences, "tool_sops": [step.model_dump() for step in steps]}


def evolve(state: State, event: Event) -> State:
    """Return the state after an event. Events erased from the log may be missing before it."""
    match event:
        case TreeDeleted():
            return State(deleted=True)
        case SessionForgotten(session_id=session_id, removed_pages=removed):
            return _forgotten(state, session_id, removed)
        case LessonProposed(provenance=origin):
            settled = _settled(state, origin.task_id)
            return replace(settled, proposals={**settled.proposals, origin.task_id: event})
        case LessonSkipped(task_id=task_id):
            return _settled(state, task_id)
        case SopFiled(provenance=origin):
            state = _settled(state, origin.task_id)
        case _:
            pass
    return replace(state, blocks=_evolved(state.blocks, event))


def _evolved(blocks: Mapping[str, Block], event: Event) -> Mapping[str, Block]:
    """Return the blocks after an event; facts about blocks that are not there change nothing."""
    changed: dict[str, Block] = {}
    match event:
        case PageAdded(block_id=id_):
            changed[id_] = Block("page", event.parent_id, event.sort, event.title)
        case SopFiled(block_id=id_):
            props = steps_as_props(event.preferences, event.tool_sops)
            changed[id_] = Block("sop", event.parent_id, event.sort, event.use_when, props, event.provenance.session_id)
        case BlockAdded(block_id=id_):
            where = (event.type, event.parent_id, event.sort, event.title)
            changed[id_] = Block(*where, event.props, by_person=True, request=event.request)
        case BlockChanged(block_id=id_, title=title, props=props) if id_ in blocks:
            changed[id_] = replace(blocks[id_], title=title, props=props)
        case BlockMoved(block_id=id_, parent_id=parent_id, sort=sort) if id_ in blocks:
            changed[id_] = replace(blocks[id_], parent_id=parent_id, sort=sort)
        case BlocksShifted(sorts=sorts):
            changed |= {id_: replace(blocks[id_], sort=sort) for id_, sort in sorts.items() if id_ in blocks}
        case ToolRenamed(new_name=name, steps=steps):
            changed |= {id_: _renamed(blocks[id_], at, name) for id_, at in steps.items() if id_ in blocks}
        case BlocksRemoved(block_ids=removed):
            return without(blocks, frozenset(removed))
    return {**blocks, **changed} if changed else blocks


def without(known: Mapping[str, T], gone: frozenset[str]) -> dict[str, T]:
    """Return what is left of a mapping without these keys."""
    return {key: value for key, value in known.items() if key not in gone}


def _settled(state: State, task_id: str) -> State:
    return replace(state, settled=state.settled | {task_id}, proposals=without(state.proposals, frozenset((task_id,))))


def _forgotten(state: State, session_id: str, removed: Iterable[str]) -> State:
    taught = {id_ for id_, block in state.blocks.items() if block.session_id == session_id}
    asked = {id_ for id_, proposal in state.proposals.items() if proposal.provenance.session_id == session_id}
    return replace(
        state,
        blocks=without(state.blocks, frozenset((*taught, *removed))),
        proposals=without(state.proposals, frozenset(asked)),
        forgotten=state.forgotten | {session_id},
    )


def _renamed(block: Block, steps: Iterable[int], name: str) -> Block:
    changed = set(steps)
    renamed = [
        {**step, "tool_name": name} if at in changed else step for at, step in enumerate(block.props["tool_sops"])
    ]
    return replace(block, props={**block.props, "tool_sops": renamed})
