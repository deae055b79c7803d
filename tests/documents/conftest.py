"""Peers that run while the documents are tested, and the folder in which their commands run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from pacs_cli.dicom.part10 import file_meta
from tests.documents.world import World
from tests.interop.peers import free_port, pacs_storescp, run_pacs
from tests.pixels.images import encoded, image, noise
from tests.pki import Pki
from tests.support import CT, EXPLICIT, MR
from tests.writing import write_object


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that documents name, made once."""
    folder = tmp_path_factory.mktemp("template")
    scans = folder / "scans"
    scans.mkdir()
    write_object(scans / "ct.dcm", CT, "1.2.3.1")
    write_object(scans / "mr.dcm", MR, "1.2.3.2")
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Path:
    """The files that examples name: pictures of 8 bits, of one study, and certificates."""
    folder = tmp_path_factory.mktemp("pictures")
    made = folder / "scans"
    made.mkdir()
    for number, sop_class in ((1, CT), (2, MR)):
        uid = f"1.2.3.9.{number}"
        picture = image(noise((1, 16, 16), 8), 8, SOPClassUID=sop_class, SOPInstanceUID=uid)
        picture.StudyInstanceUID, picture.SeriesInstanceUID = "1.2.3", f"1.2.3.{number}"
        picture.PatientName, picture.StudyDate = "DOE^JANE", "20260102"
        picture.Modality = "CT" if sop_class == CT else "MR"
        data = file_meta(sop_class, uid, EXPLICIT) + encoded(picture)
        (made / f"{number}.dcm").write_bytes(data)
    first, second = made / "1.dcm", made / "2.dcm"
    for name in ("a", "ct", "before", "original", "query"):
        shutil.copy(first, folder / f"{name}.dcm")
    for name in ("after", "lossy"):
        shutil.copy(second, folder / f"{name}.dcm")
    for name in ("more", "plans", "sent", "received", "data/ct", "data/mr"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(first if name != "data/mr" else second, folder / name)
    (folder / "uids.txt").write_text("1.2.3\n")
    (folder / "stamp").touch()
    os.utime(folder / "stamp", (0, 0))
    (folder / "list.txt").write_text("scans/1.dcm\n")
    issued = trustme.CA().issue_cert("made-up", key_type=trustme.KeyType.RSA)
    issued.cert_chain_pems[0].write_to_path(folder / "trust.pem")
    issued.private_key_pem.write_to_path(folder / "trust.key")
    shutil.copy(pki.ca, folder / "ca.pem")
    # a certificate with its key
    both = pki.good.certificate.read_bytes() + pki.good.key.read_bytes()
    (folder / "a.pem").write_bytes(both)
    (folder / "doe.pass").write_text("made-up-passcode\n")
    (folder / "token").write_text("made.up.token\n")
    (folder / "merged.csv").write_text("PatientID,new:PatientID\nMADE-UP,TEST-1\n")
    (folder / "access.toml").write_text('default = "deny"\n')
    for name in ("archive", "ws"):
        shutil.copy(pki.good.certificate, folder / f"{name}.pem")
        shutil.copy(pki.good.key, folder / f"{name}.key")
    return folder


@contextmanager
def archives(folder: Path, scans: Path | None = None) -> Iterator[dict[str, str]]:
    """Run two archives, of which one holds the scans and moves to the other; give their places."""
    back = free_port()
    with pacs_storescp(folder / "second", "--aet", "SECOND") as second:
        moves = [f"{title}@127.0.0.1:{second.port}" for title in ("WORKSTATION", "WS")]
        moves.append(f"PACS@127.0.0.1:{back}")
        known = [word for each in moves for word in ("--move-to", each)]
        with pacs_storescp(folder / "first", "--aet", "ARCHIVE", "--qr", *known) as first:
            if scans is not None:
                assert run_pacs("storescu", "127.0.0.1", first.port, scans).returncode == 0
            yield {
                "10.0.0.5 104": f"127.0.0.1 {first.port}",
                "10.0.0.5:104": f"127.0.0.1:{first.port}",
                "127.0.0.1:11112": f"127.0.0.1:{first.port}",
                "127.0.0.1:11113": f"127.0.0.1:{second.port}",
                "--receive 11112": f"--receive {back}",
                # whatever the hour is
                "22:00-06:00": "00:00-23:59",
                " /data": " data",
                " /media": " media",
            }


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[dict[str, str]]:
    """Addresses of documents -> those of archives that hold the scans and nothing else."""
    with archives(tmp_path_factory.mktemp("archives"), template / "scans") as made:
        yield made


@pytest.fixture(scope="module")
def other_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The same of archives that hold whatever the examples send."""
    with archives(tmp_path_factory.mktemp("others")) as made:
        yield made


@pytest.fixture
def world(
    template: Path, places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    """A folder with two scans, and an archive that holds them."""
    return _world(template, places, tmp_path, monkeypatch)


def _world(
    template: Path, places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    folder = tmp_path / "here"
    shutil.copytree(template, folder)
    first, second = places["127.0.0.1:11112"], places["127.0.0.1:11113"]
    config = folder / "config.toml"
    peers = {"pacs1": first, "pacs2": second, "pacs3": first, "ward": first}
    config.write_text("".join(f'[peers.{k}]\naddress = "{v}"\n' for k, v in peers.items()))
    monkeypatch.setenv("PACS_CONFIG", str(config))
    # what is installed for a user goes here
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("SHELL", "/bin/bash")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("route", "check", "source"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    return World(folder, monkeypatch, places)


@pytest.fixture
def examples(
    pictures: Path, other_places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    """A folder with all that the examples of the commands name."""
    return _world(pictures, other_places, tmp_path, monkeypatch)
