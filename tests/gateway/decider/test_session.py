from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftlog.contracts.events import (
    CopyOf,
    FlushRequested,
    MessageAppended,
    SessionConfigured,
    SessionCreated,
    SessionDeleted,
    SpaceConnected,
)
from craftlog.contracts.messages import Part
from craftlog.gateway.decider.refusals import AbsentError, ReusedKeyError, UnansweredKeyError
from craftlog.gateway.decider.session import INITIAL, MOST_KEYS, Session, decide, evolve
from craftlog.gateway.decider.session_commands import (
    AbandonCopy,
    AppendMessages,
    BeginCopy,
    ConfigureSession,
    ConnectSpace,
    CopyMessages,
    CreateSession,
    DeleteSession,
    MergeConfigs,
    NewMessage,
    RequestFlush,
)
from craftlog.testing.examples import SPACE_ID
from craftlog.testing.scenario import Scenario

sessions = Scenario(decide, evolve, INITIAL)
created = SessionCreated()
deleted = SessionDeleted()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
HELLO = (Part(type="text", text="Hello"),)


def appended(position, request=None):
    parent = f"m{position - 1}" if position > 1 else None
    return MessageAppended(
        message_id=f"m{position}", position=position, parent_id=parent, role="user", parts=HELLO, request=request
    )


def append(*message_ids, request=None, looked_up=0):
    messages = tuple(NewMessage(message_id, "user", HELLO, {}) for message_id in message_ids)
    return AppendMessages(messages, request, looked_up)


class TestCreateSession:
    def test_begins_with_what_was_asked_for(self):
        sessions.when(CreateSession({"a": 1}, disable_task_tracking=True, space_id=SPACE_ID, request="d")).then(
            SessionCreated(configs={"a": 1}, disable_task_tracking=True, space_id=SPACE_ID, request="d")
        )

    def test_is_quiet_on_repeat(self):
        sessions.given(SessionCreated(request="d")).when(CreateSession(request="d")).then_nothing_happened()

    def test_is_refused_when_the_key_made_another_one(self):
        sessions.given(SessionCreated(request="d")).when(CreateSession(request="e")).then_rejected(
            ReusedKeyError, "another body"
        )

    def test_is_refused_for_an_id_that_was_deleted(self):
        sessions.given(created, deleted).when(CreateSession()).then_rejected(AbsentError, "no such session")


class TestAppendMessages:
    def test_stands_at_the_next_position_below_the_one_before(self):
        sessions.given(created, appended(1)).when(append("m2")).then(appended(2))

    def test_of_several_stand_one_below_the_other(self):
        sessions.given(created, appended(1)).when(append("m2", "m3", "m4")).then(appended(2), appended(3), appended(4))

    def test_of_several_with_a_key_are_known_by_the_first(self):
        three = append("m1", "m2", "m3", request="d")
        sessions.given(created).when(three).then(appended(1, "d"), appended(2), appended(3))
        known = sessions.given(created, appended(1, "d"), appended(2), appended(3))
        known.when(three).then_nothing_happened()
        known.when(append("m1", "m2", request="e")).then_rejected(ReusedKeyError, "something else")

    def test_is_refused_where_there_is_no_session(self):
        sessions.when(append("m1")).then_rejected(AbsentError, "no such session")

    def test_is_refused_after_the_end(self):
        sessions.given(created, deleted).when(append("m1")).then_rejected(AbsentError, "no such session")

    def test_with_a_key_is_quiet_on_repeat(self):
        sessions.given(created, appended(1, "d")).when(append("m1", request="d")).then_nothing_happened()

    def test_with_a_key_used_for_another_body_is_refused(self):
        sessions.given(created, appended(1, "d")).when(append("m1", request="e")).then_rejected(
            ReusedKeyError, "something else"
        )

    def test_with_a_key_must_be_looked_up_where_the_state_does_not_reach(self):
        snapshot = Scenario(decide, evolve, Session(exists=True, messages=7, last_message_id="m7", keys_after=7))
        snapshot.when(append("m8", request="d", looked_up=6)).then_rejected(UnansweredKeyError, "through position 7")
        snapshot.when(append("m8", request="d", looked_up=7)).then(appended(8, "d"))
        snapshot.when(append("m8")).then(appended(8))

    @given(st.integers(0, 3 * MOST_KEYS))
    def test_never_forgets_a_key_without_asking_for_it(self, chosen):
        state = reduce(evolve, [created, *(appended(n, "d") for n in range(1, 3 * MOST_KEYS + 2))], INITIAL)
        assert len(state.keys) <= MOST_KEYS
        command = append(f"m{chosen + 1}", request="d")
        if command.messages[0].message_id in state.keys:
            assert decide(state, command) == []
        else:
            with pytest.raises(UnansweredKeyError):
                decide(state, command)


class TestCopy:
    begun = SessionCreated(configs={"a": 1}, disable_task_tracking=True, copy_of=CopyOf(session_id="s", messages=3))
    copying = sessions.given(begun, appended(1))
    complete = copying.given(appended(2), appended(3))

    def test_begins_knowing_what_it_will_have(self):
        begin = BeginCopy(CopyOf(session_id="s", messages=3), {"a": 1}, disable_task_tracking=True)
        sessions.when(begin).then(self.begun)
        self.copying.when(begin).then_nothing_happened()
        self.complete.when(begin).then_nothing_happened()

    def test_takes_what_follows_in_the_original_and_nothing_twice(self):
        rest = append("m2", "m3").messages
        self.copying.when(CopyMessages(1, rest)).then(appended(2), appended(3))
        self.copying.when(CopyMessages(0, append("m1").messages)).then_nothing_happened()
        self.copying.when(CopyMessages(2, append("m3").messages)).then_nothing_happened()
        self.complete.when(CopyMessages(3, append("m4").messages)).then_nothing_happened()

    @pytest.mark.parametrize(
        "command",
        [
            append("m2"),
            ConnectSpace(SPACE_ID),
            MergeConfigs({"a": 1}),
            RequestFlush(),
            DeleteSession(),
            CreateSession(),
        ],
    )
    def test_is_no_session_for_anybody_else_before_it_is_complete(self, command):
        self.copying.when(command).then_rejected(AbsentError, "being copied")

    def test_is_a_session_like_any_other_when_it_is_complete(self):
        self.complete.when(append("m4")).then(appended(4))
        self.complete.when(MergeConfigs({"b": 2})).then(SessionConfigured(configs={"a": 1, "b": 2}))
        self.complete.when(DeleteSession()).then(deleted)

    def test_of_an_empty_session_is_complete_at_once(self):
        empty = sessions.given(SessionCreated(copy_of=CopyOf(session_id="s", messages=0)))
        empty.when(append("m1")).then(appended(1))

    def test_is_given_up_only_where_it_lacks_something(self):
        self.copying.when(AbandonCopy()).then(deleted)
        self.complete.when(AbandonCopy()).then_nothing_happened()
        self.copying.given(deleted).when(AbandonCopy()).then_rejected(AbsentError, "no such session")
        self.copying.given(deleted).when(CopyMessages(1, append("m2").messages)).then_rejected(AbsentError, "no such")


class TestConfigureSession:
    def test_replaces_what_was_there(self):
        configured = sessions.given(SessionCreated(configs={"a": 1, "b": 2}))
        configured.when(ConfigureSession({"b": 3})).then(SessionConfigured(configs={"b": 3}))
        configured.when(ConfigureSession({})).then(SessionConfigured(configs={}))

    def test_is_quiet_on_repeat(self):
        sessions.given(created).when(ConfigureSession({})).then_nothing_happened()
        sessions.given(SessionCreated(configs={"a": [1]})).when(ConfigureSession({"a": [1]})).then_nothing_happened()
        configured = sessions.given(created, SessionConfigured(configs={"a": None}))
        configured.when(ConfigureSession({"a": None})).then_nothing_happened()

    def test_tells_apart_what_json_tells_apart(self):
        one = sessions.given(SessionCreated(configs={"a": [1]}))
        one.when(ConfigureSession({"a": [True]})).then(SessionConfigured(configs={"a": [True]}))
        one.when(ConfigureSession({"a": [1.0]})).then(SessionConfigured(configs={"a": [1.0]}))

    def test_is_refused_where_there_is_no_session(self):
        sessions.when(ConfigureSession({})).then_rejected(AbsentError, "no such session")
        sessions.given(created, deleted).when(MergeConfigs({})).then_rejected(AbsentError, "no such session")


class TestMergeConfigs:
    def test_changes_what_is_named_removes_what_is_null_and_leaves_the_rest(self):
        configured = sessions.given(SessionCreated(configs={"a": {"x": 1}, "b": 2, "c": None}))
        configured.when(MergeConfigs({"a": {"y": 1}, "b": None, "d": 4})).then(
            SessionConfigured(configs={"a": {"y": 1}, "c": None, "d": 4})
        )

    def test_is_quiet_on_repeat(self):
        configured = sessions.given(created, SessionConfigured(configs={"a": 1}))
        configured.when(MergeConfigs({"a": 1, "b": None})).then_nothing_happened()
        configured.when(MergeConfigs({})).then_nothing_happened()

    @given(st.dictionaries(st.text(max_size=3), JSON), st.dictionaries(st.text(max_size=3), JSON))
    def test_asked_twice_says_nothing_new(self, configs, changes):
        state = evolve(INITIAL, SessionCreated(configs=configs))
        for command in (MergeConfigs(changes), ConfigureSession(changes)):
            once = reduce(evolve, decide(state, command), state)
            assert decide(once, command) == []


class TestConnectSpace:
    def test_connects(self):
        sessions.given(created).when(ConnectSpace(SPACE_ID)).then(SpaceConnected(space_id=SPACE_ID))

    def test_is_quiet_on_repeat(self):
        sessions.given(created, SpaceConnected(space_id=SPACE_ID)).when(ConnectSpace(SPACE_ID)).then_nothing_happened()
        sessions.given(SessionCreated(space_id=SPACE_ID)).when(ConnectSpace(SPACE_ID)).then_nothing_happened()

    def test_is_refused_where_there_is_no_session(self):
        sessions.when(ConnectSpace(SPACE_ID)).then_rejected(AbsentError, "no such session")


class TestRequestFlush:
    def test_names_the_last_message(self):
        sessions.given(created, appended(1), appended(2)).when(RequestFlush()).then(FlushRequested(through_position=2))

    def test_is_quiet_on_repeat_until_there_is_more(self):
        flushed = sessions.given(created, appended(1), FlushRequested(through_position=1))
        flushed.when(RequestFlush()).then_nothing_happened()
        flushed.given(appended(2)).when(RequestFlush()).then(FlushRequested(through_position=2))

    def test_asks_again_where_nobody_intends_to_read_what_was_asked_for(self):
        asked = sessions.given(created, appended(1), FlushRequested(through_position=1))
        asked.when(RequestFlush(again=True)).then(FlushRequested(through_position=1))
        sessions.given(created).when(RequestFlush(again=True)).then_nothing_happened()

    def test_has_nothing_to_say_of_an_empty_or_untracked_session(self):
        sessions.given(created).when(RequestFlush()).then_nothing_happened()
        untracked = sessions.given(SessionCreated(disable_task_tracking=True), appended(1))
        untracked.when(RequestFlush()).then_nothing_happened()

    def test_is_refused_after_the_end(self):
        sessions.given(created, deleted).when(RequestFlush()).then_rejected(AbsentError, "no such session")


class TestDeleteSession:
    def test_ends_it(self):
        sessions.given(created, appended(1)).when(DeleteSession()).then(deleted)

    def test_is_refused_where_it_has_ended(self):
        sessions.given(created, deleted).when(DeleteSession()).then_rejected(AbsentError, "no such session")
