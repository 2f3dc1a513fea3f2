"""Pure: what one space learns, where it is filed, and what is forgotten with a session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, assert_never

from craftlog.contracts.envelope import event_id
from craftlog.contracts.events import Event, LessonSkipped, PageAdded, Provenance, SessionForgotten, SopFiled, ToolStep

LONGEST_SKILL: Final = 20_000


class RejectedError(Exception):
    """The lesson cannot be filed as it was proposed; the text says why, in words for whoever proposed it."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page. ``filed`` counts the skills on it by the session that taught them; ``next_sort`` is free for a skill."""

    title: str
    next_sort: int = 0
    filed: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class State:
    """The tree of one space as far as decisions need it: pages by id, tasks with a lesson, sessions forgotten."""

    pages: Mapping[str, Page] = field(default_factory=lambda: MappingProxyType({}))
    next_sort: int = 0
    settled: frozenset[str] = frozenset()
    forgotten: frozenset[str] = frozenset()


INITIAL: Final = State()


@dataclass(frozen=True, slots=True)
class FileSop:
    """File what a task taught on the page with this title, which is made where there is none."""

    space_id: str
    task_id: str
    session_id: str
    page_title: str
    use_when: str
    preferences: str
    tool_sops: tuple[ToolStep, ...]
    message_ids: tuple[str, ...]
    engine: str


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


Command = FileSop | SkipLesson | ForgetSession


def decide(state: State, command: Command) -> Sequence[Event]:
    """Turn a proposal into facts. A task teaches once, a forgotten session nothing, so that a repeat is quiet.

    Raises:
        RejectedError: the skill has no use, no content, a step without a tool, or a title that no page can have.
    """
    match command:
        case FileSop():
            return [] if _is_settled(state, command.task_id, command.session_id) else _file(state, command)
        case SkipLesson(task_id, session_id, reason, engine):
            if _is_settled(state, task_id, session_id):
                return []
            return [LessonSkipped(task_id=task_id, session_id=session_id, reason=reason, engine=engine)]
        case ForgetSession(session_id):
            return [] if session_id in state.forgotten else [_forget(state, session_id)]
        case _:
            assert_never(command)


def evolve(state: State, event: Event) -> State:
    """Return the state after an event. Events erased from the log may be missing before it."""
    match event:
        case PageAdded(block_id=page_id, title=title, sort=sort):
            pages = {**state.pages, page_id: Page(title)}
            return replace(state, pages=pages, next_sort=max(state.next_sort, sort + 1))
        case SopFiled(parent_id=page_id, sort=sort, provenance=origin):
            pages = {
                id_: _with_sop(page, sort, origin) if id_ == page_id else page for id_, page in state.pages.items()
            }
            return replace(state, pages=pages, settled=state.settled | {origin.task_id})
        case LessonSkipped(task_id=task_id):
            return replace(state, settled=state.settled | {task_id})
        case SessionForgotten(session_id=session_id, removed_pages=removed):
            kept = {id_: _without(page, session_id) for id_, page in state.pages.items() if id_ not in removed}
            return replace(state, pages=kept, forgotten=state.forgotten | {session_id})
        case _:
            return state


def _is_settled(state: State, task_id: str, session_id: str) -> bool:
    # NOTE: a lesson may still be on its way when its session is deleted; it must not come back after that.
    return task_id in state.settled or session_id in state.forgotten


def _file(state: State, command: FileSop) -> Sequence[Event]:
    _check(command)
    page_id = next((id_ for id_, page in state.pages.items() if page.title == command.page_title), None)
    added = []
    if page_id is None:
        # NOTE: the id comes from the task, not the title: a page that was removed never comes back under its old id.
        page_id = event_id(command.space_id, command.task_id, "page")
        added = [PageAdded(block_id=page_id, title=command.page_title, sort=state.next_sort)]
    filed = SopFiled(
        block_id=event_id(command.space_id, command.task_id, "sop"),
        parent_id=page_id,
        sort=0 if added else state.pages[page_id].next_sort,
        use_when=command.use_when,
        preferences=command.preferences,
        tool_sops=command.tool_sops,
        provenance=Provenance(
            session_id=command.session_id,
            task_id=command.task_id,
            message_ids=command.message_ids,
            engine=command.engine,
        ),
    )
    return [*added, filed]


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


def _forget(state: State, session_id: str) -> SessionForgotten:
    left_empty = [id_ for id_, page in state.pages.items() if page.filed and page.filed.keys() <= {session_id}]
    return SessionForgotten(session_id=session_id, removed_pages=tuple(left_empty))


def _with_sop(page: Page, sort: int, origin: Provenance) -> Page:
    filed = {**page.filed, origin.session_id: page.filed.get(origin.session_id, 0) + 1}
    return replace(page, filed=filed, next_sort=max(page.next_sort, sort + 1))


def _without(page: Page, session_id: str) -> Page:
    return replace(page, filed={id_: count for id_, count in page.filed.items() if id_ != session_id})
