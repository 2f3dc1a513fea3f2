"""A token bucket: never more than it says, never less, and what it says of the next one is true."""

from hypothesis import given
from hypothesis import strategies as st

from craftlog.gateway.buckets import Bucket

RATES = st.floats(0.01, 10_000)
BURSTS = st.integers(1, 1000)
PAUSES = st.lists(st.floats(0, 10), min_size=1, max_size=50)


class TestBucket:
    @given(rate=RATES, burst=BURSTS, start=st.floats(0, 1e7), pauses=PAUSES)
    def test_lets_no_more_through_in_any_time_than_the_burst_and_the_rate(self, rate, burst, start, pauses):
        bucket, now, let = Bucket(rate, burst), start, []
        for pause in pauses:
            now += pause
            if not bucket.take(now):
                let.append(now)
        for first, begin in enumerate(let):
            for last, end in enumerate(let[first:], first):
                assert last - first + 1 <= burst + rate * (end - begin + 1e-5) + 1e-6

    @given(rate=RATES, burst=BURSTS, start=st.floats(0, 1e7))
    def test_lets_a_burst_through_at_once_and_then_says_truly_when_the_next_one_is(self, rate, burst, start):
        bucket = Bucket(rate, burst)
        assert not any(bucket.take(start) for _ in range(burst))
        wait = bucket.take(start)
        assert 0 < wait <= 1 / rate + 1e-5
        assert bucket.take(start + wait / 2) > 0
        assert not bucket.take(start + wait)

    @given(rate=RATES, burst=BURSTS, tried=st.integers(1, 20))
    def test_does_not_count_what_it_refuses(self, rate, burst, tried):
        bucket = Bucket(rate, burst)
        for _ in range(burst):
            bucket.take(0)
        waits = {bucket.take(0) for _ in range(tried)}
        assert len(waits) == 1

    def test_saves_up_no_more_than_a_burst(self):
        bucket = Bucket(10, 3)
        bucket.take(0)
        assert [bool(bucket.take(1_000)) for _ in range(4)] == [False, False, False, True]
