"""What an object of a job can be, and what a job knows of it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where an object stands. What is written into the file: never to be renamed."""

    ANNOUNCED = "announced"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    COMMITTED = "committed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Wish(StrEnum):
    """What a job is to do; any process may change it, the one that runs it heeds it."""

    RUN = "run"
    PAUSE = "pause"
    CANCEL = "cancel"


class Planned(NamedTuple):
    """One file that a job is to send, or cannot.

    kind     SOP class and transfer syntax
    state    QUEUED, or FAILED or SKIPPED with `failure` and `words`
    content  the SHA-256 of the data set, where another file has the same SOP instance UID
    source_sop_instance_uid  of the file, where the object is changed on its way; the UIDs and the
             kind are then those under which it is sent
    fixes    lines of the table of fixes that count for it
    """

    path: str
    sop_instance_uid: str | None = None
    study_instance_uid: str = ""
    kind: tuple[str, str] = ("", "")
    dataset_offset: int = 0
    file_size: int = 0
    modified_ns: int = 0
    state: State = State.QUEUED
    failure: str = ""
    words: str = ""
    content: str = ""
    source_sop_instance_uid: str | None = None
    fixes: tuple[int, ...] = ()


class Queued(NamedTuple):
    """One object that is to be sent; as `Planned`."""

    row: int
    path: str
    sop_instance_uid: str
    study_instance_uid: str
    kind: tuple[str, str]
    dataset_offset: int
    file_size: int
    modified_ns: int
    tries: int
    study: int
    source_sop_instance_uid: str | None
    fixes: tuple[int, ...]


class Outcome(NamedTuple):
    """What became of one object.

    failure  the class of the failure, "" without one
    code     the status of the peer, None when it gave none
    tries    how often it was sent in this run
    """

    row: int
    state: State
    tries: int = 0
    failure: str = ""
    code: int | None = None
    words: str = ""


class Count(NamedTuple):
    """How many objects of a destination are in a state, of one class of failure."""

    destination: str
    state: State
    failure: str
    objects: int
    bytes: int
