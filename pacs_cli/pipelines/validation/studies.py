"""What only many files together can break: identity of patients, studies, series, instances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from pacs_cli.pipelines.validation.findings import Finding
from pacs_cli.pipelines.validation.levels import Level

_STUDY, _SERIES, _INSTANCE = 0x0020000D, 0x0020000E, 0x00080018
_MODALITY, _FRAME_OF_REFERENCE = 0x00080060, 0x00200052
_NAME, _ID = 0x00100010, 0x00100020
_REFERENCED_INSTANCE, _REFERENCED_SERIES, _EVIDENCE = 0x00081155, 0x00081115, 0x0040A375

#: References of one file that are followed; a registration may have thousands, a hostile file more.
_MOST_REFERENCES = 10_000


class Identity(NamedTuple):
    """What a file says it is and refers to. Patients are hashes: they are compared, never told."""

    path: str
    study: str
    series: str
    instance: str
    modality: str
    frame_of_reference: str
    patient: bytes
    references: frozenset[str]


class References:
    """Collects the instances of its own study that a file says it refers to (PS3.3 C.12.2)."""

    def __init__(self) -> None:
        self._found: set[str] = set()
        self._evidence: dict[int, set[str]] = {}
        self._own: dict[int, str] = {}

    def note(self, level: Level) -> None:
        """Take in an item."""
        path = level.path
        if path[-1] == _EVIDENCE:
            self._own[level.items[0]] = level.text(_STUDY)
        elif _REFERENCED_INSTANCE in level.elements and len(self._found) < _MOST_REFERENCES:
            uid = level.text(_REFERENCED_INSTANCE)
            if path[0] == _REFERENCED_SERIES:
                self._found.add(uid)
            elif path[0] == _EVIDENCE and len(self._evidence) < _MOST_REFERENCES:
                self._evidence.setdefault(level.items[0], set()).add(uid)

    def of_study(self, study: str) -> frozenset[str]:
        """Return the UIDs, those of the evidence that stand under this study too."""
        found = set(self._found)
        for number, uids in self._evidence.items():
            if self._own.get(number) == study:
                found |= uids
        return frozenset(found)


def identity_of(path: str, top: Level, references: References) -> Identity:
    """Return what a whole data set says it is."""
    study = top.text(_STUDY)
    patient = b"\0".join(top.raw(tag).strip(b" \0").upper() for tag in (_ID, _NAME))
    return Identity(
        path,
        study,
        top.text(_SERIES),
        top.text(_INSTANCE),
        top.text(_MODALITY),
        top.text(_FRAME_OF_REFERENCE),
        blake2b(patient, digest_size=8).digest(),
        references.of_study(study),
    )


@dataclass(slots=True)
class Studies:
    """Compares the identities of many files, as they come."""

    _patients: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    _studies: dict[str, tuple[str, str]] = field(default_factory=dict)
    _modalities: dict[str, tuple[str, str]] = field(default_factory=dict)
    _frames: dict[str, tuple[str, str]] = field(default_factory=dict)
    _instances: dict[str, str] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _waiting: list[tuple[str, str, frozenset[str]]] = field(default_factory=list)

    def add(self, file: Identity) -> Iterator[Finding]:
        """Yield what a file breaks with those before it."""
        if file.study:
            self._counts[file.study] = self._counts.get(file.study, 0) + 1
            _, other = self._patients.setdefault(file.study, (file.patient, file.path))
            if self._patients[file.study][0] != file.patient:
                yield _of("study-patient", 0x00100020, f"another patient than in {other}")
        if file.series:
            yield from self._series(file)
        if file.instance:
            first = self._instances.setdefault(file.instance, file.path)
            if first != file.path:
                yield _of("instance-duplicate", _INSTANCE, f"the UID is also that of {first}")
        if file.references:
            self._waiting.append((file.path, file.study, file.references))

    def _series(self, file: Identity) -> Iterator[Finding]:
        for rule, tag, known, value in (
            ("series-study", _STUDY, self._studies, file.study),
            ("series-modality", _MODALITY, self._modalities, file.modality),
            (
                "series-frame-of-reference",
                _FRAME_OF_REFERENCE,
                self._frames,
                file.frame_of_reference,
            ),
        ):
            if not value:
                continue
            first, other = known.setdefault(file.series, (value, file.path))
            if first != value:
                yield _of(rule, tag, f"another than in {other}, of the same series")

    def end(self) -> Iterator[tuple[str, Finding]]:
        """Yield, with its file, what is missing of the studies of which there is more than that."""
        for path, study, references in self._waiting:
            missing = references - self._instances.keys()
            if missing and self._counts.get(study, 0) > 1:
                message = f"{len(missing)} of {len(references)} referenced instances are not here"
                yield path, _of("reference-missing", _REFERENCED_INSTANCE, message)


def _of(rule: str, tag: int, message: str) -> Finding:
    from pacs_cli.dicom.dictionary import keyword_at
    from pacs_cli.dicom.encoding import tag_text

    return Finding(rule, tag_text(tag), keyword_at(tag), message)
