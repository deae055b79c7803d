"""One file de-identified: read, rewritten, written, read back, proven, and only then named."""

from __future__ import annotations

import os
import re
import stat
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from pacs_cli.dicom.dictionary import uid_table
from pacs_cli.dicom.elements import inflate, pick
from pacs_cli.dicom.encoding import (
    DEFAULT_BOUNDS,
    EXPLICIT_LITTLE,
    Encoding,
    TruncatedDataset,
    encoding_of,
    tag_text,
)
from pacs_cli.dicom.iods import demanded, iod_of
from pacs_cli.dicom.mapping import CutOff, check_whole, kept_whole, mapped
from pacs_cli.dicom.part10 import Header, IsDirectory, NotDicom, file_meta, header_of
from pacs_cli.errors import InputError, OutputError
from pacs_cli.pipelines.deid.bookkeeping import additions
from pacs_cli.pipelines.deid.changing import is_well_known
from pacs_cli.pipelines.deid.content import (
    FACT_TAGS,
    blanked,
    content_cleaner,
    is_document,
    judge_pixels,
    replaced_document,
)
from pacs_cli.pipelines.deid.keys import Keys
from pacs_cli.pipelines.deid.output import Occupied, Output
from pacs_cli.pipelines.deid.pixels import PixelDecision
from pacs_cli.pipelines.deid.policy import Level, Policy
from pacs_cli.pipelines.deid.quarantine import set_aside
from pacs_cli.pipelines.deid.rewrite import rewrite
from pacs_cli.pipelines.deid.subject import (
    Additions,
    ContentCleaner,
    Piece,
    Rewritten,
    Subject,
)
from pacs_cli.pipelines.deid.verify import Class, Needle
from pacs_cli.pipelines.deid.watch import Watch
from pacs_cli.pixels.sandbox import Sandbox

_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_PATIENT_NAME, _PATIENT_ID, _BIRTH_DATE = 0x00100010, 0x00100020, 0x00100030
_STUDY, _SERIES = 0x0020000D, 0x0020000E

_IDENTITY = (_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES)
_FACTS = frozenset({_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES}) | FACT_TAGS
_HEAD = 16 * 1024

#: PS3.5 9.1; leading zeros in a component are wrong but common.
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_MOST_OF_UID = 64

#: Bytes from which on mapping a file costs less than copying it.
_LARGE = 128 * 1024

#: Patients that one process keeps in mind, to search their later files for what is gone.
_MOST_PATIENTS = 1024

#: Patients of whom it is remembered what becomes of their elements: as many as come in turns.
_MOST_SUBJECTS = 8


class Withheld(InputError):
    """A file is not released: `code` says why, in one word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Settings:
    """How files are written.

    out       the folder, or with `is_file` the one file
    names     what the folders and files are called by: `uid` or `pseudonym`
    certificate  to whom the original values are sealed, in PEM; b"" for nobody
    """

    policy: Policy
    keys: Keys
    out: Path | None
    names: str = "uid"
    is_file: bool = False
    in_place: bool = False
    dry_run: bool = False
    verify: bool = True
    quarantine: Path | None = None
    wants_mapping: bool = False
    wants_changes: bool = False
    certificate: bytes = b""


class Outcome(NamedTuple):
    """What became of one file.

    output    where it is, None when it is withheld
    code      why it is withheld, "" when it is released
    patient   a hash of whose it is
    lasting   needles of the patient that were new to this process
    known     how many of them it was searched for
    mapping   (kind, old, new, shift) of what was asked for
    changes   (path, VR, action, why) of each element that changed, when asked for
    """

    path: str
    output: str | None = None
    code: str = ""
    message: str = ""
    warning: str = ""
    patient: bytes = b""
    lasting: tuple[Needle, ...] = ()
    known: int = 0
    mapping: tuple[tuple[str, ...], ...] = ()
    changes: tuple[tuple[str, str, str, str], ...] = ()
    size: int = 0


class _Object(NamedTuple):
    """A data set, what its file says of it, and whose it is.

    whole   the file; `data` is a part of it, or has been inflated
    pixels  what stands in the place of its pixel data, where that was cleaned
    """

    header: Header
    whole: memoryview
    data: bytes | memoryview
    encoding: Encoding
    level: Level
    subject: Subject
    pixels: bytes | None = None


class Made(NamedTuple):
    """An object that was de-identified in memory.

    identity  SOP class, SOP instance, study and series UID, by their tags
    content   what its file would be, the data set from the second piece on
    """

    identity: dict[int, str]
    transfer_syntax_uid: str
    content: list[Piece]


@dataclass
class Worker:
    """De-identifies files one by one, in one process.

    made  of the last file, when nothing is written; None when it was withheld
    """

    settings: Settings
    _levels: dict[str, Level] = field(default_factory=dict, repr=False)
    _additions: Additions | None = field(default=None, repr=False)
    _watches: dict[str, Watch] = field(default_factory=dict, repr=False)
    _subjects: dict[str, Subject] = field(default_factory=dict, repr=False)
    _mandatory: dict[str, tuple[frozenset[int], frozenset[int]]] = field(
        default_factory=dict, repr=False
    )

    def __post_init__(self) -> None:
        self._made: set[Path] = set()
        self._folders: dict[tuple[Path, str, str, str], Path] = {}
        self._told: tuple[bytes, tuple[Needle, ...]] = (b"", ())
        self._cleaner: ContentCleaner | None = None
        self._has_cleaner = False
        self._sandbox = Sandbox()
        self.made: Made | None = None

    def close(self) -> None:
        """End the process in which codecs run, if there is one."""
        self._sandbox.close()

    def __reduce__(self) -> tuple[type[Worker], tuple[Settings]]:
        # a process that is started anew, and no copy of this one, remembers nothing yet
        return Worker, (self.settings,)

    def batch(self, paths: list[str]) -> list[Outcome]:
        """Return what becomes of some files; raises nothing."""
        return [self.one(path) for path in paths]

    def one(self, path: str, content: memoryview | None = None) -> Outcome:
        """Return what becomes of a file, or of what is to be taken for one; raises nothing."""
        self._told = (b"", ())
        self.made = None
        try:
            return self._one(path, content)
        except Withheld as error:
            outcome = Outcome(path, code=error.code, message=str(error))
        except IsDirectory:
            outcome = Outcome(path, code="dicomdir", message="a DICOMDIR is never copied")
        except NotDicom as error:
            outcome = Outcome(path, code="not-dicom", message=str(error))
        except OutputError as error:
            return Outcome(path, code="output", message=str(error))
        except CutOff as error:
            outcome = Outcome(path, code="unreadable", message=str(error))
        except InputError as error:
            outcome = Outcome(path, code="unparseable", message=str(error))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            outcome = Outcome(path, code="unreadable", message=reason)
        except (MemoryError, RecursionError, OverflowError, ValueError, LookupError) as error:
            # fails closed: whatever it was, nothing of the file has been released
            outcome = Outcome(path, code="unparseable", message=f"{type(error).__name__} in it")
        # what is withheld tells of its patient all the same
        patient, lasting = self._told
        return self._set_aside(outcome._replace(patient=patient, lasting=lasting))

    def _one(self, path: str, content: memoryview | None) -> Outcome:
        whole = _read(path) if content is None else content
        with kept_whole(whole):
            return self._of(path, self._understood(whole))

    def _of(self, path: str, found: _Object) -> Outcome:
        header, policy = found.header, self.settings.policy
        if is_document(header.sop_class_uid):
            return self._document(path, found)
        done = self._rewritten(found)
        verdict = judge_pixels(policy, done.facts, found.data, found.encoding)
        if verdict.action == "quarantine":
            raise Withheld("burned-in", f"{verdict.reason}; identity may stand in its pixels")
        others: dict[int, bytes] = {}
        if verdict.action == "clean":
            found, done, others = self._blanked(found, done, verdict)
        return self._finished(
            path, found, done, others, verdict.reason if verdict.action == "warn" else ""
        )

    def _document(self, path: str, found: _Object) -> Outcome:
        """Return what becomes of an encapsulated document."""
        others = None
        if self.settings.policy.documents == "replace":
            others = replaced_document(found.header.sop_class_uid, found.encoding)
        if others is None:
            raise Withheld("document", "an encapsulated document, of which nothing can be told")
        return self._finished(path, found, self._rewritten(found, others), others, "")

    def _blanked(
        self, found: _Object, done: Rewritten, verdict: PixelDecision
    ) -> tuple[_Object, Rewritten, dict[int, bytes]]:
        """Return an object whose pixels are to be cleaned, rewritten with these."""
        if done.pixels is None:
            raise Withheld("burned-in", "its pixels are not where they could be cleaned")
        syntax = found.header.transfer_syntax_uid
        try:
            made = blanked(
                done.pieces[done.pixels],
                *(found.encoding, syntax, found.data, verdict, self._sandbox),
            )
        except InputError as error:
            raise Withheld("burned-in", f"cannot clean its pixels: {error}") from None
        done = self._rewritten(found, made.changes)
        self._put_pixels(done, made.element)
        header = found.header._replace(transfer_syntax_uid=made.syntax)
        return found._replace(header=header, pixels=made.element), done, made.changes

    def _put_pixels(self, done: Rewritten, pixels: bytes) -> None:
        if done.pixels is None:
            raise Withheld("burned-in", "its pixels are not where they could be cleaned")
        done.pieces[done.pixels] = memoryview(pixels)

    def _sealed(self, found: _Object, done: Rewritten, others: dict[int, bytes]) -> Rewritten:
        """Return an object rewritten with its original values sealed in it."""
        from pacs_cli.pipelines.deid.encrypt import ENCRYPTED_SEQUENCE, originals, seal

        values = originals(found.data, b"".join(done.pieces), found.encoding, others.keys())
        sealed = seal(values, self.settings.certificate, found.encoding)
        done = self._rewritten(found, {**others, ENCRYPTED_SEQUENCE: sealed})
        if found.pixels is not None:
            self._put_pixels(done, found.pixels)
        return done

    def _finished(
        self, path: str, found: _Object, done: Rewritten, others: dict[int, bytes], warning: str
    ) -> Outcome:
        """Release an object that is rewritten; `others` are what was added to it."""
        if self.settings.certificate:
            done = self._sealed(found, done, others)
        identity = self._identity(done, found)
        content = _content(identity, found.header.transfer_syntax_uid, done)
        place = self._place(identity, found.subject)
        outcome = Outcome(
            path,
            warning=warning,
            patient=found.subject.opaque,
            size=sum(map(len, content)),
            mapping=self._mapping(done, found.subject) if self.settings.wants_mapping else (),
            changes=_changes(found) if self.settings.wants_changes else (),
        )
        outcome = self._released(outcome, content, done, found, place)
        if self.settings.dry_run:
            self.made = Made(identity, found.header.transfer_syntax_uid, content)
        return outcome

    def _understood(self, whole: memoryview) -> _Object:
        """Return the object in a file; raises Withheld or InputError when there is none."""
        try:
            header = header_of(bytes(whole[:_HEAD]), len(whole) <= _HEAD, len(whole))
        except TruncatedDataset:
            if len(whole) <= _HEAD:
                raise
            header = header_of(bytes(whole), True, len(whole))
        sop_class = header.sop_class_uid
        iod = iod_of(sop_class)
        if iod is None and sop_class not in uid_table():
            raise Withheld("unknown-class", "its SOP class is not one of the standard's")
        encoding = encoding_of(header.transfer_syntax_uid)
        data: bytes | memoryview = whole[header.dataset_offset :]
        if encoding.deflated:
            data, encoding = inflate(data, DEFAULT_BOUNDS.inflate), EXPLICIT_LITTLE
        level = self._levels.get(sop_class)
        if level is None:
            level = self._levels[sop_class] = self.settings.policy.level(iod)
        return _Object(header, whole, data, encoding, level, self._subject(data, encoding))

    def _subject(self, data: bytes | memoryview, encoding: Encoding) -> Subject:
        """Return whose object it is: by PatientID, else by name and birth date, else nobody's."""
        found = pick(data, encoding, (_PATIENT_ID, _PATIENT_NAME))
        patient = _text(found.get(_PATIENT_ID, b""))
        if not patient:
            more = pick(data, encoding, (_PATIENT_NAME, _BIRTH_DATE))
            name, birth = (_text(more.get(tag, b"")) for tag in (_PATIENT_NAME, _BIRTH_DATE))
            patient = f"\n{name}\n{birth}" if name else ""
        subject = self._subjects.get(patient)
        if subject is None:
            keys = self.settings.keys
            if len(self._subjects) >= _MOST_SUBJECTS:
                self._subjects.clear()
            subject = Subject(keys, patient, keys.pseudonym(patient), keys.shift(patient))
            self._subjects[patient] = subject
        return subject

    def _rewritten(self, found: _Object, others: dict[int, bytes] | None = None) -> Rewritten:
        """Carry out the policy; `others` are elements that this object gets as well."""
        policy = self.settings.policy
        if self._additions is None:
            self._additions = additions(policy)
        added = additions(policy, others) if others else self._additions
        if not self._has_cleaner:
            self._cleaner, self._has_cleaner = content_cleaner(policy), True

        def once(subject: Subject) -> Rewritten:
            return rewrite(
                found.data,
                found.encoding,
                found.level,
                subject,
                added,
                _FACTS,
                self._cleaner,
            )

        # what became of a part of another object has what that one got
        subject = replace(found.subject, parts={}) if others else found.subject
        done = once(subject)
        has_texts = bool({"descriptors", "graphics"} & policy.clean) or any(
            rule.action == "clean" for rule in policy.rules
        )
        if has_texts:
            # only now is it known what must not stand in a text
            words = {
                needle.text
                for needle in self._watch(found.subject.patient).wanted(done)
                if needle.kind in (Class.IDENTITY, Class.UID)
            }
            done = once(replace(found.subject, words=words, memo={}, parts={}))
        return done

    def _watch(self, patient: str) -> Watch:
        """Return what is known of a patient; of many, those that came first are forgotten."""
        watch = self._watches.get(patient)
        if watch is None:
            if len(self._watches) >= _MOST_PATIENTS:
                del self._watches[next(iter(self._watches))]
            watch = self._watches[patient] = Watch()
        return watch

    def _released(
        self,
        outcome: Outcome,
        content: list[Piece],
        done: Rewritten,
        found: _Object,
        place: Path,
    ) -> Outcome:
        """Write an object, prove what was written, and only then give it its name."""
        settings = self.settings
        watch = self._watch(found.subject.patient)
        new: set[Needle] = set()
        lasting: tuple[Needle, ...] = ()
        if settings.verify:
            new, lasting = watch.learn(done)
            self._told = (outcome.patient, lasting)
        known = len(watch.lasting)
        if settings.dry_run:
            if settings.verify:
                self._prove(b"".join(content), content, done, found, new)
            return outcome._replace(output=str(place), lasting=lasting, known=known)
        target = Path(outcome.path).resolve() if settings.in_place else place
        output = Output(target.parent, self._made)
        try:
            output.write(content)
            if settings.verify:
                written = output.read(outcome.size)
                self._prove(written, content, done, found, new)
            check_whole(found.whole)
            if settings.in_place:
                output.replace(target)
            else:
                _put(output, target, content)
        finally:
            output.close()
        return outcome._replace(output=str(target), lasting=lasting, known=known)

    def _prove(
        self,
        written: bytes | memoryview,
        content: list[Piece],
        done: Rewritten,
        found: _Object,
        new: set[Needle],
    ) -> None:
        """Raise Withheld unless an output is what was meant, with nothing of what was removed.

        written  what is in the file

        Pixel data is searched and not compared: it went from file to file inside the system.
        """
        is_deflated = encoding_of(found.header.transfer_syntax_uid).deflated
        pixels = len(content) if done.pixels is None or is_deflated else done.pixels + 1
        before, after = b"".join(content[:pixels]), b"".join(content[pixels + 1 :])
        size = sum(map(len, content))
        if (
            written[: len(before)] != before
            or written[size - len(after) : size] != after
            or len(written) != size
        ):
            raise Withheld("differs", "what is in the file is not what was written")
        missing = self._missing(found, done)
        if missing:
            raise Withheld("types", f"{tag_text(missing)} must be there and would not")
        if len(set(done.uids.values())) != len(done.uids):
            raise Withheld("uids", "two UIDs would become one")
        offset = len(content[0])
        if is_deflated:
            inflated = inflate(written[offset:], DEFAULT_BOUNDS.inflate)
            written, offset = inflated, 0
        watch = self._watch(found.subject.patient)
        residual = watch.residual(done, written, offset, new, found.encoding, found.level)
        if residual is not None:
            raise Withheld("residual", f"a value that was removed still stands in {residual}")

    def _missing(self, found: _Object, done: Rewritten) -> int:
        """Return a tag of a mandatory module that was there and must be, and is not; 0 for none."""
        sop_class = found.header.sop_class_uid
        required = self._mandatory.get(sop_class)
        if required is None:
            required = self._mandatory[sop_class] = demanded(found.level.iod)
        valued, present = required
        gone = (done.dropped & present) | (done.emptied & valued)
        return min(gone) if gone else 0

    def _identity(self, done: Rewritten, found: _Object) -> dict[int, str]:
        """Return the UIDs of the top level as they are now, and others where there are none.

        None of them is told by the object as it was: rules may have changed any.
        """
        policy, keys = self.settings.policy, found.subject.keys
        new: dict[int, str] = {_SOP_CLASS: found.header.sop_class_uid}
        after: dict[int, bytes] | None = None
        if policy.rules or "uids" in policy.retain:
            after = pick(b"".join(done.pieces[: done.pixels]), found.encoding, _IDENTITY)
        for tag in _IDENTITY:
            old = done.facts.get(tag, b"").strip(b" \0")
            if after is not None:
                text = after.get(tag, b"").strip(b" \0")
            elif is_well_known(old):
                text = old
            else:
                text = done.uids.get(old, b"")
            decoded = text.decode("latin-1")
            if _UID.fullmatch(decoded) and len(decoded) <= _MOST_OF_UID:
                new[tag] = decoded
            elif tag in (_STUDY, _SERIES):
                new[tag] = keys.uid(b"none of the level\0" + old).decode()
            else:
                raise Withheld("uids", "it would have no valid SOP class or instance UID")
        return new

    def _place(self, identity: dict[int, str], subject: Subject) -> Path:
        """Return where an output belongs: by what it says of itself now."""
        settings = self.settings
        if settings.is_file and settings.out is not None:
            return settings.out
        study, series, instance = (identity[tag] for tag in (_STUDY, _SERIES, _SOP_INSTANCE))
        first = subject.pseudonym if settings.names == "pseudonym" else ""
        out = settings.out or Path()
        folder = self._folders.get((out, first, study, series))
        if folder is None:
            if len(self._folders) >= _MOST_PATIENTS:
                self._folders.clear()
            folder = out.joinpath(*filter(None, (_name(first), study, series)))
            self._folders[out, first, study, series] = folder
        return folder / f"{instance}.dcm"

    def _mapping(self, done: Rewritten, subject: Subject) -> tuple[tuple[str, ...], ...]:
        """Return kind, old, new and shift of what was replaced."""
        old = subject.patient.strip("\n")
        uids = [(b.decode("latin-1"), a.decode()) for b, a in done.uids.items()]
        return (
            ("patient", old, subject.pseudonym, str(subject.days)),
            *(("uid", before, after, "") for before, after in uids),
        )

    def _set_aside(self, outcome: Outcome) -> Outcome:
        """Copy what is withheld to where it can be looked at."""
        folder = self.settings.quarantine
        if folder is None or outcome.code == "dicomdir":
            return outcome
        reason = set_aside(outcome.path, folder)
        if reason:
            return outcome._replace(message=f"{outcome.message}; not copied to {folder}: {reason}")
        return outcome


def _read(path: str) -> memoryview:
    """Return what is in a file; of a large one the system's own pages, which are not copied.

    raises  OSError; InputError when it is no regular file
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InputError("not a regular file")
        if status.st_size >= _LARGE:
            return mapped(descriptor, status.st_size)
        content = os.read(descriptor, status.st_size + 1)
        if len(content) != status.st_size:
            raise InputError("it has changed while it was read")
        return memoryview(content)
    finally:
        os.close(descriptor)


def _text(value: bytes) -> str:
    return value.strip(b" \0").decode("latin-1")


def _name(text: str) -> str:
    """Return what may be the name of a folder."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in text).strip(".")


def _content(identity: dict[int, str], syntax: str, done: Rewritten) -> list[Piece]:
    """Return a whole file: an empty preamble and file meta of our own, then the data set."""
    meta = file_meta(identity[_SOP_CLASS], identity[_SOP_INSTANCE], syntax)
    if encoding_of(syntax).deflated:
        packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = packer.compress(b"".join(done.pieces)) + packer.flush()
        return [meta, packed + b"\0" * (len(packed) % 2)]
    return [meta, *done.pieces]


def _changes(found: _Object) -> tuple[tuple[str, str, str, str], ...]:
    from pacs_cli.pipelines.deid.explain import changes

    return tuple(changes(found.data, found.encoding, found.level))


def _put(output: Output, target: Path, content: list[Piece]) -> None:
    """Give an output its name; the same again is the same, another object there stays."""
    try:
        output.place(target)
    except Occupied:
        if target.is_file() and target.read_bytes() == b"".join(content):
            return
        raise Withheld(
            "exists", f"another object with its SOP Instance UID is there: {target}"
        ) from None
