"""The options that say which files are meant do what they say, in every command that has them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from tests.conftest import Pacs
from tests.contract.calling import commands_with
from tests.support import CT, running_provider
from tests.writing import write_object

EVERY_COMMAND_WITH = ("--from-file", "--follow")

#: Command -> what stands behind the files.
_REST: dict[str, Callable[[Path, Path], tuple[object, ...]]] = {
    "storescu": lambda out, key: (),
    "send-batch start": lambda out, key: ("--state", out / "move.job"),
    "index add": lambda out, key: ("--db", out / "index.db"),
    "dump": lambda out, key: ("--keys", "PatientID"),
    "validate": lambda out, key: (),
    "anonymize": lambda out, key: (out / "made",),
    "reidentify": lambda out, key: (out / "made", "--private-key", key),
    "transcode": lambda out, key: (out / "made", "--to", "deflated"),
}


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder with two files, and with a link to one elsewhere."""
    for name in ("scans", "elsewhere"):
        (tmp_path / name).mkdir()
        write_object(tmp_path / name / f"{name}.dcm", CT, f"1.2.3.{len(name)}")
    write_object(tmp_path / "scans" / "second.dcm", CT, "1.2.3.2")
    (tmp_path / "scans" / "link.dcm").symlink_to(tmp_path / "elsewhere" / "elsewhere.dcm")
    return tmp_path / "scans"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What reidentify asks for; nothing here is sealed."""
    path = tmp_path_factory.mktemp("key") / "key.pem"
    issued = trustme.CA().issue_cert("made-up", key_type=trustme.KeyType.RSA)
    issued.private_key_pem.write_to_path(path)
    return path


@pytest.fixture
def names_told(pacs: Pacs, scans: Path, tmp_path: Path, key: Path) -> Callable[..., set[str]]:
    """Run a command, and return the names of the files in the folder that it tells of."""
    count = itertools.count()

    def run(command: str, *typed: object) -> set[str]:
        assert command in _REST, f"say in {__name__} how pacs {command} is given files"
        out = tmp_path / f"out-{next(count)}"
        out.mkdir()
        with running_provider() as running:
            calls = command in commands_with("-aec")
            peer = ("127.0.0.1", running.listener.port) if calls else ()
            words = (*command.split(), *peer, *typed, *_REST[command](out, key), "--json")
            result = pacs(*words)
        assert result.exit in (0, 1, 6), result
        told = [Path(line["path"]) for line in result.json if "path" in line]
        return {path.name for path in told if path.parent == scans}

    return run


COMMANDS = [command for command in commands_with("--follow") if command != "diff"]


@pytest.mark.parametrize("command", COMMANDS)
def test_links_in_folders_count_only_when_they_are_followed(
    command: str, names_told: Callable[..., set[str]], scans: Path
):
    assert names_told(command, scans) == {"scans.dcm", "second.dcm"}
    followed = names_told(command, scans, "--follow")
    assert followed == {"scans.dcm", "second.dcm", "link.dcm"}


def test_links_in_folders_are_compared_only_when_they_are_followed(
    pacs: Pacs, scans: Path, tmp_path: Path
):
    other = tmp_path / "other"
    other.mkdir()
    write_object(other / "same.dcm", CT, "1.2.3.5")
    write_object(other / "changed.dcm", CT, "1.2.3.9", b"other pixels")
    compared = [pacs("diff", scans, other, *more, "--json").json for more in ((), ("--follow",))]
    assert [lines[-1]["compared"] for lines in compared] == [1, 2]
    assert [lines[-1]["changed"] for lines in compared] == [0, 1]


@pytest.mark.parametrize("separator", ["\n", "\0"], ids=["lines", "NUL"])
@pytest.mark.parametrize("command", COMMANDS)
def test_list_names_the_files(
    command: str,
    separator: str,
    names_told: Callable[..., set[str]],
    scans: Path,
    tmp_path: Path,
):
    wanted = tmp_path / "list"
    wanted.write_text(f"{scans / 'second.dcm'}{separator}")
    assert names_told(command, "--from-file", wanted) == {"second.dcm"}
