"""pacs index beside the field's, and an index of a million instances.

    python -m tests.bench.index [--rows WORD...] [--rounds 5] [--files 7000] [--instances 1000000]
                                [--storage DIR]

`add` reads copies of the CT that comes with pydicom (258 elements) and writes the index;
gdcmscanner reads the same 21 attributes and keeps nothing; dcmqridx, DCMTK's, writes an index of
fixed records, and takes its files on the command line, some hundred in a call. After one round that
is not counted, A and B take turns; printed is the ratio of medians, peer over ours: over 1 we are
ahead, start-up included. Look-ups are those of one connection that is open, medians in ms.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from pacs_cli.archive.attributes import TAGS
from pacs_cli.archive.catalog import Catalog
from pacs_cli.archive.figures import count_all
from pacs_cli.archive.query import Abilities, QueryEngine, read_question
from pacs_cli.dicom.query import Model
from tests.archive.many import BASE, make_index, uid_of
from tests.bench.measuring import Cost, in_turns, median, program, show, storage_of, timed
from tests.interop.peers import PACS

#: Names on one command line of dcmqridx: far below what the system allows.
_NAMES = 500

#: Answers that are taken of a study list: what a screen shows, and more.
_PAGE = 100


def make_files(root: Path, count: int) -> Path:
    """Write copies of one CT, each with a SOP instance UID of its own, in folders of a thousand."""
    source = Path(str(get_testdata_file("CT_small.dcm")))
    whole, uid = source.read_bytes(), pydicom.dcmread(source).SOPInstanceUID.encode()
    for number in range(count):
        folder = root / f"{number // 1000:04}"
        folder.mkdir(parents=True, exist_ok=True)
        own = uid[:-8] + f"{number + 10_000_000:08}".encode()
        (folder / f"{number:08}.dcm").write_bytes(whole.replace(uid, own))
    return root


def ours(files: Path, storage: Path, *options: str) -> Cost:
    """Add all files to a new index."""
    db = storage / "ours.db"
    db.unlink(missing_ok=True)
    return timed([[*PACS, "index", "add", str(files), "--db", str(db), "-q", *options]])


def again(files: Path, storage: Path) -> Cost:
    """Add them to the index that has them."""
    db = storage / "ours.db"
    return timed([[*PACS, "index", "add", str(files), "--db", str(db), "-q"]])


def gdcmscanner(files: Path, storage: Path) -> Cost:
    """Read the same attributes of all files."""
    tags = [word for tag in sorted(TAGS) for word in ("-t", f"{tag >> 16:x},{tag & 0xFFFF:x}")]
    return timed([[program("gdcmscanner"), "-d", str(files), "-r", *tags]])


def dcmqridx(files: Path, storage: Path) -> Cost:
    """Register all files in a new index of DCMTK's."""
    folder = storage / "dcmtk"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    names = [str(path) for path in sorted(files.rglob("*.dcm"))]
    costs = [
        timed([[program("dcmqridx"), str(folder), *names[start : start + _NAMES]]])
        for start in range(0, len(names), _NAMES)
    ]
    return Cost(sum(cost.wall for cost in costs), sum(cost.cpu for cost in costs))


def compare(title: str, rounds: int, goal: str, *both: Callable[[], Cost]) -> Cost:
    """Print ours beside the peer's; return ours."""
    works = dict(zip(("ours", "peer"), both, strict=True))
    costs = in_turns(rounds, lambda who: works[who]())
    show(title, costs, goal)
    return median(costs["ours"])


def look_ups(catalog: Catalog, count: int) -> None:
    """Print how long a million instances keep one waiting."""
    asked: Sequence[tuple[str, str, dict[str, str]]] = (
        ("one image by its UID", "IMAGE", {"SOPInstanceUID": uid_of(count // 3)}),
        ("one series by its UID", "SERIES", {"SeriesInstanceUID": f"{BASE}.{count // 800}.1"}),
        ("one study by its UID", "STUDY", {"StudyInstanceUID": f"{BASE}.{count // 800}"}),
        ("one study by its accession number", "STUDY", {"AccessionNumber": f"A{count // 800}"}),
        ("the studies of a patient", "STUDY", {"PatientID": f"TEST-{count // 900}"}),
        ("a page of all studies", "STUDY", {}),
        ("the studies of names that begin with", "STUDY", {"PatientName": "Made17*"}),
        ("the studies of a month", "STUDY", {"StudyDate": "20100601-20100630"}),
        (
            "the images of a series",
            "IMAGE",
            {"StudyInstanceUID": f"{BASE}.7", "SeriesInstanceUID": f"{BASE}.7.1"},
        ),
    )
    usual = ("PatientName", "PatientID", "StudyDate", "StudyInstanceUID")
    for title, level, keys in asked:
        identifier = Dataset()
        identifier.QueryRetrieveLevel = level
        for keyword in usual:
            setattr(identifier, keyword, "")
        if level == "STUDY":
            identifier.ModalitiesInStudy = ""
            identifier.NumberOfStudyRelatedInstances = None
        for keyword, value in keys.items():
            setattr(identifier, keyword, value)
        question = read_question(Model.STUDY_ROOT, identifier, Abilities(is_relational=True))
        engine = QueryEngine(catalog.connect, catalog.path.parent)
        times, found = [], 0
        for _ in range(21):
            began = time.perf_counter()
            answers = islice(engine.find(question), _PAGE)
            found = sum(1 for answer in answers if answer.encode("1.2.840.10008.1.2"))
            times.append((time.perf_counter() - began) * 1000)
        print(f"{title:50} {statistics.median(times):8.3f} ms, {found} found   goal 5", flush=True)
    began = time.perf_counter()
    figures = count_all(catalog)
    print(f"{'stats of ' + str(figures.instances):50} {time.perf_counter() - began:8.3f} s")


def main() -> None:
    """Run what was asked for and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", nargs="*", default=["add", "million"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=7000)
    parser.add_argument("--instances", type=int, default=1_000_000)
    parser.add_argument("--storage")
    options = parser.parse_args()
    with storage_of(options.storage, options.files * 45_000 + options.instances * 1500) as root:
        print(f"{options.rounds} rounds, {options.files} files, in {root.parent}; peer / ours")
        if "add" in options.rows:
            files = make_files(root / "files", options.files)
            for jobs in ("1", "2"):
                cost = compare(
                    f"add --jobs {jobs}, gdcmscanner",
                    options.rounds,
                    "1.5",
                    lambda jobs=jobs: ours(files, root, "--jobs", jobs),
                    lambda: gdcmscanner(files, root),
                )
                rates = (options.files / cost.wall, options.files / cost.cpu)
                print(f"{'':50} {rates[0]:,.0f} files a second, {rates[1]:,.0f} a CPU second")
            # which looks through all it has for each new one: a minute for 7,000
            few = files / "0000"
            compare(
                "add, dcmqridx, 1,000 files",
                options.rounds,
                "-",
                lambda: ours(few, root),
                lambda: dcmqridx(few, root),
            )
            compare(
                "add again, all known, gdcmscanner",
                options.rounds,
                "-",
                lambda: again(files, root),
                lambda: gdcmscanner(files, root),
            )
        if "million" in options.rows:
            began = time.perf_counter()
            with closing(make_index(root / "many.db", options.instances)) as catalog:
                seconds = time.perf_counter() - began
                size = catalog.path.stat().st_size / 1e6
                print(f"{options.instances} rows in {seconds:.1f} s, {size:.0f} MB")
                look_ups(catalog, options.instances)


if __name__ == "__main__":
    main()
