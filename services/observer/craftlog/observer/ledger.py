"""The book that the rules keep while they read: what is done to tasks, tried on the board at once, and why."""

from functools import reduce
from typing import Final

from craftlog.contracts.envelope import event_id
from craftlog.observer import plans
from craftlog.observer.commands import (
    BeginObserving,
    Command,
    FailTask,
    FinishObserving,
    LinkMessages,
    NotePreference,
    OpenTask,
    RecordProgress,
    StartTask,
    SucceedTask,
)
from craftlog.observer.decider import State, Task, decide, evolve
from craftlog.observer.memory import Evidence, Memory
from craftlog.observer.words import clip

ENGINE: Final = "rules"
_LONGEST_DESCRIPTION: Final = 300
_LONGEST_NOTE: Final = 240
_LONGEST_PREFERENCE: Final = 200
# Whoever reads a board reads all of it; what it takes at all is for the decider to say.
_MOST_TASKS: Final = 1_000
_MOST_NOTES: Final = 50
_MOST_PREFERENCES: Final = 10
_MOST_HELD: Final = 64


class Ledger:
    """The commands of one observation, and the board and the memory as they are after them.

    Links are kept back until a task ends or the observation does: then one event has them all, before the task's end.
    """

    def __init__(self, board: State, session_id: str) -> None:
        self.board = board
        self.memory = Memory.recall(board.memory, board.tasks)
        self.position = board.through_position
        self.commands: list[Command] = [BeginObserving(board.through_position)]
        self._session_id = session_id
        self._links: dict[str, list[int]] = {}
        self._opened_here = 0

    def turn_page(self, position: int) -> None:
        """Go on to the message at this position."""
        self.position = position
        self._opened_here = 0

    def close(self) -> list[Command]:
        """Return all commands of the observation."""
        for task_id in list(self._links):
            self._write_links(task_id)
        self._do(FinishObserving(self.position, ENGINE, self.memory.stored()))
        return self.commands

    @property
    def current(self) -> Task | None:
        """Return the task in work."""
        return self.board.tasks.get(self.memory.current or "")

    @property
    def unfinished_steps(self) -> list[Task]:
        """Return the steps of the plan that are not finished, in their order."""
        steps = [self.board.tasks[step] for step in self.memory.plan]
        return [step for step in steps if step.status in {"pending", "running"}]

    def step_meant(self, text: str) -> str | None:
        """Return the unfinished step of the plan that a text is about, by its number or by its words."""
        steps = self.unfinished_steps
        if not steps:
            return None
        number = plans.mentioned(text)
        if number and number <= len(self.memory.plan):
            named = self.memory.plan[number - 1]
            return named if any(step.id == named for step in steps) else None
        index = plans.closest(text, [step.description for step in steps])
        return None if index is None else steps[index].id

    def hold(self) -> None:
        """Keep this message for the task that is going to be opened."""
        self.memory.held = [*self.memory.held, self.position][-_MOST_HELD:]

    def link(self, task_id: str) -> None:
        """Count this message to a task."""
        self._links.setdefault(task_id, []).append(self.position)

    def start(self, task_id: str) -> None:
        """Let work on a task begin, or begin again."""
        self._do(StartTask(task_id))

    def note(self, task_id: str, note: str) -> None:
        """Record progress of a running task; of endless progress, the beginning."""
        task = self.board.tasks[task_id]
        if task.status == "running" and len(task.notes) < _MOST_NOTES and not self.board.is_full:
            self._do(RecordProgress(task_id, clip(note, _LONGEST_NOTE)))

    def wish(self, task_id: str | None, preference: str) -> None:
        """Note how the user wants it done, with a task or with the next one."""
        preference = clip(preference, _LONGEST_PREFERENCE)
        if task_id is None:
            self.memory.wishes = [*self.memory.wishes, preference][-_MOST_PREFERENCES:]
        elif len(self.board.tasks[task_id].preferences) < _MOST_PREFERENCES and not self.board.is_full:
            self._do(NotePreference(task_id, preference))

    def take_up(self, description: str | None = None) -> str:
        """Open the waiting request (or what is described) as a task in work, with what was held for it."""
        task_id = self._open(description or self.memory.waiting or "")
        self.memory.waiting = None
        self.memory.proposed = []
        self._hand_over_held(task_id)
        self.start(task_id)
        self._work_on(task_id)
        return task_id

    def follow_plan(self) -> str:
        """Open the steps of the proposed plan as tasks; the first is next."""
        if self.board.is_full or len(self.board.tasks) + len(self.memory.proposed) > _MOST_TASKS:
            return self.take_up(self.memory.proposed[0])
        if self.memory.waiting is None:
            self.memory.goal = self.memory.current
        self.memory.plan = [self._open(step) for step in self.memory.proposed]
        self.memory.proposed = []
        self.memory.waiting = None
        first = self.memory.plan[0]
        self._hand_over_held(first)
        self._work_on(first)
        return first

    def reopen(self, task_id: str) -> None:
        """Work again on a task that had ended."""
        self.start(task_id)
        self._work_on(task_id)

    def turn_to(self, task_id: str) -> None:
        """Go over to another step of the plan, which ends the one in work as the evidence has it."""
        if task_id != self.memory.current:
            self.conclude()
            self._work_on(task_id)

    def conclude(self) -> None:
        """End the task in work, well or not, as the evidence has it; a step that never began stays pending."""
        task = self.current
        if task is None:
            return
        if task.status == "running":
            self._end(task.id, self._verdict())
        self.memory.last = task.id
        steps = self.unfinished_steps
        self._work_on(steps[0].id if steps else None)
        if not steps:
            self._conclude_goal()

    def wrap_up(self) -> None:
        """End the task in work and what it serves, since the user says that this is all."""
        self.conclude()
        if self.memory.goal:
            self._conclude_goal()

    def give_up(self, reason: str) -> None:
        """End the task in work without success, whatever the evidence."""
        self.memory.evidence.contradict("refusal", reason)
        self.conclude()

    def _conclude_goal(self) -> None:
        """End what the plan served once its last step has ended."""
        goal = self.board.tasks.get(self.memory.goal or "")
        failed = [step for step in self.memory.plan if self.board.tasks[step].status == "failed"]
        if goal and goal.status == "running":
            self._end(goal.id, f"{len(failed)} of its steps failed." if failed else None)
        self.memory.goal, self.memory.plan = None, []

    def _verdict(self) -> str | None:
        """Return why the task in work is no success, or None where nothing speaks against it."""
        evidence = self.memory.evidence
        if evidence.against:
            return evidence.reason
        step_done = evidence.awaits_leave and self.memory.current in self.memory.plan
        return "The user ended it while I waited for an answer." if evidence.unanswered and not step_done else None

    def _end(self, task_id: str, reason: str | None) -> None:
        self._write_links(task_id)
        self._do(SucceedTask(task_id) if reason is None else FailTask(task_id, reason))

    def _work_on(self, task_id: str | None) -> None:
        self.memory.current = task_id
        self.memory.evidence = Evidence()

    def _open(self, description: str) -> str:
        if len(self.board.tasks) >= _MOST_TASKS or self.board.is_full:
            return list(self.board.tasks)[-1]
        task_id = event_id(self._session_id, "task", str(self.position), str(self._opened_here))
        self._opened_here += 1
        self._do(OpenTask(task_id, clip(description, _LONGEST_DESCRIPTION), ENGINE))
        return task_id

    def _hand_over_held(self, task_id: str) -> None:
        self._links.setdefault(task_id, []).extend(self.memory.held)
        for preference in self.memory.wishes:
            self.wish(task_id, preference)
        self.memory.held, self.memory.wishes = [], []

    def _write_links(self, task_id: str) -> None:
        positions = self._links.pop(task_id, [])
        if positions:
            self._do(LinkMessages(task_id, tuple(positions)))

    def _do(self, command: Command) -> None:
        self.board = reduce(evolve, decide(self.board, command), self.board)
        self.commands.append(command)
