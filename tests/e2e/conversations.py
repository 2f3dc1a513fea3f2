"""What agents and their users say to each other in these tests, as OpenAI's chat messages."""

import json
from typing import Any

Message = dict[str, Any]


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def agent(text: str | None, *calls: Message) -> Message:
    return {"role": "assistant", "content": text, **({"tool_calls": list(calls)} if calls else {})}


def call(call_id: str, name: str, **arguments: Any) -> Message:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def result(call_id: str, content: Any) -> Message:
    text = content if isinstance(content, str) else json.dumps(content)
    return {"role": "tool", "tool_call_id": call_id, "content": text}


PHONE = [
    user("I need a landing page for the iPhone 15 Pro Max."),
    agent(
        "Sure, here is my plan:\n"
        "1. Search for the latest news about the iPhone 15 Pro Max\n"
        "2. Init a Next.js project for the landing page\n"
        "3. Deploy the landing page to the website"
    ),
    user("Sounds good. Let's collect the information first, and report to me before any coding of the landing page."),
    agent(
        "Sure, I will first collect the information and report to you before any coding.",
        call("call_1", "search_news", query="iPhone 15 Pro Max"),
    ),
]

COFFEE = [
    {"role": "system", "content": "You work for a web agency."},
    user("Hi! We launch a new espresso machine in May. Please build a landing page for it."),
    agent(
        "Happy to help! This is how I would go about it:\n\n"
        "1) Search the news for espresso machines that were launched lately\n"
        "2) Set up an Astro project for the page\n"
        "3) Publish the page on your website\n\n"
        "Is that fine with you?"
    ),
    user("Yes, looks good. But please report back to me with what you found before you write any code."),
    agent("Of course, I report before any code is written."),
    agent(None, call("call_1", "search_news", query="espresso machine launch", since="2026-01-01")),
]

GYM = [
    user("can you make a landing page for our climbing gym?"),
    agent(
        "Here is my plan:\n\n"
        "**Step 1:** Search for recent news about climbing gyms\n"
        "**Step 2:** Create a Next.js project for the landing page\n"
        "**Step 3:** Deploy it to the web"
    ),
    user("Great, go ahead. Always report to me before you start any coding."),
    agent("Understood. I collect the news now.", call("call_1", "search_news", query="climbing gym")),
]

# The whole of it: an error on the way, a report, leave to go on, and all three steps done.
PHONE_TO_THE_END = [
    *PHONE,
    result("call_1", "Error: rate limit exceeded, narrow the search with a date"),
    agent(None, call("call_2", "search_news", query="iPhone 15 Pro Max", since="2023-09-01")),
    result("call_2", {"articles": [{"title": "A frame of titanium", "url": "https://news.example/titanium"}]}),
    agent(None, call("call_3", "fetch_article", url="https://news.example/titanium")),
    result("call_3", {"text": "The frame is made of titanium, which makes it lighter."}),
    agent("My report: the frame is made of titanium and the phone is lighter. Shall I go on with the next step?"),
    user("Yes, very good. Go on."),
    agent("I set up the Next.js project.", call("call_4", "run_command", command="npx create-next-app page")),
    result("call_4", {"exit_code": 0}),
    agent(None, call("call_5", "write_file", path="page/index.tsx", content="<main>Titanium</main>")),
    result("call_5", {"written": True}),
    agent("The project is set up and the page is written. Shall I go on and deploy it?"),
    user("Yes, please deploy it."),
    agent(None, call("call_6", "deploy_site", folder="page")),
    result("call_6", {"url": "https://page.example"}),
    agent("The landing page is live on https://page.example."),
    user("Wonderful, thank you. That's all."),
]
