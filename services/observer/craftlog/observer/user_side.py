"""What a user's words do to the board. Each function returns the task that the message belongs to, or None."""

from typing import Final

from craftlog.observer import user_words
from craftlog.observer.ledger import Ledger
from craftlog.observer.words import clip

_MOST_WISHES_AT_ONCE: Final = 3
_LONGEST_REQUEST: Final = 300


def hear(ledger: Ledger, text: str) -> str | None:
    """Hear a text, and note the preferences in it with the task that it is about."""
    task_id = _hear_words(ledger, text)
    for preference in user_words.preferences(text)[:_MOST_WISHES_AT_ONCE]:
        ledger.wish(task_id, preference)
    return task_id


def _hear_words(ledger: Ledger, text: str) -> str | None:
    memory = ledger.memory
    if memory.proposed:
        return _hear_about_plan(ledger, text)
    if memory.waiting is not None:
        return _hear_more_of_request(ledger, text)
    if memory.current is None:
        return _hear_between_tasks(ledger, text)
    return _hear_about_work(ledger, text, memory.current)


def _hear_about_plan(ledger: Ledger, text: str) -> str | None:
    """Follow the proposed plan unless the user declines it, ends it or only asks about it."""
    memory = ledger.memory
    agreed = user_words.agrees(text)
    if user_words.stops(text) or (user_words.says_goodbye(text) and not agreed):
        # The plan itself was all that was wanted.
        task_id = memory.current or ledger.take_up()
        memory.proposed = []
        ledger.wrap_up()
        return task_id
    if user_words.declines(text) or user_words.abandons(text):
        memory.proposed = []
        return memory.current
    if user_words.is_question(text) and not agreed:
        return memory.current
    return ledger.follow_plan()


def _hear_more_of_request(ledger: Ledger, text: str) -> str | None:
    if not (user_words.abandons(text) or user_words.stops(text)):
        return None
    task_id = ledger.take_up()
    ledger.give_up("The user ended it before it was begun.")
    return task_id


def _hear_between_tasks(ledger: Ledger, text: str) -> str | None:
    last = ledger.memory.last
    if last and user_words.corrects(text, answering=False):
        ledger.reopen(last)
        _correct(ledger, text)
        return last
    over = user_words.stops(text) or user_words.says_goodbye(text) or user_words.postpones(text)
    if not ledger.board.tasks or (user_words.wants(text) and not over):
        return _wait(ledger, text)
    return last


def _hear_about_work(ledger: Ledger, text: str, task_id: str) -> str | None:
    evidence = ledger.memory.evidence
    wanted = user_words.wants(text)
    if user_words.abandons(text) and not evidence.changed:
        ledger.give_up(f"The user took it back: {text}")
        return task_id
    if user_words.corrects(text, answering=bool(evidence.asked) or not (evidence.delivered or evidence.changed)):
        _correct(ledger, text)
    elif user_words.postpones(text) and evidence.unanswered:
        evidence.contradict("delay", f"The user put it off: {text}")
    if user_words.stops(text) or (user_words.says_goodbye(text) and not wanted):
        ledger.wrap_up()
        return task_id
    if evidence.asked:
        return _hear_answer(ledger, text, task_id)
    if user_words.thanks(text) and not wanted and evidence.against != "correction":
        ledger.conclude()
        return task_id
    return _hear_remark(ledger, text, task_id)


def _hear_answer(ledger: Ledger, text: str, task_id: str) -> str | None:
    """Hear what is said to a question: leave to go on ends a step whose work is done."""
    evidence = ledger.memory.evidence
    if evidence.awaits_leave and task_id in ledger.memory.plan and user_words.agrees(text):
        ledger.conclude()
    elif evidence.against == "refusal" and user_words.turns_away(text):
        ledger.conclude()
        return _wait(ledger, text)
    return task_id


def _hear_remark(ledger: Ledger, text: str, task_id: str) -> str | None:
    """Hear what is said to an answer, or while nothing was begun."""
    evidence, task = ledger.memory.evidence, ledger.board.tasks[task_id]
    if not (evidence.delivered or task.status == "pending") or evidence.against == "correction":
        return task_id
    if user_words.wants(text):
        return _hear_next_request(ledger, text, task_id)
    if user_words.agrees(text) and evidence.delivered:
        ledger.conclude()
    return task_id


def _hear_next_request(ledger: Ledger, text: str, task_id: str) -> str | None:
    """Go over to the step that is meant, stay where an answer is discussed, or let a new request wait."""
    step = ledger.step_meant(text)
    if step:
        ledger.turn_to(step)
        return step
    argues = ledger.memory.evidence.against == "refusal" and not user_words.turns_away(text)
    if argues or user_words.picks(text) or user_words.answers(text):
        return task_id
    ledger.conclude()
    return _wait(ledger, text)


def _correct(ledger: Ledger, text: str) -> None:
    evidence = ledger.memory.evidence
    evidence.contradict("correction", f"The user said: {text}")
    evidence.changed = evidence.delivered = False


def _wait(ledger: Ledger, text: str) -> str | None:
    """Keep a request until the agent takes it up; one that says nothing is none."""
    wanted = user_words.request(text)
    if not wanted:
        return ledger.memory.last
    ledger.memory.waiting = clip(wanted, _LONGEST_REQUEST)
    return None
