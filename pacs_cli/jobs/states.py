"""What an object of a job can be, and what a job knows of it."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Any, NamedTuple


class State(StrEnum):
    """Where an object stands. What is written into the file: never to be renamed."""

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


class Queued(NamedTuple):
    """One object that is to be sent."""

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


def object_fields(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return what is told of an object in a row of the job."""
    _, name, path, state, sop_class, instance, syntax, study, size, tries, kind, code, words = row
    return {
        "destination": name,
        "path": os.fsdecode(path),
        "state": state,
        "sop_class_uid": sop_class,
        "sop_instance_uid": instance,
        "transfer_syntax_uid": syntax,
        "study_instance_uid": study,
        "bytes": size,
        "tries": tries,
        "class": kind,
        "status": None if code is None else f"{code:04X}",
        "words": words,
    }
