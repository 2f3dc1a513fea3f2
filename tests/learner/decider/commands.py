"""What a test asks a tree to do, and what that comes to."""

from functools import reduce

from craftlog.contracts.events import Event, Provenance, ToolStep
from craftlog.learner.decider import Command, decide
from craftlog.learner.decider.lessons import FileSop, SkipLesson
from craftlog.learner.decider.state import INITIAL, evolve
from craftlog.testing.examples import SPACE_ID
from craftlog.testing.scenario import Scenario

SPACE = Scenario(decide, evolve, INITIAL)
STEP = ToolStep(tool_name="create_ticket", action="Create the ticket with the title the user gave.")
ORIGIN = Provenance(session_id="s1", task_id="t1", message_ids=("m1",), engine="rules")


def file(task: str = "t1", session: str = "s1", page: str = "ticket") -> FileSop:
    return FileSop(
        space_id=SPACE_ID,
        page_title=page,
        use_when="create a ticket",
        preferences="ask first",
        tool_sops=(STEP,),
        provenance=ORIGIN.model_copy(update={"session_id": session, "task_id": task}),
    )


def skip(task: str = "t1", session: str = "s1") -> SkipLesson:
    return SkipLesson(task, session, "too simple", "rules")


def decided(*commands: Command) -> list[Event]:
    """What these commands come to, one after the other."""
    state, events = INITIAL, []
    for command in commands:
        new = decide(state, command)
        state = reduce(evolve, new, state)
        events += new
    return events
