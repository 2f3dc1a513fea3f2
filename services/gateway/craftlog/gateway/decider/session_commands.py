"""What may be asked of a session. Pure."""

from dataclasses import dataclass
from typing import Any

from craftlog.contracts.events import CopyOf
from craftlog.contracts.messages import Part, Role, Stored


@dataclass(frozen=True, slots=True)
class CreateSession:
    """Begin a conversation. ``request`` is the digest of a keyed request."""

    configs: dict[str, Any] | None = None
    disable_task_tracking: bool = False
    space_id: str | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that has no place yet. With ``parts_ref`` its parts are in the bucket."""

    message_id: str
    role: Role
    parts: tuple[Part, ...]
    meta: dict[str, Any]
    parts_ref: Stored | None = None


@dataclass(frozen=True, slots=True)
class AppendMessages:
    """Add messages at the end, at least one, all or none.

    With an Idempotency-Key their ids derive from it, ``request`` is the digest of the body, and ``looked_up`` is the
    position through which the read model was found not to have the first of them, which stands for all.
    """

    messages: tuple[NewMessage, ...]
    request: str | None = None
    looked_up: int = 0


@dataclass(frozen=True, slots=True)
class ConnectSpace:
    """Let what is finished here teach a space."""

    space_id: str


@dataclass(frozen=True, slots=True)
class RequestFlush:
    """Ask for the board to read all there is; ``again`` also where it was asked to before."""

    again: bool = False


@dataclass(frozen=True, slots=True)
class DeleteSession:
    """End it."""


@dataclass(frozen=True, slots=True)
class BeginCopy:
    """Begin a session that is to have the messages of another one, and is not there before."""

    copy_of: CopyOf
    configs: dict[str, Any] | None
    disable_task_tracking: bool


@dataclass(frozen=True, slots=True)
class CopyMessages:
    """Add messages of the original, those that follow its first so many (``after``)."""

    after: int
    messages: tuple[NewMessage, ...]


@dataclass(frozen=True, slots=True)
class AbandonCopy:
    """End a session that does not have all messages of its original."""


@dataclass(frozen=True, slots=True)
class ConfigureSession:
    """Put configs in the place of those before."""

    configs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MergeConfigs:
    """Change the configs that are named here, and remove those that are null here."""

    changes: dict[str, Any]


Copying = BeginCopy | CopyMessages | AbandonCopy
Command = (
    CreateSession
    | AppendMessages
    | ConfigureSession
    | MergeConfigs
    | ConnectSpace
    | RequestFlush
    | DeleteSession
    | Copying
)
