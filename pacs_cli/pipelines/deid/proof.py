"""The proof of outputs that any tool has written, against their originals."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pacs_cli.dicom.dictionary import keyword_at
from pacs_cli.dicom.elements import (
    Element,
    Fragment,
    ItemStart,
    SequenceEnd,
    SequenceStart,
    inflate,
    walk,
)
from pacs_cli.dicom.encoding import (
    DEFAULT_BOUNDS,
    EXPLICIT_LITTLE,
    Encoding,
    encoding_of,
    tag_text,
)
from pacs_cli.dicom.iods import demanded, iod_of
from pacs_cli.dicom.part10 import Header, header_of
from pacs_cli.errors import InputError
from pacs_cli.pipelines.deid.bookkeeping import OURS, PATIENT_IDENTITY_REMOVED
from pacs_cli.pipelines.deid.changing import is_well_known
from pacs_cli.pipelines.deid.keys import Keys, new_key
from pacs_cli.pipelines.deid.policy import Kind, Mode, Policy
from pacs_cli.pipelines.deid.rewrite import rewrite
from pacs_cli.pipelines.deid.subject import Rewritten, Subject
from pacs_cli.pipelines.deid.verify import (
    Needle,
    is_excused,
    is_for_pixels,
    items_in,
    needles,
    removed_from,
    search,
    search_whole,
)
from pacs_cli.pipelines.files import Found, find_files

_PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_INSTANCE_NUMBER = 0x00200013

Place = tuple[int, ...]


class Finding(NamedTuple):
    """What is wrong with one output, nothing when it is proven."""

    original: str | None
    output: str
    problems: tuple[str, ...]

    def fields(self) -> dict[str, Any]:
        """Return it as a record."""
        return {
            "original": self.original,
            "output": self.output,
            "proven": not self.problems,
            "problems": list(self.problems),
        }


@dataclass
class _Object:
    """A file, its elements by place: of tags, with the number of the item after each sequence."""

    path: str
    content: bytes
    header: Header
    data: bytes | memoryview
    encoding: Encoding
    elements: dict[Place, tuple[str, bytes]]
    pixels: bytes = field(repr=False, default=b"")

    @property
    def likeness(self) -> tuple[str, bytes, bytes]:
        """What an output has in common with its original."""
        number = self.elements.get((_INSTANCE_NUMBER,), ("", b""))[1].strip(b" \0")
        digest = hashlib.sha256(self.pixels).digest() if self.pixels else b""
        return self.header.sop_class_uid, number, digest


def prove(original: Path, output: Path, policy: Policy) -> Iterator[Finding]:
    """Yield what is wrong with each output: with two files, or with those of two folders.

    In folders an output belongs to the original of its name, else to the one with the same SOP
    class, instance number and pixel data. Each is searched for what is gone from every original.

    raises  InputError when an original cannot be read
    """
    originals = [_load(path) for path in _files(original)]
    keys = Keys(new_key())
    removed = {each.path: _removed(each, policy, keys) for each in originals}
    wanted: set[Needle] = set()
    for done in removed.values():
        wanted |= needles(done)
    uids: dict[bytes, bytes] = {}
    taken: set[str] = set()
    for path in _files(output):
        try:
            written = _load(path)
        except InputError as error:
            yield Finding(None, path, (str(error),))
            continue
        mine = _original_of(written, originals, original, output, taken)
        problems = list(_alone(written, wanted))
        if mine is None:
            problems.append("no original is like it")
        else:
            problems += _against(written, mine, removed[mine.path], uids, policy)
        yield Finding(mine.path if mine else None, path, tuple(dict.fromkeys(problems)))


def _files(path: Path) -> list[str]:
    return [each.path for each in find_files([str(path)]) if isinstance(each, Found)]


def _load(path: str) -> _Object:
    try:
        content = Path(path).read_bytes()
        header = header_of(content, True, len(content))
        encoding = encoding_of(header.transfer_syntax_uid)
        data: bytes | memoryview = memoryview(content)[header.dataset_offset :]
        if encoding.deflated:
            data, encoding = inflate(data, DEFAULT_BOUNDS.inflate), EXPLICIT_LITTLE
        elements, pixels = _elements(data, encoding)
    except OSError as error:
        raise InputError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None
    except InputError as error:
        raise InputError(f"cannot read {path}: {error}") from None
    return _Object(path, content, header, data, encoding, elements, pixels)


def _elements(
    data: bytes | memoryview, encoding: Encoding
) -> tuple[dict[Place, tuple[str, bytes]], bytes]:
    found: dict[Place, tuple[str, bytes]] = {}
    pixels: list[bytes] = []
    place: list[int] = []
    for event in walk(data, encoding):
        if isinstance(event, SequenceStart):
            place += [event.tag, -1]
            found[tuple(place[:-1])] = ("SQ", b"")
        elif isinstance(event, SequenceEnd):
            del place[-2:]
        elif isinstance(event, ItemStart):
            place[-1] += 1
        elif isinstance(event, Fragment):
            pixels.append(bytes(event.value))
        elif isinstance(event, Element):
            if not place and event.tag in _PIXEL_DATA:
                pixels.append(bytes(event.value))
            elif (items := items_in(event)) is not None:
                # items of a sequence, by place as those of any other
                inner, _ = _elements(*items)
                found.update(((*place, event.tag, *at[1:]), each) for at, each in inner.items())
            else:
                found[*place, event.tag] = (event.vr, bytes(event.value))
    return found, b"".join(pixels)


def _removed(each: _Object, policy: Policy, keys: Keys) -> Rewritten:
    """Return what a policy takes from an object."""
    level = policy.level(iod_of(each.header.sop_class_uid))
    subject = Subject(keys, "", "", 1)
    return rewrite(each.data, each.encoding, level, subject)


def _original_of(
    written: _Object, originals: list[_Object], original: Path, output: Path, taken: set[str]
) -> _Object | None:
    if output.is_file() and len(originals) == 1:
        return originals[0]
    relative = Path(written.path).relative_to(output) if output.is_dir() else None
    by_likeness: dict[object, list[_Object]] = defaultdict(list)
    for each in originals:
        if relative is not None and original.is_dir() and Path(each.path) == original / relative:
            return each
        by_likeness[each.likeness].append(each)
    alike = by_likeness.get(written.likeness, [])
    # of several that are alike each has one output
    mine = next((each for each in alike if each.path not in taken), alike[0] if alike else None)
    if mine is not None:
        taken.add(mine.path)
    return mine


def _alone(written: _Object, wanted: set[Needle]) -> Iterator[str]:
    """Yield what is wrong with an output whatever it was made from."""
    if written.content[:128] != bytes(128):
        yield "its preamble is not empty"
    if written.elements.get((PATIENT_IDENTITY_REMOVED,), ("", b""))[1].strip() != b"YES":
        yield "PatientIdentityRemoved is not YES"
    instance = written.header.media_storage_sop_instance_uid
    if instance != written.header.sop_instance_uid:
        yield "its file meta names another SOP instance than its data set"
    meta = written.content[132 : written.header.dataset_offset].lower()
    names = [each for each in wanted if len(each.text) >= 4]
    for _ in search(meta, names):
        yield "a value that should be gone stands in the file meta"
    name = Path(written.path).name.encode("utf-8", "surrogateescape").lower()
    for _ in search(name, names):
        yield "a value that should be gone stands in its file name"
    yield from _residuals(written, names)


def _residuals(written: _Object, wanted: list[Needle]) -> Iterator[str]:
    everything = bytes(written.data).lower()
    if written.pixels:
        at = everything.find(written.pixels[:64].lower())
        everything = everything[:at] if at > 0 else everything
    present = [needle for needle in wanted if needle.text in everything]
    if present:
        for place, (vr, value) in written.elements.items():
            if place[-1] in OURS or place[0] in OURS:
                continue
            lowered = value.lower()
            for residual in search(lowered, present):
                if not is_excused(residual, place[-1], vr, lowered):
                    yield f"a value that should be gone stands in {_name(place)}"
    for _ in search_whole(written.pixels.lower(), filter(is_for_pixels, wanted)):
        yield "a value that should be gone stands in the pixel data"


def _against(
    written: _Object,
    mine: _Object,
    done: Rewritten,
    uids: dict[bytes, bytes],
    policy: Policy,
) -> Iterator[str]:
    """Yield what is wrong with an output, given what it was made from."""
    private = (each for run in done.all_private() for each in removed_from(*run))
    removed = [*done.all_removed(), *private]
    gone = {(each.tag, each.value.strip(b" \0")) for each in removed}
    iod = iod_of(mine.header.sop_class_uid)
    for place, (vr, value) in written.elements.items():
        text = value.strip(b" \0")
        if len(text) < 4 or (place[-1], text) not in gone or place[0] in OURS:
            continue
        # what goes from one sequence with all of it may stay by itself
        tags = (*place[:-1:2], place[-1])
        if policy.decide(iod, tags, vr, "", Mode.NORMAL).kind is not Kind.KEEP:
            yield f"{_name(place)} has a value that should be gone"
    valued, present = demanded(iod)
    for tag in sorted(present):
        before, after = mine.elements.get((tag,)), written.elements.get((tag,))
        if before is not None and after is None:
            yield f"{_name((tag,))} is of a mandatory module, and gone"
        is_empty = after is not None and after[0] != "SQ" and not after[1]
        if is_empty and tag in valued and before is not None and before[1]:
            yield f"{_name((tag,))} must have a value, and has none"
    if written.header.transfer_syntax_uid != mine.header.transfer_syntax_uid:
        yield "its transfer syntax is another one"
    if written.pixels != mine.pixels and "pixels" not in policy.clean:
        yield "its pixel data is other"
    yield from _uids(written, mine, uids)


def _uids(written: _Object, mine: _Object, uids: dict[bytes, bytes]) -> Iterator[str]:
    """Yield where a UID has become two, or two have become one."""
    back = {new: old for old, new in uids.items()}
    for place, (vr, value) in written.elements.items():
        if vr != "UI" or place not in mine.elements or place[0] in OURS:
            continue
        olds = mine.elements[place][1].strip(b" \0").split(b"\\")
        news = value.strip(b" \0").split(b"\\")
        for old, new in zip(olds, news, strict=False):
            if not old or not new or (old == new and is_well_known(old, place[-1])):
                continue
            if uids.setdefault(old, new) != new:
                yield f"the UID in {_name(place)} is another one elsewhere"
            if back.setdefault(new, old) != old:
                yield f"the UID in {_name(place)} stands for another one, too"


def _name(place: Place) -> str:
    """Return a place in words; numbers of items are left out."""
    tags = (*place[:-1:2], place[-1])
    return ".".join(keyword_at(tag) or tag_text(tag) for tag in tags)
