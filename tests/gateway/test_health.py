import asyncio

import nats

from craftlog.contracts.questions import ConsumerHealth, ServiceHealth, Stalled
from craftlog.gateway.health import LAGGING, MOST_STALLED_SHOWN, Health, verdict
from craftlog.runtime.log import Log

WELL = ServiceHealth(service="ingest", consumers=(ConsumerHealth(name="ingest-session", lag=0),))


STALLED = Stalled(kind="session", project="whose", id="which", version=2, reason="cannot be folded")


def ingest(*, detailed=True, **what):
    return verdict([WELL.model_copy(update=what)], ["ingest"], detailed=detailed)


class TestVerdict:
    def test_is_ok_where_all_are_there_and_well(self):
        status, said = verdict([WELL], ["ingest"], detailed=False)
        assert (status, said["code"], said["msg"]) == (200, 0, "ok")

    def test_misses_a_service_that_does_not_answer(self):
        status, said = verdict([WELL], ["ingest", "search"], detailed=False)
        assert (status, said["msg"]) == (503, "service search does not answer")

    def test_names_a_dependency_that_is_down(self):
        status, said = ingest(dependencies={"mongo": "no answer", "s3": None})
        assert (status, said["data"]["down"]) == (503, ["ingest: mongo: no answer"])

    def test_names_a_consumer_that_is_stopped(self):
        status, said = ingest(consumers=(ConsumerHealth(name="ingest-disk", lag=3, error="no answer"),))
        assert (status, said["data"]["down"]) == (503, ["ingest: consumer ingest-disk: no answer"])

    def test_calls_lagging_and_stalled_degraded(self):
        consumer = ConsumerHealth(name="ingest-disk", lag=LAGGING)
        status, said = ingest(consumers=(consumer,), stalled=(STALLED, STALLED))
        assert (status, said["msg"]) == (200, "degraded")
        assert said["data"]["degraded"] == [
            f"ingest: consumer ingest-disk is {LAGGING} events behind",
            "ingest: 2 stalled of the kind session",
        ]

    def test_names_the_first_that_are_stalled_and_counts_all(self):
        _, said = ingest(stalled=(STALLED,) * (MOST_STALLED_SHOWN + 1))
        shown = said["data"]["services"]["ingest"]
        assert shown["stalled_count"] == MOST_STALLED_SHOWN + 1
        assert shown["stalled"] == [STALLED.model_dump()] * MOST_STALLED_SHOWN


class TestForAnybody:
    def test_says_what_is_wrong_and_nothing_that_servers_said_or_projects_have(self):
        secret = "10.1.2.3 does not answer"  # noqa: S105 - the word in this test
        status, said = ingest(
            detailed=False,
            dependencies={"mongo": secret},
            consumers=(ConsumerHealth(name="ingest-disk", lag=3, error=secret),),
            stalled=(STALLED,),
        )
        assert status == 503
        assert said["msg"] == "ingest: mongo: down; ingest: consumer ingest-disk: down"
        assert said["data"]["degraded"] == ["ingest: 1 stalled of the kind session"]
        assert said["data"]["services"]["ingest"] == {
            "dependencies": {"mongo": "down"},
            "consumers": [{"name": "ingest-disk", "lag": 3, "error": "down"}],
            "stalled_count": 1,
        }


class TestQuestion:
    async def test_is_asked_once_for_all_who_wait_for_it(self, nats_url):
        asked = []

        async def probe():
            asked.append("store")

        client = await nats.connect(nats_url)
        health = Health(Log(client), {"store": probe}, [])
        answers = await asyncio.gather(*(health.gathered() for _ in range(50)))
        await client.close()
        assert [answer[0].dependencies for answer in answers] == [{"store": None}] * 50
        assert len(asked) <= 2
