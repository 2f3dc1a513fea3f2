"""Where an event lives: the stream, its subjects, and the core NATS subjects beside it.

Nothing else formats or parses a subject.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from zlib import crc32

STREAM: Final = "CRAFTLOG"
STREAM_SUBJECTS: Final = "craftlog.v1.>"
PARTITIONS: Final = 8
HEALTH: Final = "craftlog.health"
# The consumer by which the observer hears of sessions: what it has acknowledged is done, or noted as due.
OBSERVER_HEARS: Final = "observer-session"
HEADS: Final = "craftlog.head.>"

_TOKEN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SUBJECT_TOKENS: Final = 6


class Kind(StrEnum):
    """The aggregates. Each has exactly one service that writes it."""

    PROJECT = "project"
    SESSION = "session"
    BOARD = "board"
    DISK = "disk"
    SPACE = "space"
    TREE = "tree"


@dataclass(frozen=True, slots=True)
class Address:
    """One aggregate of one project: the unit of consistency, and one subject of the log.

    Raises:
        ValueError: the project or the id is not a canonical lower-case UUID.
    """

    kind: Kind
    project: str
    id: str

    def __post_init__(self) -> None:
        for name, value in (("project", self.project), ("id", self.id)):
            if not _TOKEN.fullmatch(value):
                raise ValueError(f"{name} {value!r} is not a canonical lower-case UUID")

    @property
    def partition(self) -> int:
        """Return 0 to 7, the same for an id for ever (CRC-32 of the id)."""
        return crc32(self.id.encode()) % PARTITIONS

    @property
    def subject(self) -> str:
        """Return the subject that holds this aggregate's events and nothing else."""
        return f"craftlog.v1.{self.kind}.{self.partition}.{self.project}.{self.id}"

    @property
    def head_subject(self) -> str:
        """Return the core subject on which it is said that this aggregate has moved on; the text is the version.

        The projector says so once its read model is there, and of a project also the gateway that wrote to it.
        """
        return f"craftlog.head.{self.kind}.{self.project}.{self.id}"


def parse(subject: str) -> Address:
    """Return the aggregate of a stream subject.

    Raises:
        ValueError: this is not a subject of the stream.
    """
    tokens = subject.split(".")
    if len(tokens) != _SUBJECT_TOKENS or tokens[:2] != ["craftlog", "v1"]:
        raise ValueError(f"{subject!r} is not a subject of the log")
    return Address(Kind(tokens[2]), tokens[4], tokens[5])


def every(kind: Kind) -> str:
    """Return the one filter subject of a consumer of all aggregates of a kind."""
    return f"craftlog.v1.{kind}.>"


def every_head(kind: Kind) -> str:
    """Return the core subject on which all aggregates of a kind move on."""
    return f"craftlog.head.{kind}.>"


def waited(kind: Kind) -> str:
    """Return the core subject on which somebody who waits for the head of an aggregate of a kind says so."""
    return f"craftlog.waited.{kind}"


def ask(service: str, question: str) -> str:
    """Return the core subject on which a service answers a question (request/reply)."""
    return f"craftlog.ask.{service}.{question}"
