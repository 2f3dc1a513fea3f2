"""What goes for ever: what a deleted session taught, and the tree of a deleted space."""

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import (
    BlockChanged,
    LessonProposed,
    LessonSkipped,
    PageAdded,
    SessionForgotten,
    SopFiled,
)
from craftlog.contracts.subjects import Address
from craftlog.learner.decider import Command, DeleteTree
from craftlog.learner.decider.lessons import ForgetSession
from craftlog.learner.decider.state import State
from craftlog.runtime.desk import Desk
from craftlog.runtime.log import Log


async def forget(log: Log, desk: Desk[State, Command], tree: Address, session_id: str) -> None:
    """Forget what a session taught a space, and erase it from the log. Killed anywhere, it can be done again.

    Raises:
        UnavailableError: the log cannot be reached.
    """
    await desk.transact(tree, [ForgetSession(session_id)], cause=f"forget:{tree.id}:{session_id}")
    await log.erase(tree, lambda recorded: not _taught_by(recorded, session_id))
    # Pages last: whoever reads the log in between must not meet a skill without its page.
    removed = await _removed_pages(log, tree, session_id)
    await log.erase(tree, lambda recorded: not _titles_page(recorded, removed))


async def end(log: Log, desk: Desk[State, Command], tree: Address) -> None:
    """Put the tombstone, also where no tree ever was, so that a lesson in flight loses; erase the rest.

    Raises:
        UnavailableError: the log cannot be reached.
    """
    await desk.transact(tree, [DeleteTree()], cause=f"delete:{tree.id}")
    await log.erase(tree, lambda recorded: recorded is not None and recorded.is_tombstone)


async def _removed_pages(log: Log, tree: Address, session_id: str) -> set[str]:
    """Return the pages that were removed with a session; it is their tools' names that they are called by."""
    forgotten = [recorded.event async for recorded in log.read(tree) if isinstance(recorded.event, SessionForgotten)]
    return {page for event in forgotten if event.session_id == session_id for page in event.removed_pages}


def _taught_by(recorded: Recorded | None, session_id: str) -> bool:
    match recorded.event if recorded else None:
        case SopFiled(provenance=origin) | LessonProposed(provenance=origin):
            return origin.session_id == session_id
        case LessonSkipped(session_id=taught_by) | BlockChanged(session_id=taught_by):
            return taught_by == session_id
        case _:
            return False


def _titles_page(recorded: Recorded | None, pages: set[str]) -> bool:
    match recorded.event if recorded else None:
        case PageAdded(block_id=block_id) | BlockChanged(block_id=block_id):
            return block_id in pages
        case _:
            return False
