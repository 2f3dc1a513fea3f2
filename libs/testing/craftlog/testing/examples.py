"""One ready-made instance of every event, and the envelope to put it in."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar, cast
from uuid import uuid4

from craftlog.contracts import events as e
from craftlog.contracts.envelope import Recorded, event_id
from craftlog.contracts.messages import Asset, Part
from craftlog.contracts.subjects import Address, Kind

E = TypeVar("E", bound=e.Event)

PROJECT: Final = "00000000-0000-4000-8000-000000000001"
SESSION_ID: Final = "11111111-1111-4111-8111-111111111111"
DISK_ID: Final = "22222222-2222-4222-8222-222222222222"
SPACE_ID: Final = "33333333-3333-4333-8333-333333333333"
MESSAGE_ID: Final = "44444444-4444-4444-8444-444444444444"
TASK_ID: Final = "55555555-5555-4555-8555-555555555555"
PAGE_ID: Final = "66666666-6666-4666-8666-666666666666"
KEY_ID: Final = "88888888-8888-4888-8888-888888888888"
SOP_ID: Final = "77777777-7777-4777-8777-777777777777"
FOLDER_ID: Final = "88888888-8888-4888-8888-888888888888"
TEXT_ID: Final = "88888888-8888-4888-8888-888888888889"
PROPOSAL_ID: Final = "99999999-9999-4999-8999-999999999999"

TENANT: Final = Address(Kind.PROJECT, PROJECT, PROJECT)
SESSION: Final = Address(Kind.SESSION, PROJECT, SESSION_ID)
BOARD: Final = Address(Kind.BOARD, PROJECT, SESSION_ID)
DISK: Final = Address(Kind.DISK, PROJECT, DISK_ID)
SPACE: Final = Address(Kind.SPACE, PROJECT, SPACE_ID)
TREE: Final = Address(Kind.TREE, PROJECT, SPACE_ID)

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_SHA256: Final = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

_STEPS: Final = (e.ToolStep(tool_name="search_news", action="search for the topic"),)
_PROVENANCE: Final = e.Provenance(session_id=SESSION_ID, task_id=TASK_ID, message_ids=(MESSAGE_ID,), engine="rules")

_SPENT: Final = e.Spent(
    model="small",
    prompt="0a1b2c3d",
    calls=1,
    prompt_tokens=900,
    cached_tokens=512,
    completion_tokens=80,
    cost=0.002,
    day="2026-01-01",
)
_INSTANCES: Final[tuple[e.Event, ...]] = (
    e.ProjectCreated(name="research"),
    e.KeyIssued(key_id=KEY_ID, name="crawler", hash=_SHA256, requests_per_second=50, burst=100, body_bytes=1_000_000),
    e.KeyRevoked(key_id=KEY_ID),
    e.ProjectConfigured(configs={"task_success_criteria": "The tests pass.", "observing": {"idle": 2.0}}),
    e.SessionCreated(configs={"agent": "planner"}, space_id=SPACE_ID, request="digest-of-the-request"),
    e.MessageAppended(
        message_id=MESSAGE_ID,
        position=1,
        role="user",
        parts=(Part(type="text", text="Plan a landing page, please."),),
        meta={"source_format": "openai"},
    ),
    e.SessionConfigured(configs={"agent": "writer", "tools": ["search"]}),
    e.SpaceConnected(space_id=SPACE_ID),
    e.FlushRequested(through_position=1),
    e.SessionDeleted(),
    e.DiskCreated(),
    e.ArtifactStored(
        path="/reports/",
        filename="hello.txt",
        asset=Asset(
            bucket="craftlog",
            s3_key=f"{PROJECT}/disk/{DISK_ID}/{_SHA256}",
            etag="5d41402abc4b2a76b9719d911017c592",
            sha256=_SHA256,
            mime="text/plain",
            size_b=5,
        ),
        meta={"written_by": "planner"},
    ),
    e.ArtifactDescribed(path="/reports/", filename="hello.txt", meta={"reviewed_by": "editor"}),
    e.ArtifactRemoved(path="/reports/", filename="hello.txt"),
    e.DiskDeleted(),
    e.SpaceCreated(configs={"language": "en"}, request="digest-of-the-request"),
    e.SpaceConfigured(configs={"language": "de"}),
    e.SpaceDeleted(),
    e.TaskOpened(
        task_id=TASK_ID, order=1, description="Collect information on landing pages", engine="rules", rank="m"
    ),
    e.TaskDescribed(task_id=TASK_ID, description="Collect recent information on landing pages"),
    e.TaskStarted(task_id=TASK_ID),
    e.TaskProgressed(task_id=TASK_ID, note="I searched the news for landing pages."),
    e.PreferenceNoted(task_id=TASK_ID, preference="Report before any coding."),
    e.UserPreferenceNoted(preference="Answer in French."),
    e.MessagesLinked(task_id=TASK_ID, positions=(1, 2)),
    e.PlanningLinked(positions=(1,)),
    e.MessageSkipped(position=3, reason="it is no event", seq=12, spent=_SPENT),
    e.MessageTakenUp(position=3, engine="rules", spent=_SPENT),
    e.MessageDropped(position=4),
    e.TaskSucceeded(task_id=TASK_ID),
    e.TaskFailed(task_id=TASK_ID, reason="The search answered with an error."),
    e.SessionObserved(
        through_position=2,
        engine="rules",
        memory={"plan": [TASK_ID]},
        spent=_SPENT,
    ),
    e.BoardDeleted(usage={"2026-01-01": e.Used(observations=1, messages=2, calls=1, prompt_tokens=900, cost=0.002)}),
    e.PageAdded(block_id=PAGE_ID, title="Research", sort=0),
    e.SopFiled(
        block_id=SOP_ID,
        parent_id=PAGE_ID,
        sort=0,
        use_when="somebody wants a landing page planned",
        preferences="report before any coding",
        tool_sops=_STEPS,
        provenance=_PROVENANCE,
    ),
    e.LessonProposed(
        proposal_id=PROPOSAL_ID,
        page_title="Research",
        use_when="somebody wants a landing page planned",
        preferences="report before any coding",
        tool_sops=_STEPS,
        provenance=_PROVENANCE,
    ),
    e.LessonSkipped(task_id=TASK_ID, session_id=SESSION_ID, reason="No tool was used.", engine="rules"),
    e.SessionForgotten(session_id=SESSION_ID, removed_pages=(PAGE_ID,)),
    e.BlockAdded(
        block_id=TEXT_ID,
        type="text",
        title="Who to ask",
        sort=1,
        parent_id=PAGE_ID,
        props={"notes": "Ask Ada."},
        request="digest-of-the-request",
    ),
    e.BlockChanged(
        block_id=SOP_ID,
        type="sop",
        title="somebody wants a website planned",
        props={"preferences": "be brief", "tool_sops": [{"tool_name": "search_news", "action": "search for it"}]},
        session_id=SESSION_ID,
    ),
    e.BlockMoved(block_id=PAGE_ID, sort=0, parent_id=FOLDER_ID),
    e.BlocksShifted(sorts={FOLDER_ID: 1}),
    e.BlocksRemoved(block_ids=(SOP_ID, PAGE_ID)),
    e.ToolRenamed(old_name="search_news", new_name="news", steps={SOP_ID: (0,)}),
    e.TreeDeleted(),
)
EXAMPLES: Final[dict[type[e.Event], e.Event]] = {type(instance): instance for instance in _INSTANCES}


def example(kind: type[E], **changes: Any) -> E:
    """Return the example of an event, with other values in some of its fields."""
    assert changes.keys() <= kind.model_fields.keys(), f"{kind.__name__} has no {changes.keys() - kind.model_fields}"
    return kind(**{**dict(cast("E", EXAMPLES[kind])), **changes})


def fresh(kind: Kind) -> Address:
    """Return the address of an aggregate that no other test has."""
    return Address(kind, PROJECT, str(uuid4()))


def recorded(address: Address, version: int, event: e.Event | None, seq: int | None = None) -> Recorded:
    """Return an event as the log holds it, one second a version after START.

    Args:
        address: the aggregate.
        version: its version after this event, from 1.
        event: the fact; None stands for a type that this reader does not know.
        seq: the stream sequence, the same as the version where it does not matter.
    """
    return Recorded(
        address=address,
        version=version,
        seq=version if seq is None else seq,
        id=event_id(address.subject, str(version)),
        type=e.wire_name(type(event)) if event else "SomethingNew.v1",
        time=START + timedelta(seconds=version),
        event=event,
    )


def history(address: Address, *events: e.Event | None) -> list[Recorded]:
    """Return these events as the whole history of an aggregate, from version 1 on."""
    return [recorded(address, version, event) for version, event in enumerate(events, start=1)]
