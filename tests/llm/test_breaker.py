"""When an endpoint is left alone, and when it is tried again."""

from hypothesis import given
from hypothesis import strategies as st

from craftlog.llm.breaker import Breaker

BUDGET = 30.0


class TestBreaker:
    def test_admits_everybody_while_there_are_answers(self) -> None:
        breaker = Breaker()
        assert all(breaker.admits(float(now), BUDGET) for now in range(5))

    def test_bears_two_failures_and_opens_at_the_third(self) -> None:
        breaker = Breaker()
        for _ in range(2):
            breaker.failed(0.0)
        assert breaker.admits(0.0, BUDGET)
        breaker.failed(0.0)
        assert not breaker.admits(0.5, BUDGET)

    def test_lets_one_ask_for_all_after_the_pause(self) -> None:
        breaker = opened()
        assert breaker.admits(1.0, BUDGET)
        assert not breaker.admits(1.0, BUDGET)

    def test_lets_another_ask_when_the_one_never_came_back(self) -> None:
        breaker = opened()
        assert breaker.admits(1.0, BUDGET)
        assert breaker.admits(1.0 + BUDGET, BUDGET)

    def test_closes_at_the_first_answer(self) -> None:
        breaker = opened()
        assert breaker.admits(1.0, BUDGET)
        breaker.succeeded()
        assert breaker.admits(1.0, BUDGET)
        assert breaker.admits(1.0, BUDGET)

    def test_obeys_an_endpoint_that_asks_for_a_pause_but_for_a_minute_at_most(self) -> None:
        breaker = Breaker()
        breaker.failed(0.0, retry_after=7.0)
        assert not breaker.admits(6.9, BUDGET)
        assert breaker.admits(7.0, BUDGET)
        breaker.failed(7.0, retry_after=86_400.0)
        assert breaker.admits(67.0, BUDGET)

    @given(st.integers(3, 200))
    def test_pauses_longer_each_time_and_never_more_than_a_minute(self, failures: int) -> None:
        breaker, pauses = Breaker(), []
        for _ in range(failures):
            breaker.failed(0.0)
            pauses.append(breaker.open_until or 0.0)
        assert pauses == sorted(pauses)
        assert pauses[-1] <= 60.0

    @given(st.floats(0.01, 5.0))
    def test_an_hour_of_outage_costs_an_endpoint_few_requests_however_often_we_would_ask(self, every: float) -> None:
        breaker, now, asked = Breaker(), 0.0, 0
        while now < 3600:
            if breaker.admits(now, BUDGET):
                asked += 1
                breaker.failed(now)
            now += every
        assert asked <= 3 + 7 + 3600 / 60


def opened() -> Breaker:
    breaker = Breaker()
    for _ in range(3):
        breaker.failed(0.0)
    return breaker
