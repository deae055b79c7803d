"""The presentation contexts of a C-GET: what the objects may come in.

source  PS3.4 C.5.3 and PS3.7 D.3.3.4
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pacs_cli.dicom.registry import sop_class_uids, storage_sop_classes, transfer_syntaxes
from pacs_cli.wire.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    Proposal,
)
from pacs_cli.wire.pdu import MAX_CONTEXTS
from pacs_cli.wire.userinfo import RoleSelection

#: One is for the C-GET itself.
_ROOM = MAX_CONTEXTS - 1

_UNCOMPRESSED = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)

#: What archives hold most, in the order of the field: a context of its own for each of these, as a
#: provider that cannot transcode needs one in the very syntax in which it has the object.
COMMON_SYNTAXES = (
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
)

#: Contexts of a SOP class that leave nothing out: one for each of those, one for all others.
EVERY_CONTEXT = len(_UNCOMPRESSED) + len(COMMON_SYNTAXES) + 1

#: Transfer syntaxes of one context. DCMTK 3.6.7 and what is built on it, as Orthanc, have room for
#: 50, and crash or hang on more; and with so many a whole request stays under 64 KiB.
_MAX_SYNTAXES = 24

#: Of the SOP classes, when all are proposed: those of these modalities come first.
_MODALITIES = (
    *("CT", "MR", "CR", "DX", "MG", "US", "XA", "RF", "NM", "PT", "SC", "SR", "PR", "KO", "SEG"),
    *("RTIMAGE", "RTDOSE", "RTSTRUCT", "RTPLAN", "RTRECORD", "ECG", "OP", "ES", "GM", "XC", "PDF"),
)


def proposals_for(sop_classes: Sequence[str]) -> list[Proposal]:
    """Return contexts for at most 127 SOP classes, several for each as long as there is room."""
    each = _ROOM // len(sop_classes)
    groups = _syntax_groups(each)
    return [Proposal(uid, group) for uid in sop_classes for group in groups]


def roles_for(sop_classes: Sequence[str]) -> tuple[RoleSelection, ...]:
    """Return the proposal to be the SCP of each SOP class."""
    return tuple(RoleSelection(uid, scu_role=False, scp_role=True) for uid in sop_classes)


def in_associations(sop_classes: Sequence[str], contexts: int = 1) -> Iterator[tuple[str, ...]]:
    """Yield the SOP classes by association, when each has so many contexts."""
    size = _ROOM // contexts
    for start in range(0, len(sop_classes), size):
        yield tuple(sop_classes[start : start + size])


def all_sop_classes() -> tuple[str, ...]:
    """Return every storage SOP class of the standard, the usual ones first."""
    first = [uid for modality in _MODALITIES for uid in sop_class_uids(modality)]
    return tuple(dict.fromkeys((*first, *sorted(storage_sop_classes()))))


def _syntax_groups(count: int) -> list[tuple[str, ...]]:
    """Return the transfer syntaxes in so many groups at most; a provider takes one of each."""
    if count == 1:
        return [(*_UNCOMPRESSED, *COMMON_SYNTAXES)]
    # apart, or what is stored in one of them may be converted to the other
    first = [(uid,) for uid in _UNCOMPRESSED] if count > len(_UNCOMPRESSED) else [_UNCOMPRESSED]
    groups: list[tuple[str, ...]] = [*first, *((uid,) for uid in COMMON_SYNTAXES)][: count - 1]
    known = {uid for group in groups for uid in group}
    others = [
        uid for uid in dict.fromkeys((*COMMON_SYNTAXES, *transfer_syntaxes())) if uid not in known
    ]
    rest = range(0, len(others), _MAX_SYNTAXES)
    groups += [tuple(others[start : start + _MAX_SYNTAXES]) for start in rest]
    return groups[:count]
