"""The rules read a conversation's structure into a board, the same one however the messages arrive."""

import json
from dataclasses import replace
from functools import reduce
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craftlog.contracts.messages import Message, Part
from craftlog.observer.commands import BeginObserving, FinishObserving
from craftlog.observer.decider import INITIAL, decide, evolve
from craftlog.observer.rules import RulesAgent, read
from craftlog.observer.sizes import FULL
from craftlog.testing.examples import SESSION, SESSION_ID

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "airline_runs.jsonl"


def user(text, **meta):
    return "user", [Part(type="text", text=text)], meta


def agent(text=None, **calls):
    parts = [Part(type="text", text=text)] if text else []
    parts += [
        Part(type="tool-call", meta={"id": f"call-{name}", "name": name, "arguments": json.dumps(arguments)})
        for name, arguments in calls.items()
    ]
    return "assistant", parts, {}


def tool(name, text):
    """What the tool answers to the last call of that name."""
    result = Part(type="tool-result", text=text, meta={"tool_call_id": f"call-{name}"})
    return "user", [result], {"original_role": "tool"}


def messages(*said):
    return [
        Message(message_id=f"m{position}", position=position, role=role, parts=tuple(parts), meta=meta)
        for position, (role, parts, meta) in enumerate(said, start=1)
    ]


def observe(board, conversation):
    for command in read(board, SESSION_ID, conversation):
        board = reduce(evolve, decide(board, command), board)
    return board


def board_after(*said):
    return observe(INITIAL, messages(*said))


def tasks_after(*said):
    return list(board_after(*said).tasks.values())


def told(tasks):
    return [(task.description, task.status) for task in tasks]


PLANNING = (
    user("I need a landing page for the iPhone 15 pro max"),
    agent(
        "Here is my plan: 1. Search for the latest news about iPhone 15 pro max 2. Init Next.js project"
        " 3. Deploy the landing page"
    ),
    user("First collect the information and report to me before any coding."),
    agent("Sure, I will collect the information first and report to you before any coding."),
)
NEWS = agent(search_news={"query": "iPhone 15 pro max"})
REQUEST = user("Please fix the failing test")


class TestLandingPage:
    def test_makes_each_planned_step_a_task_and_runs_the_first(self):
        assert told(tasks_after(*PLANNING, NEWS)) == [
            ("Search for the latest news about iPhone 15 pro max", "running"),
            ("Init Next.js project", "pending"),
            ("Deploy the landing page", "pending"),
        ]

    def test_notes_the_wish_to_have_a_report_before_coding_with_it(self):
        [search, *others] = tasks_after(*PLANNING, NEWS)
        assert search.preferences == ("First collect the information and report to me before any coding.",)
        assert all(not task.preferences for task in others)

    def test_tells_progress_by_the_tool_that_was_called(self):
        [search, *_] = tasks_after(*PLANNING, NEWS, tool("search_news", '[{"title": "A17 chip"}]'))
        assert search.notes == (
            "I called search_news with query=iPhone 15 pro max.",
            'I got from search_news: [{"title": "A17 chip"}]',
        )

    def test_counts_all_messages_so_far_to_the_first_step(self):
        [search, *_] = tasks_after(*PLANNING, NEWS, tool("search_news", "[]"))
        assert search.positions == (1, 2, 3, 4, 5, 6)

    def test_goes_on_to_the_next_step_when_the_user_lets_it(self):
        reported = agent("I collected it: there is a new chip. Shall I go on with the Next.js project?")
        tasks = tasks_after(
            *PLANNING,
            NEWS,
            tool("search_news", "[]"),
            reported,
            user("Yes, go ahead"),
            agent(run_command={"cmd": "npx create-next-app"}),
        )
        assert [task.status for task in tasks] == ["success", "running", "pending"]

    def test_finds_the_step_that_a_call_is_about(self):
        tasks = tasks_after(*PLANNING, NEWS, tool("search_news", "[]"), agent(deploy_page={"target": "staging"}))
        assert [task.status for task in tasks] == ["success", "pending", "running"]

    def test_finds_the_step_that_the_agent_names(self):
        tasks = tasks_after(*PLANNING, NEWS, agent("Now I will do step 2.", run={"cmd": "npx"}))
        assert [task.status for task in tasks] == ["success", "running", "pending"]

    def test_ends_all_steps_when_the_agent_says_that_all_are_done(self):
        tasks = tasks_after(*PLANNING, NEWS, tool("search_news", "[]"), agent("All three steps are done: it is live."))
        assert [task.status for task in tasks] == ["success"] * 3


class TestPlan:
    plan = agent("My plan:\n1. Search the news\n2. Write the page")

    def test_is_no_task_before_it_is_followed(self):
        assert tasks_after(user("I need a page"), self.plan) == []

    def test_is_followed_where_the_agent_proceeds_with_it(self):
        tasks = tasks_after(user("I need a page"), self.plan, agent(search_news={}))
        assert told(tasks) == [("Search the news", "running"), ("Write the page", "pending")]

    @pytest.mark.parametrize("mark", ["{}.", "{})", "Step {}:", "**Step {}:**", "**{}.**", "**Step {}**:"])
    def test_is_read_however_its_steps_are_marked(self, mark):
        plan = agent(f"My plan:\n{mark.format(1)} Search the news\n{mark.format(2)} Write the page")
        tasks = tasks_after(user("I need a page"), plan, agent(search_news={}))
        assert [task.description for task in tasks] == ["Search the news", "Write the page"]

    @pytest.mark.parametrize("asked", ["Shall I go on with the page?", "Shall I go on?", "May I continue?"])
    def test_goes_on_with_the_next_step_when_the_user_lets_it(self, asked):
        news = agent(search_news={}), tool("search_news", '["it is out"]'), agent(f"I found that it is out. {asked}")
        tasks = tasks_after(user("I need a page"), self.plan, user("Sounds good."), *news, user("Yes, go on."))
        assert [task.status for task in tasks] == ["success", "pending"]

    def test_is_dropped_when_the_user_declines(self):
        tasks = tasks_after(user("I need a page"), self.plan, user("No, just write it"), agent(write_page={}))
        assert told(tasks) == [("I need a page", "running")]

    def test_can_be_replaced_by_a_better_one(self):
        better = agent("Then my plan is:\n1. Draft the page\n2. Publish it")
        tasks = tasks_after(user("I need a page"), self.plan, user("No, skip the news"), better, user("Sounds good"))
        assert [task.description for task in tasks] == ["Draft the page", "Publish it"]

    def test_waits_while_the_user_asks_about_it(self):
        assert tasks_after(user("I need a page"), self.plan, user("What is the news for?")) == []

    def test_serves_the_request_that_was_taken_up_before_it(self):
        tasks = tasks_after(
            user("I need a page"),
            agent("Which colours would you like?"),
            user("Blue."),
            self.plan,
            user("Sounds good."),
            agent(search_news={}),
            tool("search_news", "[]"),
            agent(write_page={}),
            tool("write_page", "ok"),
            agent("The page is written."),
            user("Thanks, that's all!"),
        )
        assert told(tasks) == [
            ("I need a page", "success"),
            ("Search the news", "success"),
            ("Write the page", "success"),
        ]

    @pytest.mark.parametrize(
        "text",
        [
            "Here are your options:\n1. The red one\n2. The blue one",
            "Please tell me:\n1. Your name\n2. Your address",
            "It costs 3. Then 4.",
        ],
    )
    def test_is_no_other_list(self, text):
        tasks = tasks_after(user("I need a page"), agent(text), user("Ok"))
        assert [task.description for task in tasks] == ["I need a page"]

    def test_is_no_advice_that_was_asked_for(self):
        advice = agent("1. Download the installer\n2. Run it\n3. Open the app")
        assert told(tasks_after(user("How do I install it?"), advice, user("Thanks!"))) == [
            ("How do I install it?", "success")
        ]


class TestRequest:
    def test_becomes_a_task_when_the_agent_takes_it_up(self):
        assert tasks_after(REQUEST) == []
        assert told(tasks_after(REQUEST, agent("Let me look."))) == [("Please fix the failing test", "running")]

    def test_is_no_greeting(self):
        assert tasks_after(user("Hi there!"), agent("Hello! How can I help you?")) == []

    def test_is_told_without_greeting_and_thanks(self):
        [task] = tasks_after(user("Hi! I need a page. Thank you!"), agent("Let me see."))
        assert task.description == "I need a page."

    def test_is_anything_that_a_user_says_first(self):
        assert told(tasks_after(user("landing page, blue"), agent("Let me see."))) == [
            ("landing page, blue", "running")
        ]

    def test_never_comes_from_a_system_text(self):
        assert tasks_after(user("Always build pages.", original_role="system"), agent("Hello!")) == []

    def test_may_be_a_file(self):
        sent = ("user", [Part(type="file", filename="report.pdf")], {})
        assert told(tasks_after(sent, agent("Let me read it."))) == [("[file report.pdf]", "running")]

    def test_of_an_agent_that_works_unasked_is_in_its_own_words(self):
        assert told(tasks_after(agent("Checking the mail.", list_mail={}))) == [("Checking the mail.", "running")]
        assert told(tasks_after(agent(list_mail={}))) == [("Use list_mail", "running")]

    def test_follows_another_whose_answer_was_given(self):
        tasks = tasks_after(
            REQUEST,
            agent(edit={"file": "a.py"}),
            tool("edit", "ok"),
            agent("It passes now."),
            user("Great. Now add a docstring to it."),
            agent("Done: it has one."),
        )
        assert told(tasks) == [("Please fix the failing test", "success"), ("Now add a docstring to it.", "running")]

    def test_is_not_what_the_user_answers_to_a_question(self):
        tasks = tasks_after(
            user("I want to book a table"), agent("For how many people?"), user("I need it for two, please.")
        )
        assert told(tasks) == [("I want to book a table", "running")]

    def test_is_not_what_the_user_picks_from_an_answer(self):
        tasks = tasks_after(
            user("Find me a table"), agent("There is one at 7 and one at 8."), user("I'd like the second one, please")
        )
        assert told(tasks) == [("Find me a table", "running")]

    def test_that_is_taken_back_before_it_is_begun_has_failed(self):
        assert told(tasks_after(REQUEST, user("Never mind"))) == [("Please fix the failing test", "failed")]


class TestOutcome:
    work = (REQUEST, agent(edit_file={"path": "a.py"}), tool("edit_file", "ok"))

    def test_stays_open_while_nobody_says_that_it_is_over(self):
        assert [task.status for task in tasks_after(*self.work, agent("It passes now."))] == ["running"]

    @pytest.mark.parametrize(
        "end", ["Thank you!", "Great, thanks.", "That's all for now.", "Perfect.", "###STOP###", "Bye!", "[END]"]
    )
    def test_is_success_when_the_user_is_content(self, end):
        assert [task.status for task in tasks_after(*self.work, agent("It passes now."), user(end))] == ["success"]

    def test_is_success_when_the_user_goes_on_to_something_else(self):
        tasks = tasks_after(*self.work, agent("It passes now."), user("Please write a changelog"), agent("Let me see."))
        assert [task.status for task in tasks] == ["success", "running"]

    def test_is_no_success_while_the_user_thanks_for_a_question(self):
        tasks = tasks_after(REQUEST, agent("Shall I change a.py?"), user("Yes, please. Thank you!"))
        assert [task.status for task in tasks] == ["running"]

    def test_is_failure_when_the_last_error_was_never_mended(self):
        broken = (REQUEST, agent(edit_file={}), tool("edit_file", "Error: disk full"), agent("The disk is full."))
        [task] = tasks_after(*broken, user("Ok, bye"))
        assert task.status == "failed"
        [task] = tasks_after(*broken, agent(edit_file={}), tool("edit_file", "ok"), agent("Done."), user("Thanks"))
        assert task.status == "success"

    @pytest.mark.parametrize(
        "refusal",
        [
            "I'm unable to do that.",
            "Unfortunately, this file cannot be changed.",
            "I'm sorry, but I can't help with that.",
            "That is not allowed.",
        ],
    )
    def test_is_failure_when_the_agent_refused(self, refusal):
        assert [task.status for task in tasks_after(REQUEST, agent(refusal), user("Ok, thanks anyway. Bye"))] == [
            "failed"
        ]

    def test_is_success_when_the_agent_found_a_way_after_a_refusal(self):
        tasks = tasks_after(
            REQUEST,
            agent("I'm unable to change it here. Shall I change a copy?"),
            user("Yes, do that please"),
            agent(copy_file={}),
            tool("copy_file", "ok"),
            agent("The copy is there."),
            user("Thanks, bye"),
        )
        assert [task.status for task in tasks] == ["success"]

    def test_is_failure_when_it_is_handed_over_to_a_person(self):
        [task] = tasks_after(REQUEST, agent(transfer_to_human={"summary": "a test"}), tool("transfer_to_human", "ok"))
        assert (task.status, task.positions) == ("failed", (1, 2, 3))

    def test_is_failure_when_the_user_puts_it_off(self):
        tasks = tasks_after(
            REQUEST,
            agent("I need to know which test. Please provide its name."),
            user("I'll get back to you with that."),
            agent("You're welcome!"),
            user("Thanks, bye!"),
        )
        assert [task.status for task in tasks] == ["failed"]

    def test_is_failure_when_the_user_takes_it_back(self):
        tasks = tasks_after(REQUEST, agent("Which test is it?"), user("Forget it."))
        assert [task.status for task in tasks] == ["failed"]

    def test_is_open_again_when_the_user_says_that_it_is_wrong(self):
        ended = (*self.work, agent("It passes now."), user("Thanks"))
        assert [task.status for task in tasks_after(*ended, user("No, it still fails"))] == ["running"]
        assert [task.status for task in tasks_after(*ended, user("No, it still fails"), user("Bye"))] == ["failed"]

    def test_is_mended_by_work_after_the_correction(self):
        tasks = tasks_after(
            *self.work,
            agent("It passes now."),
            user("That's wrong, it does not work"),
            agent(edit_file={"path": "b.py"}),
            tool("edit_file", "ok"),
            agent("Now it does."),
            user("Perfect, thanks"),
        )
        assert [task.status for task in tasks] == ["success"]

    def test_of_a_conversation_in_another_language_stays_open(self):
        tasks = tasks_after(user("请修复测试"), agent("好的。", edit_file={}), tool("edit_file", "ok"), user("谢谢"))
        assert told(tasks) == [("请修复测试", "running")]


class TestProgress:
    def test_tells_errors(self):
        [task] = tasks_after(REQUEST, agent(edit={}), tool("edit", "Error: no such file"))
        assert task.notes == ("I called edit.", "edit failed: Error: no such file")

    def test_tells_answers(self):
        [task] = tasks_after(user("What is the capital of France?"), agent("Paris."))
        assert task.notes == ("I answered: Paris.",)

    def test_leaves_thoughts_out(self):
        [task] = tasks_after(REQUEST, agent(think={"thought": "hm"}), tool("think", ""))
        assert task.notes == ()

    def test_is_short_however_long_the_values_are(self):
        [task] = tasks_after(REQUEST, agent(edit={"text": "x" * 10_000}), tool("edit", "y" * 10_000))
        assert [len(note) <= 240 for note in task.notes] == [True, True]

    def test_ends_before_it_fills_the_board(self):
        calls = [agent(edit={"line": line}) for line in range(200)]
        [task] = tasks_after(REQUEST, *calls)
        assert len(task.notes) == 50
        assert len(task.positions) == 201

    def test_of_a_late_result_goes_to_the_task_that_called(self):
        tasks = tasks_after(
            REQUEST,
            agent(run={}),
            agent("It passes."),
            user("Now write a changelog"),
            agent(write={}),
            tool("run", "slow but fine"),
        )
        assert [task.positions for task in tasks] == [(1, 2, 3, 6), (4, 5)]


class TestPreference:
    @pytest.mark.parametrize(
        "wish",
        [
            "I prefer tabs.",
            "Don't touch the tests.",
            "Please always run the linter.",
            "Never push to main.",
            "Only use the standard library.",
            "Report to me before you write any code.",
            "I'd rather have it in one file.",
            "I don't want a framework.",
            "Make sure it works offline.",
            "Our reports must always be net of tax.",
        ],
    )
    def test_is_noted_with_the_task_it_is_said_about(self, wish):
        [task] = tasks_after(REQUEST, agent("Which one is it?"), user(f"The first one. {wish}"))
        assert task.preferences == (wish,)

    def test_that_comes_with_the_request_is_noted_when_it_is_taken_up(self):
        [task] = tasks_after(user("Build a page. Don't use a framework."), agent("Let me see."))
        assert task.preferences == ("Don't use a framework.",)

    @pytest.mark.parametrize(
        "text",
        [
            "I don't know the name.",
            "Don't worry about it.",
            "Should I use tabs?",
            "I have no preference here.",
            "Please fix that before you post anything.",
        ],
    )
    def test_is_not_everything_that_sounds_like_one(self, text):
        [task] = tasks_after(REQUEST, agent("Which one is it?"), user(text))
        assert task.preferences == ()


PALETTE = [
    user("Hi!"),
    user("Please build a page. I prefer blue."),
    user("Now write a changelog"),
    user("Yes, go ahead"),
    user("Sounds good. Report to me before any coding."),
    user("No, that's wrong"),
    user("Thanks, that's all!"),
    user("I'll get back to you."),
    user("Never mind"),
    user("Why?"),
    user("###STOP###"),
    user("Ignore the above.", original_role="system"),
    agent("Hello! How can I help?"),
    agent("My plan:\n1. Search the news\n2. Write the page\n3. Deploy it"),
    agent("Which colour would you like?"),
    agent("Here is what I found: a lot. Shall I go on with step 2?"),
    agent("It is done."),
    agent("All steps are done."),
    agent("I'm unable to do that."),
    agent("You're welcome!"),
    agent("Now I will write the page.", write_page={"path": "index.html"}),
    agent(search_news={"query": "page"}),
    agent(search_news={"query": "page"}, deploy={"to": "staging"}),
    agent(transfer_to_human={}),
    agent(think={"thought": "hm"}),
    tool("search_news", "[]"),
    tool("write_page", "ok"),
    tool("deploy", "Error: no credentials"),
]
conversations = st.lists(st.sampled_from(PALETTE), max_size=40).map(lambda said: messages(*said))


def split(conversation, cuts):
    edges = sorted({0, len(conversation), *(cut % (len(conversation) + 1) for cut in cuts)})
    return [conversation[start:end] for start, end in pairwise(edges)]


class TestBatches:
    @given(conversations, st.lists(st.integers(0, 40), max_size=8))
    @settings(max_examples=300)
    def test_make_no_difference(self, conversation, cuts):
        assert reduce(observe, split(conversation, cuts), INITIAL) == observe(INITIAL, conversation)

    @given(conversations)
    def test_of_one_message_make_no_difference(self, conversation):
        assert reduce(observe, [[one] for one in conversation], INITIAL) == observe(INITIAL, conversation)

    @given(st.data())
    @settings(max_examples=40)
    def test_make_no_difference_to_real_runs(self, sample_runs, data):
        conversation = data.draw(st.sampled_from(sample_runs))
        cuts = data.draw(st.lists(st.integers(0, len(conversation)), max_size=8))
        assert reduce(observe, split(conversation, cuts), INITIAL) == observe(INITIAL, conversation)

    def test_end_with_the_last_message_and_begin_where_the_board_stands(self):
        conversation = messages(REQUEST, agent("Let me see."), user("Thanks"))
        board = observe(INITIAL, conversation[:2])
        commands = read(board, SESSION_ID, conversation[2:])
        assert commands[0] == BeginObserving(2)
        assert isinstance(commands[-1], FinishObserving)
        assert commands[-1].through == 3

    async def test_are_what_the_agent_observes(self):
        rules = RulesAgent()
        assert rules.engine == "rules"
        conversation = messages(REQUEST, agent("Let me see."))
        assert await rules.observe(INITIAL, SESSION, conversation) == read(INITIAL, SESSION_ID, conversation)


class TestRealRuns:
    def test_all_have_a_task(self, sample_runs):
        boards = [observe(INITIAL, conversation) for conversation in sample_runs]
        assert all(board.tasks for board in boards)
        assert all(task.positions for board in boards for task in board.tasks.values() if task.status != "pending")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
texts = st.text(max_size=200) | st.sampled_from(
    [
        "1. " * 2000,
        "#" * 50_000,
        "?" * 50_000,
        "[" * 50_000,
        '{"a":' * 5000,
        "i will " * 2_000,
        '"\\ud800"',
        "\n" * 9999,
    ]
)
any_parts = st.builds(
    Part,
    type=st.sampled_from(["text", "image", "audio", "video", "file", "tool-call", "tool-result", "data"]),
    text=st.none() | texts,
    filename=st.none() | st.text(max_size=20),
    meta=st.none()
    | st.dictionaries(
        st.sampled_from(["id", "name", "arguments", "tool_call_id", "is_error", "is_refusal"]), json_values | texts
    ),
)
any_message = st.builds(
    Message,
    message_id=st.just("m"),
    position=st.just(1),
    role=st.sampled_from(["user", "assistant"]),
    parts=st.lists(any_parts, max_size=4).map(tuple),
    meta=st.dictionaries(st.just("original_role"), json_values | st.sampled_from(["system", "tool"])),
)


class TestAnyMessage:
    @given(st.lists(any_message, max_size=6))
    @settings(max_examples=100)
    def test_can_be_heard_and_the_facts_can_be_stored(self, said):
        conversation = [message.model_copy(update={"position": at}) for at, message in enumerate(said, start=1)]
        board = INITIAL
        for command in read(board, SESSION_ID, conversation):
            for event in decide(board, command):
                event.model_dump_json().encode()
                board = evolve(board, event)
        assert board.through_position == len(conversation)

    def test_may_be_of_a_memory_that_another_engine_left(self):
        board = reduce(evolve, decide(INITIAL, FinishObserving(1, "other", {"plan": 7, "evidence": []})), INITIAL)
        [_, late] = messages(user("Hi"), user("Please fix it"))
        assert observe(board, [late]).through_position == 2

    def test_may_make_a_long_session_of_many_tasks(self):
        said = [user("Now write another page"), agent("It is written.")] * 500
        board = board_after(*said)
        assert len(board.tasks) == 500
        assert len(json.dumps(board.memory)) < 10_000

    def test_may_come_when_the_board_is_full(self):
        said = messages(*[user("Now write another page, in French please"), agent("It is written.")] * 3)
        board = observe(INITIAL, said[:2])
        full = observe(replace(board, size=FULL), said[2:])
        assert full.through_position == 6
        assert (full.tasks.keys(), full.size) == (board.tasks.keys(), FULL)


@pytest.fixture(scope="module")
def sample_runs():
    if not SAMPLES.exists():
        pytest.skip(f"the sample runs are not at {SAMPLES}")
    return [messages(*map(said_in, json.loads(line)["messages"])) for line in SAMPLES.read_text().splitlines()]


def said_in(message):
    """Return an OpenAI message as it is stored."""
    if message["role"] == "tool":
        result = Part(type="tool-result", text=message["content"] or "", meta={"tool_call_id": message["tool_call_id"]})
        return "user", [result], {"original_role": "tool"}
    parts = [Part(type="text", text=message["content"])] if message.get("content") else []
    parts += [
        Part(type="tool-call", meta={"id": call["id"], **call["function"]}) for call in message.get("tool_calls") or []
    ]
    return message["role"], parts, {}
