from craftlog.contracts.questions import ConsumerHealth, ServiceHealth, Stalled
from craftlog.gateway.health import LAGGING, verdict

WELL = ServiceHealth(service="ingest", consumers=(ConsumerHealth(name="ingest-session", lag=0),))


def ingest(**what):
    return verdict([WELL.model_copy(update=what)], ["ingest"])


class TestVerdict:
    def test_is_ok_where_all_are_there_and_well(self):
        status, said = verdict([WELL], ["ingest"])
        assert (status, said["code"], said["msg"]) == (200, 0, "ok")

    def test_misses_a_service_that_does_not_answer(self):
        status, said = verdict([WELL], ["ingest", "search"])
        assert (status, said["msg"]) == (503, "service search does not answer")

    def test_names_a_dependency_that_is_down(self):
        status, said = ingest(dependencies={"mongo": "no answer", "s3": None})
        assert (status, said["data"]["down"]) == (503, ["ingest: mongo: no answer"])

    def test_names_a_consumer_that_is_stopped(self):
        status, said = ingest(consumers=(ConsumerHealth(name="ingest-disk", lag=3, error="no answer"),))
        assert (status, said["data"]["down"]) == (503, ["ingest: consumer ingest-disk: no answer"])

    def test_calls_lagging_and_stalled_degraded(self):
        stalled = Stalled(kind="session", project="p", id="s", version=2, reason="cannot be folded")
        status, said = ingest(consumers=(ConsumerHealth(name="ingest-disk", lag=LAGGING),), stalled=(stalled,))
        assert (status, said["msg"]) == (200, "degraded")
        assert said["data"]["degraded"] == [
            f"ingest: consumer ingest-disk is {LAGGING} events behind",
            "ingest: session s is stalled at version 2: cannot be folded",
        ]
