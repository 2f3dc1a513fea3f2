from craftlog.contracts.events import SpaceCreated
from craftlog.gateway.decider.space import INITIAL, CreateSpace, decide, evolve
from craftlog.testing.scenario import Scenario

spaces = Scenario(decide, evolve, INITIAL)


class TestCreateSpace:
    def test_begins_it(self):
        spaces.when(CreateSpace({"language": "en"})).then(SpaceCreated(configs={"language": "en"}))

    def test_is_quiet_on_repeat(self):
        spaces.given(SpaceCreated()).when(CreateSpace()).then_nothing_happened()
