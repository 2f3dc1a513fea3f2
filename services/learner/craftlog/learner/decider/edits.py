"""What people do to a tree: each edit becomes facts that say all there is to know. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, TypeVar

from craftlog.contracts.events import (
    BlockAdded,
    BlockChanged,
    BlockMoved,
    BlocksRemoved,
    BlocksShifted,
    BlockType,
    Event,
    ToolRenamed,
)
from craftlog.contracts.questions import AddBlock, ChangeBlock, MoveBlock, SortBlock
from craftlog.learner.decider.refusals import AbsentError, ReusedKeyError, WrongEditError
from craftlog.learner.decider.shapes import ON_PAGES, check_parent, check_title, checked_props, new_title
from craftlog.learner.decider.state import Block, State

T = TypeVar("T")

_MOST_IN_EVENT: Final = 1000  # block ids, so that an event stays well below what the log takes


def add(state: State, command: AddBlock) -> Sequence[Event]:
    """Put a block last among its siblings; quiet where it is there."""
    known = state.blocks.get(command.block_id)
    if known is not None:
        if known.request != command.request:
            raise ReusedKeyError("Idempotency-Key", "added another block before")
        return []
    _check_parent(state, command.type, command.parent_id)
    return [
        BlockAdded(
            block_id=command.block_id,
            type=command.type,
            title=new_title(command.type, command.title),
            sort=next_sort(state, command.parent_id),
            parent_id=command.parent_id,
            props=checked_props(command.type, command.props),
            request=command.request,
        )
    ]


def change(state: State, command: ChangeBlock) -> Sequence[Event]:
    """Give a block another title or other props; quiet where it has them."""
    block = _found(state, command.block_id)
    title = check_title(command.title) if command.title else block.title
    props = block.props if command.props is None else checked_props(block.type, command.props)
    # NOTE: by their texts, since true and 1 are equal here and not in JSON.
    if repr((title, dict(props))) == repr((block.title, dict(block.props))):
        return []
    return [
        BlockChanged(
            block_id=command.block_id,
            type=block.type,
            title=title,
            props=dict(props),
            session_id=block.session_id,
        )
    ]


def move(state: State, command: MoveBlock | SortBlock) -> Sequence[Event]:
    """Put a block at another place; a place beyond the end is the end. Quiet where it stands there."""
    block_id, block = command.block_id, _found(state, command.block_id)
    parent_id = command.parent_id if isinstance(command, MoveBlock) else block.parent_id
    if parent_id is None and block.type in ON_PAGES:
        parent_id = block.parent_id
    _check_parent(state, block.type, parent_id)
    if parent_id in state.below(block_id):
        raise WrongEditError("parent_id", "is the block itself, or below it")
    siblings = [id_ for id_ in state.children(parent_id) if id_ != block_id]
    place = len(siblings) if command.sort is None else min(max(command.sort, 0), len(siblings))
    shifts = _places(state, [*siblings[:place], block_id, *siblings[place:]])
    if parent_id != block.parent_id:
        shifts |= _places(state, [id_ for id_ in state.children(block.parent_id) if id_ != block_id])
    shifts.pop(block_id, None)
    moved = (parent_id, place) != (block.parent_id, block.sort)
    return [*_shifted(shifts), *([BlockMoved(block_id=block_id, parent_id=parent_id, sort=place)] if moved else [])]


def remove(state: State, block_id: str) -> Sequence[Event]:
    """Take out a block and what is below it; quiet where it is gone."""
    if block_id not in state.blocks:
        return []
    gone = list(state.below(block_id))
    removed = [BlocksRemoved(block_ids=tuple(some)) for some in _chunks(gone)]
    return [*removed, *closed_up(state, frozenset(gone))]


def rename(state: State, renames: Sequence[tuple[str, str]]) -> Sequence[Event]:
    """Give tools other names in every step; quiet where none has an old one."""
    events: list[Event] = []
    for old, new in renames:
        steps = {
            id_: at
            for id_, block in state.blocks.items()
            if (at := tuple(at for at, name in enumerate(block.tools) if name == old)) and old != new
        }
        events += [ToolRenamed(old_name=old, new_name=new, steps=dict(some)) for some in _chunks(steps.items())]
    return events


def next_sort(state: State, parent_id: str | None) -> int:
    """Return the free place at the end of a block's children."""
    return max((block.sort for block in state.blocks.values() if block.parent_id == parent_id), default=-1) + 1


def closed_up(state: State, gone: frozenset[str]) -> Sequence[Event]:
    """Return what shifts where these blocks no longer stand."""
    places: dict[str, int] = {}
    for parent_id in dict.fromkeys(state.blocks[id_].parent_id for id_ in sorted(gone)):
        places |= _places(state, [id_ for id_ in state.children(parent_id) if id_ not in gone])
    return _shifted(places)


def _found(state: State, block_id: str) -> Block:
    if block_id not in state.blocks:
        raise AbsentError("block_id", f"there is no block {block_id} in this space")
    return state.blocks[block_id]


def _check_parent(state: State, kind: BlockType, parent_id: str | None) -> None:
    check_parent(kind, parent_id, state.blocks.get(parent_id) if parent_id else None)


def _places(state: State, order: Sequence[str]) -> dict[str, int]:
    """Return the places that change when siblings stand in this order."""
    return {id_: place for place, id_ in enumerate(order) if state.blocks[id_].sort != place}


def _shifted(places: Mapping[str, int]) -> list[Event]:
    return [BlocksShifted(sorts=dict(some)) for some in _chunks(places.items())]


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while some := list(islice(left, _MOST_IN_EVENT)):
        yield some
