"""Validates one file: every rule that looks at a file alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from typing import NamedTuple

from pacs_cli.dicom.encoding import encoding_of
from pacs_cli.dicom.mapping import CutOff, check_whole, mapped
from pacs_cli.errors import InputError, MalformedDataset
from pacs_cli.pipelines.validation import directories
from pacs_cli.pipelines.validation.elements import Pass
from pacs_cli.pipelines.validation.findings import Finding, Findings, Place
from pacs_cli.pipelines.validation.frames import FunctionalGroups
from pacs_cli.pipelines.validation.image import check_image, check_plane
from pacs_cli.pipelines.validation.levels import Level
from pacs_cli.pipelines.validation.meta import Meta, check_match, is_dicom, read_meta
from pacs_cli.pipelines.validation.modules import Modules
from pacs_cli.pipelines.validation.pixels import Pixels
from pacs_cli.pipelines.validation.plans import Plan, plan_of
from pacs_cli.pipelines.validation.rules import RULES
from pacs_cli.pipelines.validation.studies import Identity, References, identity_of

_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
#: Smaller files are read, larger ones mapped: pixel data is hardly looked at.
_MAP_FROM = 64 * 1024


class Checked(NamedTuple):
    """What was found in one file.

    is_dicom  False for what cannot be validated at all: unreadable, or no DICOM
    identity  for the rules of many files; None when the data set is not whole
    """

    path: str
    findings: list[Finding]
    is_dicom: bool
    identity: Identity | None


class FileCheck:
    """Validates files; can be sent to another process.

    active  the ids of the rules that are looked at
    """

    def __init__(self, active: Collection[str] = frozenset(RULES)) -> None:
        self._active = frozenset(active)

    def __call__(self, paths: Sequence[str]) -> list[Checked]:
        """Validate some files, in their order."""
        return [self.check(path) for path in paths]

    def check(self, path: str) -> Checked:
        """Validate one file; whatever is in it, nothing is raised."""
        findings = Findings(self._active)
        try:
            data = _contents(path)
        except (InputError, OSError, ValueError) as error:
            reason = str(getattr(error, "strerror", None) or error).lower()
            findings.add("part10-unreadable", Place(), reason)
            return Checked(path, findings.all(), False, None)
        checked = self._checked(path, data, findings)
        try:
            check_whole(data)
        except CutOff as error:
            # what was found behind its end is not of this file
            findings = Findings(self._active)
            findings.add("part10-unreadable", Place(), str(error))
            return Checked(path, findings.all(), False, None)
        return checked

    def _checked(self, path: str, data: memoryview, findings: Findings) -> Checked:
        if not is_dicom(bytes(data[:132])):
            findings.add("part10-not-dicom", Place(), "no prefix DICM and no first element")
            return Checked(path, findings.all(), False, None)
        identity = check_data(data, findings, path)
        return Checked(path, findings.all(), True, identity)


def check_data(data: memoryview, findings: Findings, path: str = "") -> Identity | None:
    """Validate the bytes of a file, and return what it is if its data set is whole."""
    try:
        meta = read_meta(data, findings)
    except MalformedDataset as error:
        findings.add("data-truncated", Place(), str(error))
        return None
    if meta.sop_class_uid == directories.SOP_CLASS:
        # its records are no modules of an image; the elements are as everywhere
        _Check(findings, meta, None).run(data)
        return None
    return _Check(findings, meta, path).run(data)


class _Check:
    """One file's passes and checks; `path` is None for what has no identity."""

    def __init__(self, findings: Findings, meta: Meta, path: str | None) -> None:
        self._findings = findings
        self._meta = meta
        self._path = path
        self._modules: Modules | None = None
        self._directory = directories.Directory(findings) if path is None else None
        self._groups = FunctionalGroups(findings)
        self._references = References()
        self._pass = Pass(findings, self._level)

    def run(self, data: memoryview) -> Identity | None:
        encoding = encoding_of(self._meta.transfer_syntax_uid)
        content = self._pass.run(data[self._meta.offset :], encoding)
        top = content.top
        uids = top.text(_SOP_CLASS), top.text(_SOP_INSTANCE)
        check_match(self._meta, *uids, self._findings)
        if not content.is_whole:
            return None
        check_image(top, self._findings)
        Pixels(self._findings, self._meta.transfer_syntax_uid).check(content)
        return None if self._path is None else identity_of(self._path, top, self._references)

    def _level(self, level: Level) -> None:
        """Take in an item when it ends, and the whole data set."""
        if self._modules is None:
            self._modules = Modules(self._findings, self._plan())
        self._modules.check(level)
        if self._directory is not None:
            self._directory.check(level)
        check_plane(level, self._findings)
        if level.path:
            self._groups.note(level)
            self._references.note(level)
            return
        self._groups.check(level)
        if not level.has_value(_SOP_CLASS) and self._path is not None:
            message = "empty" if _SOP_CLASS in level else "missing"
            self._findings.add("iod-no-sop-class", Place((_SOP_CLASS,)), message)

    def _plan(self) -> Plan | None:
        """Return the plan of the SOP class, which stands before the first sequence that matters."""
        uid = self._pass.top.text(_SOP_CLASS) or self._meta.sop_class_uid
        if self._path is None or not uid:
            return None
        plan = plan_of(uid)
        if plan is None:
            message = "no IOD for this SOP class"
            self._findings.add("iod-unknown-sop-class", Place((_SOP_CLASS,)), message)
        return plan


def _contents(path: str) -> memoryview:
    """Return the bytes of a file, mapped when it is large.

    raises  InputError when it is empty or no regular file, OSError, ValueError
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InputError("not a regular file")
        if not status.st_size:
            raise InputError("the file is empty")
        if status.st_size < _MAP_FROM:
            return memoryview(os.read(descriptor, status.st_size))
        return mapped(descriptor, status.st_size, is_read_whole=False)
    finally:
        os.close(descriptor)
