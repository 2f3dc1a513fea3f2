"""One trace from the request to the tasks and lessons that follow from it, in processes that only share the log."""

import httpx
import nats

from craftlog.contracts.subjects import Address, Kind
from craftlog.gateway.auth import DEFAULT_PROJECT
from craftlog.runtime.log import Log
from craftlog.testing.stack import Stack

TALK = (("user", "Please rename the report."), ("assistant", "Done, I renamed it."), ("user", "Thanks, bye."))
TRACE = "0af7651916cd43dd8448eb211c80319c"


async def test_the_trace_of_a_request_goes_on_in_what_the_services_append(stack: Stack):
    headers = {"Authorization": f"Bearer {stack.token}", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    async with httpx.AsyncClient(base_url=f"{stack.base_url}/api/v1", headers=headers, timeout=40) as http:
        space_id = (await http.post("/space", json={})).json()["data"]["id"]
        session_id = (await http.post("/session", json={"space_id": space_id})).json()["data"]["id"]
        for role, text in (
            ("user", "Please rename the report."),
            ("assistant", "Done, I renamed it."),
            ("user", "Bye"),
        ):
            stored = await http.post(f"/session/{session_id}/messages", json={"blob": {"role": role, "content": text}})
            assert stored.headers["x-trace-id"] == TRACE
        assert (await http.post(f"/session/{session_id}/flush")).json()["data"]["status"] == 200
    client = await nats.connect(stack.env["CRAFTLOG_NATS_URL"])
    log = Log(client)
    for kind in (Kind.SESSION, Kind.BOARD):
        events = [event async for event in log.read(Address(kind, DEFAULT_PROJECT, session_id))]
        assert events
        assert {(event.traceparent or "-").split("-")[1] for event in events} == {TRACE}
    await client.close()
