"""The offline embedder: alike means near, and any text is accepted."""

import asyncio

import pytest

from craftlog.llm import embeddings
from craftlog.llm.embeddings import OfflineEmbedder, Vector, WrongModelError

# The texts that the decision record's figures come from: a skill, and a request for it in other words.
PARAPHRASES = [
    (
        "A customer wants to cancel a flight reservation and get the money back",
        "I need to call off my trip and receive a refund",
    ),
    ("Change the passenger's seat class from economy to business", "Upgrade my ticket so that I fly in a better cabin"),
    (
        "Book a one-way flight paying with a gift certificate first",
        "Purchase a plane ticket, using a voucher before the credit card",
    ),
    (
        "Add checked bags to an existing reservation",
        "I'd like to bring two more suitcases on the flight I already booked",
    ),
    (
        "The user asks for compensation because the flight was delayed",
        "My plane was late, what will you give me for the trouble?",
    ),
    ("Correct a misspelled passenger name on a booking", "My surname is written wrong on the ticket"),
    ("Move a flight to a later date", "Reschedule my departure to next week"),
    ("Exchange a delivered item for another size", "The shoes I received are too small, can I swap them?"),
    (
        "Return a damaged product and refund to the original payment method",
        "The lamp arrived broken; I want my money back on my card",
    ),
    ("Change the shipping address of a pending order", "I moved house, please send my parcel somewhere else"),
    ("Reset a forgotten password after verifying identity", "I can't log in to my account any more"),
    ("Find the status of an order that has not arrived", "Where is my package?"),
    ("Plan and build a landing page for a product", "Make a website front page that presents our new app"),
    (
        "Collect the latest news on a topic and write a report",
        "Research recent headlines and summarise them in a document",
    ),
    ("Deploy a web application to a server", "Put the site online in production"),
    ("Fix a failing unit test in the repository", "One of the tests is red, repair the code"),
    ("Migrate a database schema without downtime", "Add a column to a live table while the service keeps running"),
    ("Star a repository on GitHub", "Give a project a star on its code hosting page"),
    ("Schedule a meeting with several participants", "Find a time when the whole team is free and send an invitation"),
    ("Invoice a client for the hours worked last month", "Bill the customer for our time in October"),
    ("Escalate a complaint to a human agent", "Let me talk to a real person"),
    ("Translate a document into Spanish", "Give me this text in Castilian"),
    ("Cancel a subscription before it renews", "Stop my monthly plan from being charged again"),
    ("Set up alerts for high CPU usage", "Notify me when the processor is overloaded"),
]


@pytest.fixture(scope="module")
def embedder() -> OfflineEmbedder:
    return OfflineEmbedder()


def distance(one: Vector, other: Vector) -> float:
    return 1 - sum(a * b for a, b in zip(one, other, strict=True))


async def distances(embedder: OfflineEmbedder) -> list[list[float]]:
    """Return, for each query, its distance to each skill."""
    skills = await embedder.embed([skill for skill, _ in PARAPHRASES])
    queries = await embedder.embed([query for _, query in PARAPHRASES])
    return [[distance(query, skill) for skill in skills] for query in queries]


class TestMeaning:
    async def test_other_words_for_the_same_are_among_the_three_nearest(self, embedder: OfflineEmbedder):
        table = await distances(embedder)
        places = [sorted(row).index(row[own]) for own, row in enumerate(table)]
        assert sum(place == 0 for place in places) / len(places) > 0.75
        assert sum(place < 3 for place in places) / len(places) > 0.9

    async def test_near_keeps_nearly_all_of_what_is_alike_and_little_of_what_is_not(self, embedder: OfflineEmbedder):
        table = await distances(embedder)
        alike = [row[own] for own, row in enumerate(table)]
        unlike = [each for own, row in enumerate(table) for at, each in enumerate(row) if at != own]
        assert sum(each <= embedder.near for each in alike) / len(alike) > 0.9
        assert sum(each <= embedder.near for each in unlike) / len(unlike) < 0.15

    async def test_what_has_nothing_to_do_with_it_is_not_near(self, embedder: OfflineEmbedder):
        skill, *others = await embedder.embed(
            ["Cancel a flight and refund it", "The recipe wants two eggs", "A proof of the prime number theorem"]
        )
        assert all(distance(skill, other) > embedder.near for other in others)

    async def test_another_language_for_the_same_is_near(self, embedder: OfflineEmbedder):
        english, german = await embedder.embed(["Cancel a flight and refund it", "Einen Flug stornieren und erstatten"])
        assert distance(english, german) <= embedder.near


class TestVectors:
    async def test_every_text_has_a_vector_of_the_model_s_size_and_length_one(self, embedder: OfflineEmbedder):
        texts = ["", "   ", "\0", "😀" * 50, "日本語のテキスト", "x" * 100_000]
        vectors = await embedder.embed(texts)
        assert [len(vector) for vector in vectors] == [embedder.size] * len(texts)
        assert all(distance(vector, vector) == pytest.approx(0, abs=1e-5) for vector in vectors)

    async def test_a_text_has_the_same_vector_alone_in_company_and_at_once_with_others(self, embedder: OfflineEmbedder):
        texts = [text for pair in PARAPHRASES for text in pair]
        together = await embedder.embed(texts)
        alone = await asyncio.gather(*(embedder.embed([text]) for text in texts))
        assert all(a == pytest.approx(b, abs=1e-5) for a, [b] in zip(together, alone, strict=True))

    async def test_no_texts_have_no_vectors(self, embedder: OfflineEmbedder):
        assert await embedder.embed([]) == []


class TestTheInstalledModel:
    def test_another_model_under_the_same_id_is_refused(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(embeddings._MODEL_FILES, "sp.model", "0" * 64)
        with pytest.raises(WrongModelError, match=r"sp\.model of use-multilingual-3-q6 has sha256 994f"):
            OfflineEmbedder()
