"""What the observer keeps in MongoDB: boards, where decisions start from, what is due, and who has settings."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from craftlog.contracts.envelope import Recorded, UndecodableError
from craftlog.contracts.events import SessionConfigured
from craftlog.contracts.readmodels import BOARDS, OBSERVER_DUE, USAGE, Document
from craftlog.contracts.subjects import Address
from craftlog.observer.decider import State
from craftlog.observer.projection import snapshot
from craftlog.observer.settings import Criteria, observing_of
from craftlog.runtime.desk import Snapshot
from craftlog.runtime.due import BY_PROJECT
from craftlog.runtime.log import Log
from craftlog.runtime.mongo import Database, Index, by_id, reach

# _id a project's id {version, seq, observing, success, failure}, or a session's {project, version, observing}: only of
# those sessions that have settings of their own. Times of ``observing`` are in seconds.
SETTINGS: Final = "observer_settings"

COLLECTIONS: Final[Mapping[str, Sequence[Index]]] = {
    BOARDS: [BY_PROJECT],
    USAGE: [[("project", 1), ("day", 1)]],
    OBSERVER_DUE: [BY_PROJECT],
    SETTINGS: [],
}


class Boards:
    """Where the desk starts from."""

    def __init__(self, database: Database) -> None:
        self._boards = database[BOARDS]

    async def snapshot(self, address: Address) -> Snapshot[State] | None:
        """Return the board as the read model holds it, or None where it holds none.

        Raises:
            UnavailableError: MongoDB cannot be reached.
        """
        head = await reach(lambda: self._boards.find_one({"_id": address.id}))
        if head is None or "version" not in head:
            return None
        return Snapshot(snapshot(head), head["version"], head["seq"])


class OwnSettings:
    """What projects and sessions have set for themselves.

    Projects are folded by a projector (``settings.project``). Of sessions, which are many, only those with settings are
    here: the others cost no write. All methods raise UnavailableError when MongoDB or the log cannot be reached.
    """

    def __init__(self, database: Database, log: Log) -> None:
        self._settings = database[SETTINGS]
        self._log = log

    async def of(self, ids: Iterable[str]) -> dict[str, Document]:
        """Return what is known of these projects and sessions."""
        return await by_id(self._settings, list(ids))

    async def note(self, configured: Recorded, known: Document | None) -> Document | None:
        """Take in what was said of a session's configs, and return what is known of the session then.

        Args:
            configured: the event; it may be an old one, which changes nothing.
            known: what ``of`` said of the session, or this said last.
        """
        if known and configured.version <= known["version"]:
            return known
        if known is None:
            if observing_of(configured) is None:
                return None
            # A later event that took it away again may have been here before, and has left nothing.
            configured = await self._newest(configured)
        observing, session = observing_of(configured), configured.address
        if observing is None:
            await self.forget([session.id] if known else [])
            return None
        settings = {"project": session.project, "version": configured.version, "observing": observing}
        await reach(lambda: self._settings.replace_one({"_id": session.id}, settings, upsert=True))
        return settings

    async def forget(self, session_ids: Sequence[str]) -> None:
        """Drop what is known of these sessions."""
        if session_ids:
            await reach(lambda: self._settings.delete_many({"_id": {"$in": list(session_ids)}}))

    async def criteria(self, project: str) -> Criteria:
        """Return the criteria of a project."""
        said = (await self.of([project])).get(project, {})
        return Criteria(said.get("success"), said.get("failure"))

    async def _newest(self, configured: Recorded) -> Recorded:
        """Return the last event that decides on a session's configs, its end included."""
        with suppress(UndecodableError):  # the session stands still there
            async for later in self._log.read(configured.address, configured.seq):
                if isinstance(later.event, SessionConfigured) or later.is_tombstone:
                    configured = later
        return configured
