"""Encapsulated documents: what they are, and documents of the same kind that say nothing."""

from __future__ import annotations

from pacs_cli.dicom.encoding import Encoding
from pacs_cli.pipelines.deid.changing import element

_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."
_TITLE, _DOCUMENT, _LENGTH = 0x00420010, 0x00420011, 0x00420015
_BURNED_IN_ANNOTATION, _HL7_INSTANCE = 0x00280301, 0x0040E001

_CDA = b"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<id nullFlavor="MSK"/>
<code nullFlavor="MSK"/>
<title>Removed</title>
<effectiveTime nullFlavor="MSK"/>
<confidentialityCode nullFlavor="MSK"/>
<recordTarget><patientRole><id nullFlavor="MSK"/></patientRole></recordTarget>
<author><time nullFlavor="MSK"/><assignedAuthor><id nullFlavor="MSK"/></assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization><id nullFlavor="MSK"/>\
</representedCustodianOrganization></assignedCustodian></custodian>
<component><nonXMLBody nullFlavor="MSK"><text mediaType="text/plain">Removed</text></nonXMLBody>\
</component>
</ClinicalDocument>
"""

#: One triangle of no size but in space, so that readers that want a facet have one.
_OBJ = b"o removed\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
_MTL = b"newmtl removed\nKd 0.5 0.5 0.5\n"


def is_document(sop_class_uid: str) -> bool:
    """Whether an object is a document in a wrapping, of which nothing can be told."""
    return sop_class_uid.startswith(_DOCUMENTS)


def replacement(sop_class_uid: str) -> bytes | None:
    """Return a valid document of the kind of a SOP class with nothing in it, None for no such kind.

    source  PS3.3 A.45 and A.85; ISO 32000-1, HL7 CDA Release 2, binary STL, Wavefront OBJ and MTL
    """
    if not is_document(sop_class_uid):
        return None
    made = {"1": _pdf(), "2": _CDA, "3": _stl(), "4": _OBJ, "5": _MTL}
    return made.get(sop_class_uid.removeprefix(_DOCUMENTS))


def replacing(document: bytes, encoding: Encoding, is_cda: bool) -> dict[int, bytes]:
    """Return the elements that put a document in the place of another (PS3.3 C.24.2).

    The title goes with what it was the title of; it is of type 2.
    """
    order = "little" if encoding.little else "big"
    length = len(document).to_bytes(4, order)  # type: ignore[arg-type]
    padded = document + bytes(len(document) % 2)
    # of type 1C for a CDA: the identifier of the one that was there, which nobody could find
    told = {_HL7_INSTANCE: element(encoding, _HL7_INSTANCE, "ST", b"2.25.0")} if is_cda else {}
    return {
        **told,
        _TITLE: element(encoding, _TITLE, "ST", b""),
        _BURNED_IN_ANNOTATION: element(encoding, _BURNED_IN_ANNOTATION, "CS", b"NO"),
        _DOCUMENT: element(encoding, _DOCUMENT, "OB", padded),
        _LENGTH: element(encoding, _LENGTH, "UL", length),
    }


def _pdf() -> bytes:
    """Return a PDF of one empty page, with a table of where its objects are."""
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << >> >>",
    )
    made = b"%PDF-1.4\n"
    offsets = []
    for number, each in enumerate(objects, 1):
        offsets.append(len(made))
        made += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    return made + (
        b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d /Root 1 0 R >>\n"
        b"startxref\n%d\n%%%%EOF\n" % (count, table, count, len(made))
    )


def _stl() -> bytes:
    """Return a binary STL of one facet."""
    import struct

    facet = struct.pack("<12fH", 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0)
    return b"removed".ljust(80, b" ") + (1).to_bytes(4, "little") + facet
