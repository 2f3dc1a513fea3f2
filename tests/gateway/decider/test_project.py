import pytest

from craftlog.contracts.events import KeyIssued, KeyRevoked, ProjectConfigured, ProjectCreated
from craftlog.gateway.decider.project import (
    INITIAL,
    MOST_KEYS,
    ConfigureProject,
    CreateProject,
    IssueKey,
    Limits,
    RevokeKey,
    decide,
    evolve,
)
from craftlog.gateway.decider.refusals import AbsentError, TooManyKeysError
from craftlog.testing.examples import KEY_ID, example
from craftlog.testing.scenario import Scenario

projects = Scenario(decide, evolve, INITIAL)
begun = projects.given(ProjectCreated(name="research"))
ISSUED = example(KeyIssued)
ISSUE = IssueKey(KEY_ID, ISSUED.name, ISSUED.hash, Limits(50, 100, 1_000_000))


class TestCreateProject:
    def test_begins_it(self):
        projects.when(CreateProject("research")).then(ProjectCreated(name="research"))

    def test_is_quiet_on_repeat(self):
        begun.when(CreateProject("research")).then_nothing_happened()


class TestIssueKey:
    def test_stores_the_hash_and_what_the_key_may_do(self):
        begun.when(ISSUE).then(ISSUED)

    def test_is_quiet_on_repeat_even_where_it_was_revoked(self):
        begun.given(ISSUED).when(ISSUE).then_nothing_happened()
        begun.given(ISSUED, KeyRevoked(key_id=KEY_ID)).when(ISSUE).then_nothing_happened()

    def test_is_refused_where_there_is_no_project(self):
        projects.when(ISSUE).then_rejected(AbsentError, "no such project")

    def test_is_refused_where_there_are_as_many_in_force_as_there_may_be(self):
        many = [example(KeyIssued, key_id=str(number), hash=str(number)) for number in range(MOST_KEYS)]
        begun.given(*many).when(ISSUE).then_rejected(TooManyKeysError, "revoke one first")
        begun.given(*many, KeyRevoked(key_id="0")).when(ISSUE).then(ISSUED)


class TestRevokeKey:
    def test_ends_it(self):
        begun.given(ISSUED).when(RevokeKey(KEY_ID)).then(KeyRevoked(key_id=KEY_ID))

    def test_is_quiet_on_repeat(self):
        begun.given(ISSUED, KeyRevoked(key_id=KEY_ID)).when(RevokeKey(KEY_ID)).then_nothing_happened()

    @pytest.mark.parametrize("given", [(), (ProjectCreated(name="research"),)])
    def test_is_refused_where_there_is_none(self, given):
        projects.given(*given).when(RevokeKey(KEY_ID)).then_rejected(AbsentError, "there is no such")


CONFIGURED = ProjectConfigured(configs={"a": 1, "observing": {"idle": 2.0}})


class TestConfigureProject:
    def test_changes_what_is_named_and_removes_what_is_null(self):
        changed = ConfigureProject({"a": None, "b": {"c": None}})
        after = ProjectConfigured(configs={"observing": {"idle": 2.0}, "b": {"c": None}})
        begun.given(CONFIGURED).when(changed).then(after)

    def test_begins_with_nothing(self):
        begun.when(ConfigureProject({"a": 1, "b": None})).then(ProjectConfigured(configs={"a": 1}))

    @pytest.mark.parametrize("changes", [{}, {"a": 1}, {"b": None}, {"observing": {"idle": 2.0}}])
    def test_is_quiet_where_nothing_changes(self, changes):
        begun.given(CONFIGURED).when(ConfigureProject(changes)).then_nothing_happened()

    def test_tells_one_from_true(self):
        after = ProjectConfigured(configs={"a": True, "observing": {"idle": 2.0}})
        begun.given(CONFIGURED).when(ConfigureProject({"a": True})).then(after)

    def test_is_refused_where_there_is_no_project(self):
        projects.when(ConfigureProject({"a": 1})).then_rejected(AbsentError, "no such project")
