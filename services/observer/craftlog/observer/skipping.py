"""Pure: the messages that a board goes on without: parked, until somebody has them read after all or gives them up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from craftlog.contracts.envelope import Recorded
from craftlog.contracts.events import Event, MessageDropped, MessageSkipped, MessageTakenUp
from craftlog.contracts.readmodels import Document
from craftlog.observer.commands import DropMessage, SkipMessage, TakeUpMessage
from craftlog.observer.tasks import Rejected
from craftlog.observer.usage import Usage, counted

AboutSkipped = SkipMessage | TakeUpMessage | DropMessage
Happened = MessageSkipped | MessageTakenUp | MessageDropped


class NotParkedError(Rejected):
    """The message was read, or given up, or the board has not come to it."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Why a message was skipped, where in the stream its event is, and whether it was given up."""

    reason: str
    seq: int | None = None
    dropped: bool = False


Skipped = Mapping[int, Skip]


def decide(skipped: Skipped, through: int, command: AboutSkipped) -> list[Event]:
    """Turn a command into facts; ``through`` is how far the board has read.

    Raises:
        NotParkedError: there is nothing to be taken up or dropped. Who comes second adds nothing, whatever he brings.
    """
    at = command.position
    known = skipped.get(at)
    match command:
        case SkipMessage(reason=reason, seq=seq, spent=spent):
            read = known is None and at <= through
            said = known is not None and (known.dropped or (known.reason == reason and spent is None))
            return [] if read or said else [MessageSkipped(position=at, reason=reason, seq=seq, spent=spent)]
        case DropMessage() if known and known.dropped:
            return []
        case _ if known is None or known.dropped:
            raise NotParkedError(f"The message at {at} is not parked.")
        case DropMessage():
            return [MessageDropped(position=at)]
        case TakeUpMessage(engine=engine, spent=spent):
            return [MessageTakenUp(position=at, engine=engine, spent=spent)]


def evolve(skipped: Skipped, event: Happened) -> Skipped:
    """Return what is skipped after a fact."""
    at = event.position
    match event:
        case MessageSkipped(reason=reason, seq=seq):
            return {**skipped, at: Skip(reason, seq)}
        case MessageTakenUp():
            return {other: skip for other, skip in skipped.items() if other != at}
        case MessageDropped():
            return {**skipped, at: replace(skipped[at], dropped=True)} if at in skipped else skipped


def usage_after(usage: Usage, event: Happened) -> Usage:
    """Return what observing took after a fact."""
    match event:
        case MessageSkipped(spent=spent):
            return counted(usage, spent)
        case MessageTakenUp(spent=spent):
            return counted(usage, spent, 1)
        case MessageDropped():
            return usage


def listed(skipped: Sequence[Document], event: Happened, recorded: Recorded) -> list[Document]:
    """Return what is skipped as readers see it: ``{position, reason, seq, parked_at, dropped}``, by position."""
    known = {one["position"]: one for one in skipped}
    at = event.position
    match event:
        case MessageSkipped(reason=reason, seq=seq):
            since = known.get(at, {}).get("parked_at", recorded.time)
            known[at] = {"position": at, "reason": reason, "seq": seq, "parked_at": since, "dropped": False}
        case MessageTakenUp():
            known.pop(at, None)
        case MessageDropped() if at in known:
            known[at] = {**known[at], "dropped": True}
    return [known[at] for at in sorted(known)]
