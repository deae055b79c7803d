"""Identifiers of queries and their answers: between bytes and pydicom's data sets.

Ours are labelled with a character set that holds them; a peer's are taken for hostile, within
bounds, and every value of theirs that cannot be understood stays as its bytes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pacs_cli.dicom.dataset import CODECS, Dataset, Element, read_plain, write_plain
from pacs_cli.dicom.elements import walk
from pacs_cli.dicom.encoding import Bounds, encoding_of
from pacs_cli.dicom.keys import CHARACTER_SET_VRS, keyword_of, set_value, vr_of
from pacs_cli.errors import MalformedDataset, UsageError

if TYPE_CHECKING:
    import pydicom.dataset
    from pydicom.dataelem import DataElement

    from pacs_cli.dicom.dataset import AnyDataset

CHARACTER_SET = 0x00080005

UTF_8 = "ISO_IR 192"

#: The character sets that are ASCII and nothing else (PS3.3 C.12.1.1.2); none at all is the first.
_ASCII_SETS = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6"})
#: No code extensions with these (PS3.5 6.1.2.5.4).
_ALONE = frozenset({UTF_8, "GB18030", "GBK"})
#: What people call them.
_ALIASES = {
    "ascii": "ISO_IR 6",
    "gb18030": "GB18030",
    "latin-1": "ISO_IR 100",
    "latin1": "ISO_IR 100",
    "utf-8": UTF_8,
    "utf8": UTF_8,
}
#: A backslash in these is a character (PS3.5 6.4).
_SINGLE = frozenset({"LT", "ST", "UT"})

#: Worklist items nest four deep; an identifier of 1 MiB has no room for more elements than this.
_BOUNDS = Bounds(depth=64, elements=200_000)


def parse_character_set(text: str) -> str:
    """Return the value of SpecificCharacterSet that a name means.

    text    defined terms with backslashes between them, as `ISO_IR 100` or `\\ISO 2022 IR 87`, in
            any case, or a common name such as utf-8
    raises  UsageError naming the nearest
    source  PS3.3 C.12.1.1.2
    """
    from difflib import get_close_matches

    from pydicom.charset import python_encoding

    known = {term.lower(): term for term in python_encoding if term} | _ALIASES
    terms = []
    for position, word in enumerate(text.split("\\")):
        term = known.get(word.strip().lower())
        if word.strip() and term is None:
            near = get_close_matches(word.strip().lower(), known, n=1)
            hint = f"; did you mean {known[near[0]]}?" if near else ""
            raise UsageError(f"--charset {text}: {word.strip()} is no character set{hint}")
        if term is None and (position or "\\" not in text):
            raise UsageError(f"--charset {text!r}: write a character set, as ISO_IR 192")
        terms.append(term or "")
    if len(terms) > 1 and _ALONE & set(terms):
        raise UsageError(f"--charset {text}: {terms[0] or terms[1]} stands alone")
    return "\\".join(terms)


def label(dataset: AnyDataset, character_set: str = "") -> None:
    """Set SpecificCharacterSet to what the data set is to be written in.

    character_set  by default none for ASCII, which every peer understands, else UTF-8
    raises  UsageError when the character set does not hold a value
    """
    foreign = [element for element in _texts(dataset) if not _text_of(element).isascii()]
    character_set = character_set or (UTF_8 if foreign else "")
    for element in foreign:
        if not _is_said(_text_of(element), element.VR, character_set.split("\\")):
            raise UsageError(
                f"{keyword_of(element.tag)} cannot be written in {character_set}; "
                f"--charset {UTF_8} holds everything"
            )
    if character_set:
        set_value(dataset, CHARACTER_SET, "CS", character_set)
    elif CHARACTER_SET in dataset:
        del dataset[CHARACTER_SET]


def encode_identifier(dataset: AnyDataset, transfer_syntax_uid: str) -> bytes:
    """Return a data set's bytes in an uncompressed transfer syntax, in its own character set."""
    encoding = encoding_of(transfer_syntax_uid)
    if isinstance(dataset, Dataset):
        name = dataset[CHARACTER_SET].value if CHARACTER_SET in dataset else ""
        codec = CODECS.get(name) if isinstance(name, str) else None
        if codec and encoding.little:
            return write_plain(dataset, encoding, codec)
        dataset = _of_pydicom(dataset)
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = not encoding.explicit, encoding.little
    with quietly():
        write_dataset(file, dataset)
    return bytes(file.getvalue())


def read_answer(data: bytes, transfer_syntax_uid: str) -> AnyDataset:
    """Return what `decode_identifier` does, and sooner as long as that takes no pydicom.

    raises  MalformedDataset as that does
    """
    encoding = encoding_of(transfer_syntax_uid)
    plain = read_plain(data, encoding, _BOUNDS) if encoding.little else None
    return decode_identifier(data, transfer_syntax_uid) if plain is None else plain


def decode_identifier(data: bytes, transfer_syntax_uid: str) -> pydicom.dataset.Dataset:
    """Return what a peer's identifier says, its text as Unicode.

    A value that is none of its VR is an element of VR OB with the bytes of it.

    raises  MalformedDataset when it ends early, is no data set or has too much in it
    """
    from io import BytesIO

    from pydicom.filereader import read_dataset

    encoding = encoding_of(transfer_syntax_uid)
    for _ in walk(data, encoding, _BOUNDS):
        # pydicom would guess on where it ends early, and has no bounds
        pass
    with quietly():
        try:
            dataset = read_dataset(BytesIO(data), not encoding.explicit, encoding.little)
        except Exception as error:  # noqa: BLE001 pydicom raises whatever hostile bytes lead to
            raise MalformedDataset(f"not a data set: {type(error).__name__}") from None
        convert(dataset)
    return dataset


def convert(dataset: pydicom.dataset.Dataset) -> None:
    """Have every value of a data set read now, so that nothing fails or warns later."""
    with quietly():
        for tag in list(dataset.keys()):
            try:
                if _is_cut_tag(dataset, tag):
                    _keep_bytes(dataset, tag)
                element = dataset[tag]
                if " or " in element.VR:
                    _keep_bytes(dataset, tag)
                elif element.VR == "SQ":
                    for item in element.value:
                        convert(item)
                elif element.VR == "PN":
                    # a name keeps its bytes until it is asked for
                    str(element.value)
            except Exception:  # noqa: BLE001 pydicom raises whatever a hostile value leads to
                _keep_bytes(dataset, tag)


@contextmanager
def quietly() -> Iterator[None]:
    """Let pydicom take values as they are, without a word about them: they may be a patient's."""
    from pydicom import config

    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def unknown_character_sets(dataset: AnyDataset) -> list[str]:
    """Return what a data set's SpecificCharacterSet names that the standard does not."""
    value = dataset[CHARACTER_SET].value if CHARACTER_SET in dataset else ""
    terms = [value or ""] if isinstance(value, str) or not value else list(value)
    if set(terms) <= CODECS.keys():
        return []
    from pydicom.charset import python_encoding

    return [str(term) for term in terms if str(term) not in python_encoding]


def _is_cut_tag(dataset: pydicom.dataset.Dataset, tag: int) -> bool:
    """Whether a value of VR AT is no whole tags: pydicom makes a list in a list of it."""
    raw = dataset.get_item(tag)
    value = getattr(raw, "value", None)
    is_cut = isinstance(value, bytes) and len(value) % 4 != 0
    return is_cut and (getattr(raw, "VR", None) or vr_of(tag, "")) == "AT"


def _keep_bytes(dataset: pydicom.dataset.Dataset, tag: int) -> None:
    """Replace what could not be converted, or has a choice of VRs between which pixels decide."""
    from pydicom.dataelem import DataElement

    try:
        value = getattr(dataset.get_item(tag), "value", b"")
    except Exception:  # noqa: BLE001 pydicom takes what is empty for deferred, and converts it
        value = b""
    data = value if isinstance(value, bytes) else b""
    if vr_of(tag, "") == "US" and data and len(data) % 2 == 0:
        numbers = [int.from_bytes(data[at : at + 2], "little") for at in range(0, len(data), 2)]
        dataset[tag] = DataElement(tag, "US", numbers if len(numbers) > 1 else numbers[0])
    else:
        # not UN, which pydicom would take for the VR of its dictionary
        dataset[tag] = DataElement(tag, "OB", data)


def _texts(dataset: AnyDataset) -> Iterator[DataElement | Element]:
    """Yield every element whose value is written in the character set, in items too."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _texts(item)
        elif element.VR in CHARACTER_SET_VRS:
            yield element


def _text_of(element: DataElement | Element) -> str:
    value = element.value
    return "\\".join(map(str, value)) if element.VM > 1 else str(value or "")


def _is_said(text: str, vr: str, terms: list[str]) -> bool:
    """Whether each part of a value comes back as it is from the bytes written for it.

    pydicom writes question marks for what a character set does not have, and takes Latin 1 for
    ASCII.

    source  PS3.5 6.1.2.5.3: code extensions end at delimiters
    """
    if terms == [UTF_8]:
        return True
    from pydicom.charset import convert_encodings, decode_bytes, encode_string

    parts = [text] if vr in _SINGLE else re.split(r"[\\^=]" if vr == "PN" else r"\\", text)
    if set(terms) <= _ASCII_SETS:
        return False
    if terms[0] in _ASCII_SETS and re.search("[\x80-\xff]", text):
        return False
    with quietly():
        encodings = convert_encodings(terms)
        return all(decode_bytes(encode_string(p, encodings), encodings, set()) == p for p in parts)


def _of_pydicom(dataset: Dataset) -> pydicom.dataset.Dataset:
    """Return the same as a data set of pydicom, which knows every character set."""
    import pydicom.dataset

    same = pydicom.dataset.Dataset()
    for tag, vr, value in dataset:
        set_value(same, tag, vr, [_of_pydicom(item) for item in value] if vr == "SQ" else value)
    return same
