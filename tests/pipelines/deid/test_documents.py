"""Encapsulated documents: withheld, or others of their kind in their place."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree

import pytest
from pydicom import dcmread

from pacs_cli.pipelines.deid.documents import replacement
from pacs_cli.pipelines.deid.policy import make_policy
from tests.pipelines.deid.objects import released, worker
from tests.pipelines.deid.pictures import save
from tests.pipelines.deid.test_structured import report
from tests.pixels.images import UID, convert, encoded
from tests.writing import element

BASE = "1.2.840.10008.5.1.4.1.1.104."


def document(kind: str):
    dataset = report()
    del dataset.ConceptNameCodeSequence, dataset.ValueType, dataset.ContinuityOfContent
    dataset.SOPClassUID = BASE + kind
    dataset.Modality, dataset.BurnedInAnnotation = "DOC", "YES"
    if kind == "2":
        dataset.HL7InstanceIdentifier = "1.2.826.0.1.9^Letter-77"
    dataset.DocumentTitle = "Letter about Marmalade"
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocument = b"%PDF of Marmalade, confidential"
    dataset.EncapsulatedDocument += bytes(len(dataset.EncapsulatedDocument) % 2)
    dataset.EncapsulatedDocumentLength = 31
    return dataset


@pytest.mark.parametrize("kind", "12345")
@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big", "deflated"])
def test_document_is_replaced_by_one_of_its_kind(tmp_path, kind, syntax):
    data = encoded(document(kind))
    data = data if syntax == "explicit" else convert(data, "explicit", syntax)
    path = save(tmp_path / "in.dcm", data, syntax)
    out = released(worker(tmp_path / "out", make_policy(documents="replace")).one(str(path)))
    read = dcmread(out)
    assert read.file_meta.TransferSyntaxUID == UID[syntax]
    length = read.EncapsulatedDocumentLength
    assert read.EncapsulatedDocument[:length] == replacement(BASE + kind)
    assert not read.EncapsulatedDocument[length:].strip(b"\0")
    assert read.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert read.BurnedInAnnotation == "NO"
    assert "Marmalade" not in str(read)
    assert "Letter" not in str(read)


def test_document_is_withheld_unless_it_is_to_be_replaced(tmp_path):
    path = save(tmp_path / "in.dcm", encoded(document("1")))
    assert worker(tmp_path / "out").one(str(path)).code == "document"


def test_document_of_a_kind_that_is_not_known_is_withheld(tmp_path):
    path = save(tmp_path / "in.dcm", encoded(document("9")))
    outcome = worker(tmp_path / "out", make_policy(documents="replace")).one(str(path))
    assert outcome.output is None


def test_pdf_has_a_table_of_where_its_objects_are():
    pdf = replacement(BASE + "1")
    at = int(pdf.split(b"startxref\n")[1].split()[0])
    lines = pdf[at:].split(b"\n")
    assert lines[0] == b"xref"
    offsets = [int(line.split()[0]) for line in lines[3:6]]
    for number, offset in enumerate(offsets, 1):
        assert pdf[offset:].startswith(b"%d 0 obj" % number)


def test_cda_is_a_clinical_document():
    root = xml.etree.ElementTree.fromstring(replacement(BASE + "2"))
    assert root.tag == "{urn:hl7-org:v3}ClinicalDocument"


def test_stl_is_as_long_as_it_says():
    stl = replacement(BASE + "3")
    assert len(stl) == 84 + 50 * int.from_bytes(stl[80:84], "little")


@pytest.mark.interop
def test_dciodvfy_finds_no_error_in_a_replaced_pdf_that_was_not_there(tmp_path):
    path = save(tmp_path / "in.dcm", encoded(document("1")))
    out = released(worker(tmp_path / "out", make_policy(documents="replace")).one(str(path)))

    def errors(name):
        said = subprocess.run(["dciodvfy", name], capture_output=True, text=True).stderr
        return {line for line in said.splitlines() if line.startswith("Error")}

    assert errors(out) <= errors(path)


def test_what_one_object_gets_is_not_given_to_the_next(tmp_path):
    path = save(tmp_path / "in.dcm", encoded(document("1")))
    working = worker(tmp_path / "out")
    found = working._understood(memoryview(path.read_bytes()))
    for value in (b"first!", b"second"):
        added = element(0x00280301, "CS", value)
        pieces = working._rewritten(found, {0x00280301: added}).pieces
        assert value in b"".join(pieces)
