from craftlog.contracts.events import SpaceConfigured, SpaceCreated, SpaceDeleted
from craftlog.gateway.decider.refusals import AbsentError, ReusedKeyError
from craftlog.gateway.decider.space import INITIAL, ConfigureSpace, CreateSpace, DeleteSpace, decide, evolve
from craftlog.testing.scenario import Scenario

spaces = Scenario(decide, evolve, INITIAL)
begun = spaces.given(SpaceCreated(configs={"language": "en"}, request="digest"))
ended = begun.given(SpaceDeleted())


class TestCreateSpace:
    def test_begins_it(self):
        spaces.when(CreateSpace({"language": "en"}, "digest")).then(
            SpaceCreated(configs={"language": "en"}, request="digest")
        )

    def test_is_quiet_on_repeat(self):
        begun.when(CreateSpace({"language": "en"}, "digest")).then_nothing_happened()

    def test_is_refused_where_the_key_made_another(self):
        begun.when(CreateSpace({}, "other")).then_rejected(ReusedKeyError, "made a space from another body")

    def test_is_refused_where_the_key_made_one_that_is_gone(self):
        ended.when(CreateSpace({"language": "en"}, "digest")).then_rejected(AbsentError, "no such space")


class TestConfigureSpace:
    def test_replaces_what_was(self):
        begun.when(ConfigureSpace({"tone": 1})).then(SpaceConfigured(configs={"tone": 1}))

    def test_is_quiet_on_repeat(self):
        begun.when(ConfigureSpace({"language": "en"})).then_nothing_happened()
        begun.given(SpaceConfigured(configs={"tone": 1})).when(ConfigureSpace({"tone": 1})).then_nothing_happened()

    def test_knows_one_from_true(self):
        configured = begun.given(SpaceConfigured(configs={"tone": 1}))
        configured.when(ConfigureSpace({"tone": True})).then(SpaceConfigured(configs={"tone": True}))

    def test_is_refused_where_there_is_none(self):
        for nowhere in (spaces, ended):
            nowhere.when(ConfigureSpace({})).then_rejected(AbsentError, "no such space")


class TestDeleteSpace:
    def test_ends_it(self):
        begun.when(DeleteSpace()).then(SpaceDeleted())

    def test_is_refused_where_there_is_none(self):
        for nowhere in (spaces, ended):
            nowhere.when(DeleteSpace()).then_rejected(AbsentError, "no such space")
