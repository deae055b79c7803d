"""pacs storescu and storescp beside the field's, on generated objects.

    python -m tests.bench.store [--rows WORD...] [--rounds 5] [--scale 1.0] [--storage DIR]

Peers come from the PATH. After one round that is not counted, A and B take turns, now one and now
the other going first; printed is the ratio of medians, peer over ours: over 1 we are ahead. CPU is
user plus system of the program and all it started: start-up included for senders, taken out for
receivers (that of a run without work). "tuned" sets TCP_NODELAY=1 for both ends of DCMTK, "default"
does not. Nobody calls fsync, ours runs with --durability relaxed, except beside Orthanc: there both
do. `--rows` picks the rows whose title has one of the words, `--scale` makes the counts smaller.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_cli.dicom.part10 import file_meta
from tests.bench.measuring import (
    Cost,
    in_turns,
    median,
    program,
    served,
    show,
    storage_of,
    timed,
    without,
)
from tests.interop.peers import PACS, free_port
from tests.support import CT, EXPLICIT
from tests.writing import element

_NOISE = 1_000_000

Command = Callable[[int, str], Sequence[str]]


@dataclass(frozen=True)
class Data:
    """Generated objects: `folders` of them, `count` in each; every folder is one sender's."""

    folders: tuple[Path, ...]
    count: int


def make_data(root: Path, name: str, count: int, sizes: Sequence[int], folders: int = 1) -> Data:
    """Write CT objects of the sizes in turns: one study, ten series, `folders` times `count`."""
    # written again and again: what this process holds counts as resident in those it starts
    noise = os.urandom(min(_NOISE, *sizes))
    paths = []
    for part in range(folders):
        folder = root / f"{name}-{part}"
        folder.mkdir()
        paths.append(folder)
        for number in range(count):
            serial = part * count + number + 1
            uid = f"1.2.826.0.1.3680043.10.1.{len(name)}.{serial}"
            size = sizes[number % len(sizes)] // len(noise) * len(noise)
            with (folder / f"{number:05}.dcm").open("wb") as file:
                file.write(file_meta(CT, uid, EXPLICIT) + _dataset(uid, serial, size))
                for _ in range(size // len(noise)):
                    file.write(noise)
    return Data(tuple(paths), count)


def _dataset(uid: str, number: int, size: int) -> bytes:
    """Return a CT's data set up to the `size` bytes of its pixels."""
    side = int((size // 2) ** 0.5)
    shape = ((0x00280002, 1), (0x00280010, min(side, 65535)), (0x00280011, min(side, 65535)))
    depth = ((0x00280100, 16), (0x00280101, 16), (0x00280102, 15), (0x00280103, 0))
    return b"".join(
        (
            element(0x00080016, "UI", CT),
            element(0x00080018, "UI", uid),
            element(0x00080020, "DA", "20260102"),
            element(0x00080060, "CS", "CT"),
            element(0x00100010, "PN", "Bench^Mark"),
            element(0x00100020, "LO", "BENCH"),
            element(0x0020000D, "UI", "1.2.826.0.1.3680043.10.2"),
            element(0x0020000E, "UI", f"1.2.826.0.1.3680043.10.3.{number % 10 + 1}"),
            element(0x00200013, "IS", str(number)),
            *(element(tag, "US", value.to_bytes(2, "little")) for tag, value in (*shape, *depth)),
            element(0x7FE00010, "OW", b"")[:-4] + size.to_bytes(4, "little"),
        )
    )


# -- the programs --------------------------------------------------------------------------------


def ours_scp(*options: str) -> Command:
    """Our receiver, without fsync."""
    common = ("--durability", "relaxed", "-q", *options)
    return lambda port, out: [*PACS, "storescp", str(port), "--out", out, *common]


def ours_durable(port: int, out: str) -> list[str]:
    """Our receiver as it comes."""
    return [*PACS, "storescp", str(port), "--out", out, "-q"]


def dcmtk_scp(*options: str) -> Command:
    """DCMTK's receiver, which keeps no index."""
    return lambda port, out: [program("storescp"), *options, "-od", out, str(port)]


def dcmqrscp(port: int, out: str, sink: int = 0) -> list[str]:
    """DCMTK's archive, with its index; it moves to SINK, which is a port."""
    config = Path(out) / "dcmqrscp.cfg"
    storage = Path(out) / "ANY"
    storage.mkdir()
    known = f"sink = (SINK, 127.0.0.1, {sink})\n" if sink else ""
    config.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 131072\nMaxAssociations = 32\n"
        f"HostTable BEGIN\n{known}HostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nANY-SCP {storage} RW (100000, 2000mb) ANY\nAETable END\n"
    )
    return [program("dcmqrscp"), "-c", str(config)]


def orthanc(port: int, out: str, sink: int = 0) -> list[str]:
    """Orthanc with its SQLite index, syncing as it does by default; it moves to SINK, a port."""
    settings = {
        "StorageDirectory": out,
        "IndexDirectory": out,
        "DicomPort": port,
        "HttpServerEnabled": False,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowMove": True,
        "DicomModalities": {"SINK": ["SINK", "127.0.0.1", sink]} if sink else {},
        "SyncStorageArea": True,
        "SaveJobs": False,
    }
    config = Path(out) / "orthanc.json"
    config.write_text(json.dumps(settings))
    return [program("Orthanc"), str(config)]


def pynetdicom_scp(port: int, out: str) -> list[str]:
    """The receiver that comes with pynetdicom."""
    return [PACS[0], "-m", "pynetdicom", "storescp", str(port), "-od", out, "-q"]


def ours_scu(port: int, folder: Path, *options: str) -> list[str]:
    """Our sender."""
    return [*PACS, "storescu", "127.0.0.1", str(port), str(folder), "-q", *options]


def dcmtk_scu(port: int, folder: Path) -> list[str]:
    """DCMTK's sender."""
    return [program("storescu"), "+sd", "127.0.0.1", str(port), str(folder)]


# -- the comparisons -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What all comparisons need."""

    rounds: int
    storage: Path

    def senders(
        self, title: str, data: Data, goal: str, receiver: Command, tuned: bool, *options: str
    ) -> None:
        """Compare both senders, each sending everything to the same kind of receiver."""
        (folder,) = data.folders

        def cost_of(who: str) -> Cost:
            sent: list[Cost] = []

            def send(port: int) -> Cost:
                ours, peer = ours_scu(port, folder, *options), dcmtk_scu(port, folder)
                sent.append(timed([ours if who == "ours" else peer], tuned))
                return sent[0]

            served(receiver, free_port(), self.storage, send, tuned)
            return sent[0]

        show(title, in_turns(self.rounds, cost_of), goal)

    def receivers(self, title: str, data: Data, goal: str, ours: Command, peer: Command) -> None:
        """Compare two receivers, each fed by one DCMTK storescu a folder, all at once."""
        commands = {"ours": ours, "peer": peer}

        def cost_of(who: str, is_idle: bool = False) -> Cost:
            def send(port: int) -> Cost:
                if is_idle:
                    return Cost(0.0, 0.0)
                return timed([dcmtk_scu(port, folder) for folder in data.folders])

            return served(commands[who], free_port(), self.storage, send)

        idle = in_turns(3, lambda who: cost_of(who, is_idle=True))
        costs = in_turns(self.rounds, cost_of)
        show(title, without(costs, {who: median(runs) for who, runs in idle.items()}), goal)


def _rows(run: Run, root: Path, scale: float) -> list[tuple[str, Callable[[str], None]]]:
    """Return each row's title and what measures it; data is made when it is first needed."""
    made: dict[str, Data] = {}

    def data(name: str, count: int, sizes: Sequence[int], folders: int = 1) -> Data:
        if name not in made:
            made[name] = make_data(root, name, max(1, int(count * scale)), sizes, folders)
        return made[name]

    small, ct = (10_000, 20_000, 30_000), (525_000,)
    ignore = dcmtk_scp("--ignore")

    def cts() -> Data:
        return data("ct", 2000, ct)

    def smalls() -> Data:
        return data("small", 5000, small)

    def huge(folders: int) -> Data:
        return data(f"huge{folders}", 5 if folders == 1 else 1, (200_000_000,), folders)

    def many_cts() -> Data:
        return data("cts16", 125, ct, 16)

    def many_smalls() -> Data:
        return data("smalls16", 300, small, 16)

    def few_cts() -> Data:
        return data("few", 200, ct)

    def four_cts() -> Data:
        return data("cts4", 250, ct, 4)

    scp, two, fork = ours_scp(), ours_scp("--workers", "2"), dcmtk_scp("--fork")
    return [
        ("storescu, CT, tuned", lambda t: run.senders(t, cts(), "1.8, 2.5", ignore, True)),
        ("storescu, CT, default", lambda t: run.senders(t, few_cts(), "20", ignore, False)),
        ("storescu, small, tuned", lambda t: run.senders(t, smalls(), "1.8, 2.8", ignore, True)),
        ("storescu, 200 MB, tuned", lambda t: run.senders(t, huge(1), "1, 1.7", ignore, True)),
        (
            "storescu --jobs 2, CT, to --fork",
            lambda t: run.senders(
                t, cts(), "3", dcmtk_scp("--ignore", "--fork"), True, "--jobs", "2"
            ),
        ),
        (
            "storescp, CT, 1 sender",
            lambda t: run.receivers(t, cts(), "1.15, 1.15", scp, dcmtk_scp()),
        ),
        (
            "storescp, small, 1 sender",
            lambda t: run.receivers(t, smalls(), "1, 0.9", scp, dcmtk_scp()),
        ),
        ("storescp, CT, 4 senders", lambda t: run.receivers(t, four_cts(), "1.15", scp, fork)),
        ("storescp, CT, 16 senders", lambda t: run.receivers(t, many_cts(), "1.15", scp, fork)),
        ("storescp, small, 16 senders", lambda t: run.receivers(t, many_smalls(), "1", scp, fork)),
        ("two workers, CT, 16 senders", lambda t: run.receivers(t, many_cts(), "1.15", two, fork)),
        (
            "two workers, small, 16 senders",
            lambda t: run.receivers(t, many_smalls(), "1", two, fork),
        ),
        (
            "two workers, small, 1 sender",
            lambda t: run.receivers(t, smalls(), "1, 0.9", two, dcmtk_scp()),
        ),
        (
            "storescp, 200 MB, 4 at once",
            lambda t: run.receivers(t, huge(4), "rss < 300", scp, fork),
        ),
        (
            "storescp, CT, Orthanc, fsync",
            lambda t: run.receivers(t, few_cts(), "cpu 5", ours_durable, orthanc),
        ),
        ("storescp, CT, dcmqrscp", lambda t: run.receivers(t, few_cts(), "cpu 8", scp, dcmqrscp)),
        (
            "storescp, CT, pynetdicom",
            lambda t: run.receivers(t, few_cts(), "cpu 6", scp, pynetdicom_scp),
        ),
    ]


def main() -> None:
    """Run the comparisons asked for and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--storage")
    options = parser.parse_args()
    with storage_of(options.storage, int(8e9 * options.scale)) as root:
        print(f"{options.rounds} rounds, scale {options.scale:g}, in {root.parent}; peer / ours")
        for title, measure in _rows(Run(options.rounds, root), root, options.scale):
            if not options.rows or any(word in title for word in options.rows):
                measure(title)


if __name__ == "__main__":
    main()
