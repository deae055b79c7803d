"""`pacs anonymize --encrypt-to` and `pacs reidentify`: what was sealed comes back."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from pydicom import dcmread

from pacs_cli.dicom.elements import walk
from pacs_cli.dicom.encoding import EXPLICIT_LITTLE
from pacs_cli.dicom.part10 import probe
from pacs_cli.errors import InputError
from pacs_cli.pipelines.deid.encrypt import open_, read_private_key, sealed_in
from tests.pipelines.deid.objects import NAME, PATIENT_ID, dataset, write
from tests.pipelines.deid.pictures import save, ultrasound
from tests.pixels.images import UID, convert, encoded, image, noise
from tests.writing import element


def openssl(*arguments):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def trust(tmp_path_factory):
    """Certificates and keys: ours, another's, one of an elliptic curve and one with a password."""
    folder = tmp_path_factory.mktemp("trust")
    for name in ("own", "other"):
        openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=made-up"),
            *("-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"),
        )
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-subj", "/CN=made-up", "-keyout", folder / "ec.key", "-out", folder / "ec.pem"),
    )
    openssl(
        *("rsa", "-aes256", "-passout", "pass:secret", "-in", folder / "own.key"),
        *("-out", folder / "locked.key"),
    )
    return folder


@pytest.fixture
def scan(tmp_path):
    private = element(0x00091001, "LO", "a private value")
    data = dataset(element(0x00090010, "LO", "MAKER"), private)
    return write(tmp_path / "in" / "a.dcm", data)


def content(path):
    return path.read_bytes()[probe(path).dataset_offset :]


def sealed(pacs, scan, tmp_path, trust, *options):
    result = pacs("anonymize", scan, tmp_path / "out", "--encrypt-to", trust / "own.pem", *options)
    assert result.exit == 0, result
    return next((tmp_path / "out").rglob("*.dcm"))


def test_what_was_sealed_comes_back_byte_by_byte(pacs, scan, tmp_path, trust):
    out = sealed(pacs, scan, tmp_path, trust)
    assert PATIENT_ID.encode() not in out.read_bytes()
    assert NAME.encode() not in out.read_bytes()
    back = tmp_path / "back.dcm"
    result = pacs("reidentify", "--private-key", trust / "own.key", out, back)
    assert result.exit == 0, result
    assert content(back) == content(scan)
    assert probe(back).media_storage_sop_instance_uid == probe(scan).sop_instance_uid


@pytest.mark.parametrize("syntax", ["implicit", "big", "deflated", "rle"])
def test_comes_back_in_every_encoding(pacs, tmp_path, trust, syntax):
    made = ultrasound(image(noise((1, 8, 8), 12), 12), (0, 0, 7, 7))
    data = convert(encoded(made), "explicit", syntax)
    scan = save(tmp_path / "in" / "a.dcm", data, syntax)
    out = sealed(pacs, scan, tmp_path, trust)
    back = tmp_path / "back"
    assert pacs("reidentify", "--private-key", trust / "own.key", out, back).exit == 0
    before, after = dcmread(scan), dcmread(next(back.rglob("*.dcm")))
    assert before == after
    assert after.file_meta.TransferSyntaxUID == UID[syntax]


def test_pixels_that_were_cleaned_stay_so(pacs, tmp_path, trust):
    made = ultrasound(image(noise((1, 8, 8, 3), 8), 8, "RGB"), (2, 2, 5, 5))
    scan = save(tmp_path / "a.dcm", convert(encoded(made), "explicit", "jpeg"), "jpeg")
    out = sealed(pacs, scan, tmp_path, trust, "--clean", "pixels")
    back = tmp_path / "back.dcm"
    assert pacs("reidentify", "--private-key", trust / "own.key", out, back).exit == 0
    cleaned, restored = dcmread(out), dcmread(back)
    assert restored.PixelData == cleaned.PixelData
    assert restored.PhotometricInterpretation == cleaned.PhotometricInterpretation
    assert restored.BurnedInAnnotation == "NO"
    assert restored.PatientID == "TEST-1"


def test_item_is_as_the_standard_says(pacs, scan, tmp_path, trust):
    out = sealed(pacs, scan, tmp_path, trust)
    (item,) = dcmread(out).EncryptedAttributesSequence
    assert item.EncryptedContentTransferSyntaxUID == UID["explicit"]
    (tmp_path / "sealed.der").write_bytes(item.EncryptedContent)
    said = openssl(
        "cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", tmp_path / "sealed.der"
    )
    assert b"aes-256-cbc" in said.stdout
    assert b"pkcs7-envelopedData" in said.stdout


def test_openssl_opens_it(pacs, scan, tmp_path, trust):
    out = sealed(pacs, scan, tmp_path, trust)
    (tmp_path / "sealed.der").write_bytes(
        dcmread(out).EncryptedAttributesSequence[0].EncryptedContent
    )
    opened = openssl(
        *("cms", "-decrypt", "-inform", "DER", "-in", tmp_path / "sealed.der"),
        *("-inkey", trust / "own.key", "-recip", trust / "own.pem"),
    ).stdout
    values = {
        event.tag: bytes(event.value)
        for event in walk(opened, EXPLICIT_LITTLE)
        if hasattr(event, "value")
    }
    assert values[0x00100010].strip() == NAME.encode()
    assert 0x7FE00010 not in values


@pytest.mark.parametrize("form", [[], ["-stream"]], ids=["whole", "in-parts"])
@pytest.mark.parametrize("cipher", ["-aes256", "-aes128"])
def test_what_openssl_sealed_is_opened(tmp_path, trust, form, cipher):
    inner = element(0x00100020, "LO", "MRN-9")
    item = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
    (tmp_path / "plain").write_bytes(element(0x04000550, "SQ", item))
    openssl(
        *("cms", "-encrypt", "-binary", cipher, "-outform", "DER", *form),
        *("-in", tmp_path / "plain", "-out", tmp_path / "sealed", trust / "other.pem"),
        trust / "own.pem",
    )
    key = read_private_key(trust / "own.key")
    assert open_((tmp_path / "sealed").read_bytes(), key) == inner


def test_another_key_opens_nothing_in_one_line(pacs, scan, tmp_path, trust):
    out = sealed(pacs, scan, tmp_path, trust)
    result = pacs("reidentify", "--private-key", trust / "other.key", out, tmp_path / "back.dcm")
    assert result.exit == 6
    lines = [line for line in result.stderr.splitlines() if "private key" in line]
    assert len(lines) == 1
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "back.dcm").exists()


def test_file_without_a_seal_fails_and_the_others_go_on(pacs, scan, tmp_path, trust):
    out = sealed(pacs, scan, tmp_path, trust)
    both = tmp_path / "both"
    both.mkdir()
    (both / "a.dcm").write_bytes(out.read_bytes())
    (both / "b.dcm").write_bytes(scan.read_bytes())
    result = pacs(
        "reidentify", "--private-key", trust / "own.key", both, tmp_path / "back", "--json"
    )
    assert result.exit == 1
    summary = json.loads(result.stdout.splitlines()[-1])
    assert (summary["restored"], summary["failed"]) == (1, 1)


def test_damaged_seal_is_refused(scan, pacs, tmp_path, trust):
    out = sealed(pacs, scan, tmp_path, trust)
    key = read_private_key(trust / "own.key")
    (whole,) = sealed_in(content(out), EXPLICIT_LITTLE)
    for at in range(0, len(whole) - 64, max(1, len(whole) // 40)):
        damaged = bytearray(whole[: at + 1])
        with pytest.raises(InputError):
            open_(bytes(damaged), key)
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        try:
            open_(bytes(damaged), key)
        except InputError:
            continue


def test_key_with_a_password(pacs, scan, tmp_path, trust, monkeypatch):
    out = sealed(pacs, scan, tmp_path, trust)
    locked = trust / "locked.key"
    back = tmp_path / "back.dcm"
    assert pacs("reidentify", "--private-key", locked, out, back).exit == 2
    monkeypatch.setenv("PACS_KEY_PASSWORD", "secret")
    assert pacs("reidentify", "--private-key", locked, out, back).exit == 0


@pytest.mark.parametrize("name", ["ec.pem", "own.key", "missing.pem"])
def test_certificate_that_cannot_be_sealed_to_is_refused(pacs, scan, tmp_path, trust, name):
    result = pacs("anonymize", scan, tmp_path / "out", "--encrypt-to", trust / name)
    assert result.exit == (6 if name == "missing.pem" else 2)
    assert not (tmp_path / "out").exists()


def test_sealed_uid_that_is_a_path_is_refused(pacs, tmp_path, trust):
    from pacs_cli.pipelines.deid.encrypt import ENCRYPTED_SEQUENCE, read_certificate, seal

    hostile = element(0x00080018, "UI", "../../../etc/x")
    made = seal(hostile, read_certificate(trust / "own.pem"), EXPLICIT_LITTLE)
    assert ENCRYPTED_SEQUENCE == 0x04000500
    scan = write(tmp_path / "a.dcm", dataset(made))
    result = pacs("reidentify", "--private-key", trust / "own.key", scan, tmp_path / "back")
    assert result.exit == 6
    assert not (tmp_path / "back").exists()


def test_entry_point():
    run = subprocess.run(
        [sys.executable, "-m", "pacs_cli", "reidentify", "--help"], capture_output=True, text=True
    )
    assert run.returncode == 0
    assert "--private-key" in run.stdout


def test_each_of_many_files_has_its_own_seal(pacs, tmp_path, trust):
    scans = {}
    for number in range(1, 4):
        more = element(0x00080050, "SH", f"ACC-{number}")
        uid = f"1.2.3.{number}"
        scans[uid] = write(tmp_path / "in" / f"{number}.dcm", dataset(more, uid=uid), uid)
    result = pacs("anonymize", tmp_path / "in", tmp_path / "out", "--encrypt-to", trust / "own.pem")
    assert result.exit == 0, result
    back = tmp_path / "back"
    assert pacs("reidentify", "--private-key", trust / "own.key", tmp_path / "out", back).exit == 0
    restored = {path.stem: content(path) for path in back.rglob("*.dcm")}
    assert restored == {uid: content(path) for uid, path in scans.items()}
