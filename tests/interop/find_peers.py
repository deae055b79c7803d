"""Archives of the field that answer queries, each filled with the same made-up objects.

`destinations` are the AE titles on this machine to which they move, with the ports.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from pacs_cli.dicom.part10 import file_meta
from tests.dicom.datasets import LITTLE, written
from tests.interop.peers import await_port, free_port, pacs_storescp, run, running
from tests.peers import require
from tests.support import CT, EXPLICIT

#: Two studies of each, with two series of two images.
PATIENTS = (("Made^Up", "TEST-1"), ("Doe^Jane", "TEST-2"), ("Müller^Änne", "TEST-3"))


#: What its own default configuration says, without the move destination.
_QRSCP_DEFAULTS = """[DEFAULT]
ae_title: QRSCP
port: 11112
max_pdu: 16382
acse_timeout: 30
dimse_timeout: 30
network_timeout: 30
bind_address:
instance_location: instances
database_location: instances.sqlite
log_identifier: True
"""


@dataclass(frozen=True)
class Peer:
    """Where an archive listens, and its AE title."""

    title: str
    port: int

    @property
    def address(self) -> str:
        return f"{self.title}@127.0.0.1:{self.port}"


def image(patient: int, study: int, series: int, number: int) -> Dataset:
    """One object; everything above it is told by its numbers, which begin with 1."""
    name, patient_id = PATIENTS[patient - 1]
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = CT
    dataset.SOPInstanceUID = f"1.2.3.{patient}.{study}.{series}.{number}"
    dataset.StudyDate = f"2024010{2 * patient + study - 2}"
    dataset.StudyTime = "120000"
    dataset.AccessionNumber = f"A{patient}{study}"
    dataset.Modality = ["CT", "MR"][series - 1]
    dataset.StudyDescription = f"study {study}"
    dataset.SeriesDescription = f"series {series}"
    dataset.PatientName, dataset.PatientID = name, patient_id
    dataset.PatientBirthDate, dataset.PatientSex = "19700101", "O"
    dataset.StudyInstanceUID = f"1.2.3.{patient}.{study}"
    dataset.SeriesInstanceUID = f"1.2.3.{patient}.{study}.{series}"
    dataset.StudyID = str(study)
    dataset.SeriesNumber, dataset.InstanceNumber = series, number
    return dataset


def write_archive(folder: Path) -> Path:
    """Write every object into a folder and return it."""
    folder.mkdir()
    twice = (1, 2)
    for patient in range(1, len(PATIENTS) + 1):
        for study, series, number in ((a, b, c) for a in twice for b in twice for c in twice):
            dataset = image(patient, study, series, number)
            meta = file_meta(CT, dataset.SOPInstanceUID, EXPLICIT)
            path = folder / f"{dataset.SOPInstanceUID}.dcm"
            path.write_bytes(meta + written(dataset, LITTLE))
    return folder


def fill(peer: Peer, folder: Path) -> Peer:
    """Send it every object with DCMTK's storescu."""
    done = run("storescu", "-aec", peer.title, "+sd", "127.0.0.1", str(peer.port), folder)
    assert done.returncode == 0, done.stderr
    return peer


@contextmanager
def dcmqrscp(folder: Path, destinations: Mapping[str, int] | None = None) -> Iterator[Peer]:
    """DCMTK's archive."""
    program, port = require("dcmqrscp"), free_port()
    storage = folder / "storage"
    storage.mkdir(parents=True)
    config = folder / "dcmqrscp.cfg"
    hosts = "".join(
        f"node{number} = ({title}, 127.0.0.1, {destination})\n"
        for number, (title, destination) in enumerate((destinations or {}).items())
    )
    config.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\n{hosts}HostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nDCMQR {storage} RW (200, 1024mb) ANY\nAETable END\n"
    )
    with running(program, "-c", config) as process:
        await_port(port, process)
        yield Peer("DCMQR", port)


@contextmanager
def orthanc(folder: Path, destinations: Mapping[str, int] | None = None) -> Iterator[Peer]:
    """An Orthanc that lets anybody find, move and get."""
    program, port = require("Orthanc", "/usr/sbin/Orthanc"), free_port()
    folder.mkdir()
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "DicomAet": "ORTHANC",
        "DicomPort": port,
        "HttpServerEnabled": False,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowFindWorklist": True,
        "DicomAlwaysAllowMove": True,
        "DicomAlwaysAllowGet": True,
        "DicomModalities": {
            title: [title, "127.0.0.1", destination]
            for title, destination in (destinations or {}).items()
        },
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))
    with running(program, config) as process:
        await_port(port, process)
        yield Peer("ORTHANC", port)


@contextmanager
def qrscp(folder: Path, destinations: Mapping[str, int] | None = None) -> Iterator[Peer]:
    """pynetdicom's archive."""
    port = free_port()
    folder.mkdir()
    command = (sys.executable, "-m", "pynetdicom", "qrscp", "--port", str(port), "-ba", "127.0.0.1")
    places = (
        *("--database-location", folder / "index.sqlite"),
        *("--instance-location", folder / "instances"),
    )
    config = folder / "qrscp.ini"
    nodes = "".join(
        f"[{title}]\naddress = 127.0.0.1\nport = {destination}\n"
        for title, destination in (destinations or {}).items()
    )
    config.write_text(_QRSCP_DEFAULTS + nodes)
    with running(*command, "--config", config, *places) as process:
        await_port(port, process)
        yield Peer("QRSCP", port)


@contextmanager
def wlmscpfs(folder: Path, items: list[Dataset]) -> Iterator[Peer]:
    """DCMTK's worklist provider, with a file for each item."""
    program, port = require("wlmscpfs"), free_port()
    place = folder / "WORKLIST"
    place.mkdir(parents=True)
    (place / "lockfile").write_text("")
    for number, item in enumerate(items):
        meta = file_meta("1.2.840.10008.5.1.4.31", f"1.2.3.{number + 1}", EXPLICIT)
        (place / f"{number}.wl").write_bytes(meta + written(item, LITTLE))
    with running(program, "-dfp", folder, "-csk", str(port)) as process:
        await_port(port, process)
        yield Peer("WORKLIST", port)


@contextmanager
def ours(folder: Path) -> Iterator[Peer]:
    """Our own archive."""
    with pacs_storescp(folder, "--qr", "--aet", "PACS") as archive:
        yield Peer("PACS", archive.port)
