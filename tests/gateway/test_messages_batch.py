"""Many messages in one request: in order, all or none, and once for a key."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import httpx
import pytest
from tests.gateway.clients import Api


@pytest.fixture(scope="module")
def api(http: httpx.Client) -> Api:
    return Api(http)


def said(*texts: Any) -> dict[str, Any]:
    return {"blobs": [{"role": "user", "content": str(text)} for text in texts]}


def batch(api: Api, session: str, body: Any, expect: int = 201, **headers: str) -> Any:
    return api.post(f"/session/{session}/messages/batch", expect, body, **headers)


def stored(api: Api, session: str) -> list[str]:
    return [item["content"] for item in api.get(f"/session/{session}/messages")["items"]]


class TestBatch:
    def test_of_500_stands_in_order_and_is_answered_message_by_message(self, api: Api) -> None:
        session = api.make("session")
        api.append(session, "before")
        items = batch(api, session, said(*range(500)))["items"]
        assert [item["parts"] for item in items] == [[{"type": "text", "text": str(n)}] for n in range(500)]
        read = api.messages(session)
        assert [{**item, "session_task_process_status": "pending"} for item in read[1:]] == items
        assert all(after["parent_id"] == before["id"] for before, after in pairwise(read))

    @pytest.mark.parametrize("at", [0, 250, 499])
    def test_with_one_that_is_wrong_stores_none_and_says_which(self, api: Api, at: int) -> None:
        session, body = api.make("session"), said(*range(500))
        body["blobs"][at]["content"] = [{"type": "text", "text": "fine"}, {"type": "hologram"}]
        answer = api.http.post(f"/api/v1/session/{session}/messages/batch", json=body)
        assert answer.status_code == 400
        assert answer.json()["msg"].startswith(f"blobs[{at}].content[1].type: ")
        assert stored(api, session) == []

    @pytest.mark.parametrize(
        ("body", "status", "words"),
        [
            ({}, 400, "blobs: must be a list of 1 to 500"),
            ({"blobs": []}, 400, "blobs: must be a list of 1 to 500"),
            ({"blobs": {}}, 400, "blobs: must be a list of 1 to 500"),
            (said(*range(501)), 400, "blobs: must be a list of 1 to 500"),
            ({"blobs": [None]}, 400, "blobs[0]: must be an object"),
            ({**said("a"), "format": "morse"}, 400, "format: must be one of"),
            ({"blobs": [*said("a")["blobs"], {"role": "user", "content": "x", "n": "y" * 300_000}]}, 413, "blobs[1]: "),
            (said("a" * 9_000_000, "b" * 9_000_000), 413, "body: "),
        ],
    )
    def test_is_refused_by_the_name_of_what_is_wrong(self, api: Api, body: Any, status: int, words: str) -> None:
        session = api.make("session")
        answer = api.http.post(f"/api/v1/session/{session}/messages/batch", json=body)
        assert answer.status_code == status
        assert words in answer.json()["msg"]
        assert stored(api, session) == []

    def test_may_have_messages_too_large_for_an_event(self, api: Api) -> None:
        session = api.make("session")
        texts = ["small", "x" * 5_000_000, "é" * 200_000, "small again", "y" * 300_000, "y" * 300_000]
        batch(api, session, said(*texts))
        assert stored(api, session) == texts

    def test_of_many_that_just_fit_into_events_is_one_decision_all_the_same(self, api: Api) -> None:
        session, texts = api.make("session"), [f"{n}" + "x" * 255_000 for n in range(60)]
        batch(api, session, said(*texts))
        assert stored(api, session) == texts

    def test_beside_others_and_single_ones_stays_together(self, api: Api) -> None:
        session = api.make("session")
        with ThreadPoolExecutor(12) as threads:
            batches = [threads.submit(batch, api, session, said(*[f"batch {n}"] * 500)) for n in range(4)]
            singles = [threads.submit(api.append, session, f"single {n}") for n in range(20)]
            together = [[item["id"] for item in one.result()["items"]] for one in batches]
            alone = [one.result()["id"] for one in singles]
        read = [item["id"] for item in api.messages(session)]
        assert len(read) == 4 * 500 + 20
        assert set(alone) < set(read)
        for ids in together:
            assert read[read.index(ids[0]) :][:500] == ids

    def test_needs_a_session(self, api: Api) -> None:
        session = api.make("session")
        api.delete(f"/session/{session}")
        batch(api, session, said("a"), expect=404)
        batch(api, session, said("x" * 300_000), expect=404)


class TestIdempotencyKey:
    def test_of_a_batch_gives_the_first_answer_back(self, api: Api) -> None:
        session, key = api.make("session"), {"Idempotency-Key": "one"}
        first = batch(api, session, said(*range(500)), **key)
        for _ in range(2):
            again = batch(api, session, said(*range(500)), **key)
            assert again == first
        assert stored(api, session) == [str(n) for n in range(500)]
        for other in (said(*range(499)), said(*range(1, 501)), {**said(*range(500)), "format": "openai"}):
            batch(api, session, other, expect=409, **key)

    def test_holds_for_as_long_as_the_session_lives(self, api: Api) -> None:
        session, key = api.make("session"), {"Idempotency-Key": "first"}
        first = batch(api, session, said("a", "b"), **key)
        # More keys than a gateway keeps in memory.
        for number in range(300):
            api.append(session, f"{number}", **{"Idempotency-Key": f"{number}"})
        assert batch(api, session, said("a", "b"), **key) == first
        batch(api, session, said("a"), expect=409, **key)
        assert len(stored(api, session)) == 302

    def test_is_another_one_on_another_route(self, api: Api) -> None:
        session, key = api.make("session"), {"Idempotency-Key": "one"}
        batch(api, session, said("a"), **key)
        api.append(session, "a", **key)
        assert stored(api, session) == ["a", "a"]

    def test_stores_once_what_is_sent_many_times_at_once(self, api: Api) -> None:
        session, key = api.make("session"), {"Idempotency-Key": "one"}
        with ThreadPoolExecutor(8) as threads:
            sent = [threads.submit(batch, api, session, said(*range(100)), **key) for _ in range(8)]
            answers = {json.dumps(one.result()) for one in sent}
        assert len(answers) == 1
        assert stored(api, session) == [str(n) for n in range(100)]
