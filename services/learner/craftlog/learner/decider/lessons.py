"""What one space learns, where it is filed or who is asked first, and what is forgotten with a session. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from craftlog.contracts.envelope import event_id
from craftlog.contracts.events import (
    Event,
    LessonProposed,
    LessonSkipped,
    PageAdded,
    Provenance,
    SessionForgotten,
    SopFiled,
    ToolStep,
)
from craftlog.contracts.questions import ResolveProposal
from craftlog.learner.decider.edits import closed_up, next_sort
from craftlog.learner.decider.refusals import AbsentError, RejectedError
from craftlog.learner.decider.state import Block, State

LONGEST_SKILL: Final = 20_000
DECLINED: Final = "A person declined it."


@dataclass(frozen=True, slots=True)
class FileSop:
    """File what a task taught on the page with this title, which is made where there is none.

    With ``confirm`` a person is asked first.
    """

    space_id: str
    page_title: str
    use_when: str
    preferences: str
    tool_sops: tuple[ToolStep, ...]
    provenance: Provenance
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class SkipLesson:
    """Note that a task teaches nothing, and why."""

    task_id: str
    session_id: str
    reason: str
    engine: str


@dataclass(frozen=True, slots=True)
class ForgetSession:
    """Forget what a session taught, and never learn from it again."""

    session_id: str


def learn(state: State, command: FileSop) -> Sequence[Event]:
    """File a skill or propose it; quiet where its task has a lesson, or its session is forgotten.

    Raises:
        RejectedError: the skill has no use, no content, a step without a tool, or a title that no page can have.
    """
    if _is_settled(state, command.provenance.task_id, command.provenance.session_id):
        return []
    _check(command)
    cause = (command.space_id, command.provenance.task_id)
    return [_proposed(cause, command)] if command.confirm else _filed(state, cause, command)


def skip(state: State, command: SkipLesson) -> Sequence[Event]:
    """Note a lesson that is none; quiet where the task has one."""
    if _is_settled(state, command.task_id, command.session_id):
        return []
    return [
        LessonSkipped(
            task_id=command.task_id, session_id=command.session_id, reason=command.reason, engine=command.engine
        )
    ]


def resolve(state: State, command: ResolveProposal) -> Sequence[Event]:
    """File what was proposed, or decline it; quiet where that was said before."""
    proposal = state.proposals.get(command.task_id)
    if proposal is None:
        if command.task_id in state.settled:
            return []
        raise AbsentError("task_id", f"nothing is proposed for task {command.task_id}")
    if command.save:
        return _filed(state, (proposal.proposal_id,), proposal)
    origin = proposal.provenance
    return [LessonSkipped(task_id=origin.task_id, session_id=origin.session_id, reason=DECLINED, engine=origin.engine)]


def forget(state: State, command: ForgetSession) -> Sequence[Event]:
    """Forget a session, with the pages that the learner made and that are left empty; quiet where it is forgotten."""
    if command.session_id in state.forgotten:
        return []
    taught = {id_ for id_, block in state.blocks.items() if block.session_id == command.session_id}
    pages = {state.blocks[id_].parent_id for id_ in taught}
    emptied = [
        id_
        for id_, block in state.blocks.items()
        if id_ in pages and not block.by_person and taught.issuperset(state.children(id_))
    ]
    forgotten = SessionForgotten(session_id=command.session_id, removed_pages=tuple(emptied))
    return [forgotten, *closed_up(state, frozenset((*taught, *emptied)))]


def _is_settled(state: State, task_id: str, session_id: str) -> bool:
    # NOTE: a lesson may still be on its way when its session is deleted; it must not come back after that.
    return task_id in state.settled or session_id in state.forgotten or state.deleted


def _proposed(cause: Sequence[str], sop: FileSop) -> LessonProposed:
    return LessonProposed(
        proposal_id=event_id(*cause, "proposal"),
        page_title=sop.page_title,
        use_when=sop.use_when,
        preferences=sop.preferences,
        tool_sops=sop.tool_sops,
        provenance=sop.provenance,
    )


def _filed(state: State, cause: Sequence[str], sop: FileSop | LessonProposed) -> Sequence[Event]:
    pages = ((block.sort, id_) for id_, block in state.blocks.items() if _is_page(block, sop.page_title))
    page_id = next((id_ for _, id_ in sorted(pages)), None)
    added = []
    if page_id is None:
        # NOTE: the id comes from the task, not the title: a page that was removed never comes back under its old id.
        page_id = event_id(*cause, "page")
        added = [PageAdded(block_id=page_id, title=sop.page_title, sort=next_sort(state, None))]
    filed = SopFiled(
        block_id=event_id(*cause, "sop"),
        parent_id=page_id,
        sort=next_sort(state, page_id),
        use_when=sop.use_when,
        preferences=sop.preferences,
        tool_sops=sop.tool_sops,
        provenance=sop.provenance,
    )
    return [*added, filed]


def _is_page(block: Block, title: str) -> bool:
    return (block.type, block.title) == ("page", title)


def _check(command: FileSop) -> None:
    title = command.page_title
    if not title or title != title.strip() or "/" in title:
        raise RejectedError(f"page_title {title!r} must be a name without slashes or spaces around it")
    if not command.use_when.strip():
        raise RejectedError("use_when is empty: nobody could tell when to use this skill")
    if not command.tool_sops and not command.preferences.strip():
        raise RejectedError("the skill has neither steps nor preferences")
    if any(not step.tool_name.strip() for step in command.tool_sops):
        raise RejectedError("tool_sops has a step without a tool_name")
    texts = [command.use_when, command.preferences, *(step.tool_name + step.action for step in command.tool_sops)]
    if (size := sum(map(len, texts))) > LONGEST_SKILL:
        raise RejectedError(f"the skill has {size} characters, and {LONGEST_SKILL} is the most that anybody reads")
