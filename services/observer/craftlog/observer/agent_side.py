"""What an agent's words, calls and results do to the board. What hears a message returns the task it belongs to."""

from collections.abc import Sequence
from typing import Final

from craftlog.observer import agent_words, plans, user_words
from craftlog.observer.calls import Call, Result, changes, is_thought
from craftlog.observer.hearing import Heard
from craftlog.observer.ledger import Ledger
from craftlog.observer.words import clip, sentences

_MOST_CALLS_IN_THE_AIR: Final = 32
_LONGEST_ANSWER_QUOTED: Final = 160


def hear(ledger: Ledger, heard: Heard) -> str | None:
    """Hear one message of the agent."""
    memory = ledger.memory
    if heard.text and _proposes(ledger, heard.text) and not heard.calls:
        return memory.current
    if heard.calls:
        return _hear_calls(ledger, heard)
    return _hear_reply(ledger, heard) if heard.text else memory.current or memory.last


def hear_results(ledger: Ledger, results: Sequence[Result]) -> str | None:
    """Hear what tools answered."""
    task_id = ledger.memory.current or ledger.memory.last
    for result in results:
        task_id = _hear_result(ledger, result) or task_id
    return task_id


def _proposes(ledger: Ledger, text: str) -> bool:
    """Tell whether a text proposes a plan for what is asked for, and keep it."""
    memory = ledger.memory
    if ledger.unfinished_steps or (memory.waiting is None and memory.current is None) or memory.evidence.changed:
        return False
    steps = plans.steps(text)
    if not steps or not _sounds_like_plan(text, memory.waiting):
        return False
    memory.proposed = list(steps)
    return True


def _sounds_like_plan(text: str, waiting: str | None) -> bool:
    """Tell whether a list of actions is what the agent is going to do, not advice and not a summary."""
    if waiting is None:
        return plans.calls_itself_plan(text)
    return plans.announces(text) or not user_words.is_question(waiting)


def _hear_calls(ledger: Ledger, heard: Heard) -> str | None:
    memory = ledger.memory
    if memory.proposed:
        ledger.follow_plan()
    elif memory.waiting is not None:
        ledger.take_up()
    elif not ledger.board.tasks:
        ledger.take_up(_own_words(heard))
    for call in heard.calls:
        if memory.current is None:
            return memory.last
        _hear_call(ledger, call, heard.text)
    return memory.current or memory.last


def _hear_call(ledger: Ledger, call: Call, said: str) -> None:
    memory = ledger.memory
    if step := ledger.step_meant(f"{call.name} {call.arguments} {said}"):
        ledger.turn_to(step)
    task_id = memory.current
    if task_id is None:
        return
    memory.calls = [*memory.calls, (call.id, call.name, task_id)][-_MOST_CALLS_IN_THE_AIR:]
    if call.is_thought:
        return
    ledger.start(task_id)
    ledger.note(task_id, call.note)
    memory.evidence.asked = ""
    memory.evidence.delivered = False
    if call.hands_over:
        ledger.give_up("I handed it over to a person.")


def _hear_reply(ledger: Ledger, heard: Heard) -> str | None:
    memory, text = ledger.memory, heard.text
    if memory.proposed:
        return memory.current
    if memory.waiting is not None:
        ledger.take_up()
    if memory.current is None or agent_words.is_pleasantry(text):
        return memory.current or memory.last
    asked = agent_words.asks(text)
    if not asked and (step := ledger.step_meant(agent_words.promises(text))):
        ledger.turn_to(step)
    task_id, evidence = memory.current, memory.evidence
    evidence.asked = asked
    evidence.delivered = not asked and not agent_words.only_promises(text)
    _weigh_reply(ledger, heard)
    if evidence.delivered:
        ledger.start(task_id)
        ledger.note(task_id, f"I answered: {clip(text, _LONGEST_ANSWER_QUOTED)}")
    if plans.all_done(text) and not evidence.against:
        _finish_plan(ledger)
    return task_id


def _weigh_reply(ledger: Ledger, heard: Heard) -> None:
    evidence = ledger.memory.evidence
    refusal = agent_words.refusal(heard.text) or (heard.text if heard.refused else "")
    if refusal:
        evidence.contradict("refusal", f"I said: {refusal}")
    elif evidence.against == "correction" or (evidence.against == "refusal" and evidence.worked):
        evidence.settle()


def _finish_plan(ledger: Ledger) -> None:
    for step in ledger.unfinished_steps:
        ledger.turn_to(step.id)
        ledger.start(step.id)
        ledger.conclude()


def _hear_result(ledger: Ledger, result: Result) -> str | None:
    name, task_id = _called(ledger, result)
    if task_id is None or is_thought(name):
        return task_id
    ledger.note(task_id, result.note(name))
    if task_id == ledger.memory.current:
        _weigh_result(ledger, name, result)
    return task_id


def _called(ledger: Ledger, result: Result) -> tuple[str, str | None]:
    """Return the tool and the task that a result belongs to; without an id, those of the oldest call of that name."""
    memory = ledger.memory
    for index, (call_id, name, task_id) in enumerate(memory.calls):
        if call_id == result.id and (call_id or not result.name or name == result.name):
            memory.calls = [*memory.calls[:index], *memory.calls[index + 1 :]]
            return name, task_id
    return result.name or "a tool", memory.current


def _weigh_result(ledger: Ledger, name: str, result: Result) -> None:
    evidence = ledger.memory.evidence
    if result.failed:
        evidence.contradict("error", result.note(name), name)
        return
    evidence.worked = True
    evidence.changed = evidence.changed or changes(name)
    if changes(name) or (evidence.against == "error" and (name == evidence.tool or not changes(evidence.tool))):
        evidence.settle()


def _own_words(heard: Heard) -> str:
    """Return what an agent that nobody asked says it is doing."""
    said = sentences(heard.text)
    return said[0] if said else f"Use {heard.calls[0].name}"
